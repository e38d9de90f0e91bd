// What the server said last, and what the person at this browser has chosen.
import { TEXTS } from "./texts.js";

export const CLOSED = new Set(["ended", "refused", "merged"]);
export const board = { incidents: new Map(), notices: new Map(), alarms: new Map(), feeds: new Map(), figures: new Map(), late: new Map(), ledger: null };
// When the last report of each source came, as its incidents tell: newer than the word of the feed, which comes every 30 s.
export const lastReport = new Map();
export function noteReports(incident) {
  const last = incident.report_list?.at(-1);
  if (last && last.received_at > (lastReport.get(last.source) || "")) lastReport.set(last.source, last.received_at);
}
// `heardAt`: the stream last spoke; `readAt`: the topics behind it were last read, 0 never, null not known yet.
export const ui = { chosen: null, heardAt: 0, readAt: null, connection: "connecting", stale: true, categories: {}, language: localStorage.getItem("language") || "pl" };
export const t = () => TEXTS[ui.language];
export const kindName = (code) => ui.categories[code]?.[ui.language] || code;
export const placeLine = (place) => place.line || "–";

export async function post(address, body) {
  try {
    const answer = await fetch(address, { method: "POST", headers: { "Content-Type": "application/json", "X-Sztab-Page": "1" }, body: JSON.stringify(body), signal: AbortSignal.timeout(10_000) });
    return [answer.ok, await answer.json().catch(() => ({}))];
  } catch { return [false, { code: "no-answer" }]; }
}

// Why not: our words for the codes a desk meets, else the code and what the server said of it.
export const whyNot = (said) => `${t().refused}: ${t().code[said.code] || [said.code, said.pointer, said.detail].filter(Boolean).join(" ")}`;

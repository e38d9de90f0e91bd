// Alarms, feeds with their age, warnings, live figures, counters.
import { reportItem } from "./detail.js";
import { $, age, el, put, stamp } from "./show.js";
import { board, CLOSED, kindName, lastReport, t, ui } from "./state.js";

const UNKNOWN_AFTER_MS = 90_000; // the intake speaks of each feed every 30 s; three missed ones and nobody knows

function alarmLine(a) {
  return el("p", { class: `alarm ${a.class}` }, `${t().alarm[a.kind] || a.kind}: ${a.subject} · ${stamp(a.raised_at)} · `, el("span", { lang: "en" }, a.detail));
}

function feedItem(f) {
  const c = t(), unknown = ui.stale || Date.now() - Date.parse(f.said_at) > UNKNOWN_AFTER_MS;
  const expected = f.expected_every_seconds ? ` (${c.expected} ${age(f.expected_every_seconds * 1000, c)})` : "";
  const last = [f.last_document_at, lastReport.get(f.feed)].filter(Boolean).map((at) => Date.parse(at));
  const heard = last.length ? `${c.ago(age(Date.now() - Math.max(...last), c))}${expected}` : c.never;
  const state = unknown ? `${c.unknownSince} ${stamp(f.said_at)}` : c.feed[f.state];
  return el("li", { class: unknown ? "unknown" : f.state }, el("strong", {}, f.feed), ` ${state} · ${heard} · ${c.messagesN(f.documents)}`,
    f.rejected ? el("span", { class: "mark warn" }, c.rejectedN(f.rejected)) : "");
}

function noticeItem(n) {
  const c = t();
  return el("li", {}, el("strong", {}, n.event), ` ${n.degree || ""} · ${n.ends_at ? `${c.until} ${stamp(n.ends_at)}` : c.untilCancelled}`, el("small", {}, ` ${n.attribution || ""}`));
}

export function showSide() {
  const c = t();
  put($("alarms"), ...[...board.alarms.values()].sort((a, b) => a.raised_at.localeCompare(b.raised_at)).map(alarmLine));
  put($("feeds"), ...[...board.feeds.values()].sort((a, b) => Number(b.emergency) - Number(a.emergency) || a.feed.localeCompare(b.feed)).map(feedItem));
  put($("notices"), ...[...board.notices.values()].filter((n) => !n.ends_at || Date.parse(n.ends_at) > Date.now()).map(noticeItem));
  $("late-box").hidden = board.late.size === 0;
  put($("late"), ...[...board.late.values()].map((one) => reportItem(one)));
  put($("figures"), ...[...board.figures.values()].sort((a, b) => a.figure.localeCompare(b.figure) || b.count - a.count).slice(0, 12).map((f) =>
    el("li", {}, `${c.figure[f.figure] || f.figure.replaceAll("_", " ")}: ${kindName(f.label.split("/").pop())} `, el("strong", {}, String(f.count)))));
  const live = [...board.incidents.values()].filter((i) => !CLOSED.has(i.state));
  const counts = [[c.open, live.length], [c.urgentCount, live.filter((i) => i.urgency === "urgent").length],
    [c.unanswered, live.filter((i) => i.flags.includes("unanswered") && i.state === "open").length], [c.unreadCount, live.reduce((sum, i) => sum + i.unread, 0)]];
  put($("counters"), ...counts.map(([name, n]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(n)))));
}

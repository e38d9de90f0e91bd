// Is everything that was accepted accounted for? The word of the ledger, its counts, and what a person must look at.
import { $, el, put, stamp } from "./show.js";
import { board, t, ui } from "./state.js";

const UNKNOWN_AFTER_MS = 90_000; // the ledger speaks at least every 15 s; long silence means that nobody knows

const trace = (id) => el("a", { href: `/trace/${encodeURIComponent(id)}`, target: "_blank", rel: "noopener" }, id);

export function showLedger() {
  const c = t(), told = board.ledger;
  const silent = !told || ui.stale || Date.now() - Date.parse(told.said_at) > UNKNOWN_AFTER_MS;
  const balanced = silent ? null : told.balanced ?? null;
  const at = told?.judged_at ? ` · ${c.ledgerAsOf} ${stamp(told.judged_at)}` : "";
  $("ledger-word").className = `word ${balanced === true ? "connected" : balanced === false ? "broken" : "stale"}`;
  $("ledger-word").textContent = `${c.ledgerWord[balanced]}${told ? at : ` · ${c.ledgerOff}`}`;
  if (!told) { put($("ledger-counts")); put($("ledger-list")); return; }
  put($("ledger-counts"), ...Object.keys(c.ledgerCount).map((name) => el("li", {}, `${c.ledgerCount[name]} `, el("strong", {}, String(told[name])))),
    told.overdue_count ? el("li", {}, el("span", { class: "mark warn" }, `${c.overdueWord} ${told.overdue_count}`)) : "");
  put($("ledger-list"),
    ...told.unreachable.map((node) => el("li", {}, `${c.ledgerUnreachable}: ${node}`)),
    ...Object.entries(told.missing_ids).flatMap(([what, ids]) => ids.slice(0, 10).map((id) => el("li", {}, el("span", { class: "mark warn" }, c.ledgerMissing), ` ${c.what[what] || what}: `, trace(id)))),
    ...(told.untraced || []).slice(0, 10).map((id) => el("li", {}, el("span", { class: "mark warn" }, c.untraced), " ", trace(id))),
    ...told.overdue.slice(0, 20).map((one) => el("li", {}, `${c.overdueWord} ${stamp(one.deadline_at)} · ${one.recipient}: `, trace(one.delivery_id))),
    ...told.acts.slice(-5).reverse().map((act) => el("li", {}, `${stamp(act.acted_at)} ${c.acted}: ${c.actOutcome[act.outcome] || act.outcome} · ${c.what[act.why] || act.why}: `, trace(act.subject_id))));
}

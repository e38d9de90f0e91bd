// The page: one event stream in, commands and desk reports out. State comes from the server alone; the browser only shows it.
import { TEXTS } from "./texts.js";
import { age, clock, el, stamp } from "./show.js";
import { ring, soundOn, toggleSound } from "./sound.js";

const CLOSED = new Set(["ended", "refused", "merged"]);
const SILENT_AFTER_MS = 25_000; // two and a half beats of the server
const board = { incidents: new Map(), notices: new Map(), alarms: new Map(), feeds: new Map(), figures: new Map(), late: new Map() };
const ui = { chosen: null, shown: [], lastHeard: 0, categories: {}, language: localStorage.getItem("language") || "pl", connection: "connecting" };
const $ = (id) => document.getElementById(id);
const t = () => TEXTS[ui.language];
const kindName = (code) => ui.categories[code]?.[ui.language] || code;

function order(a, b) {
  const rank = (i) => (CLOSED.has(i.state) ? 4 : 0) + (i.urgency === "urgent" ? 0 : 2) + (i.state === "open" ? 0 : 1);
  return rank(a) - rank(b) || b.opened_at.localeCompare(a.opened_at);
}

function wanted(incident) {
  if (CLOSED.has(incident.state) && !$("with-closed").checked) return false;
  const text = $("search").value.trim().toLowerCase();
  return !text || [incident.place.line, kindName(incident.category), incident.id, ...incident.references].join(" ").toLowerCase().includes(text);
}

function mark(incident) {
  const marks = incident.flags.filter((f) => t().flag[f]).map((f) => el("span", { class: "mark warn" }, t().flag[f]));
  if (incident.mode !== "real") marks.push(el("span", { class: "mark mode" }, incident.mode === "test" ? t().test : t().exercise));
  if (incident.unread) marks.push(el("span", { class: "mark unread" }, `${incident.unread} ${t().unread}`));
  if (incident.suggestions.length) marks.push(el("span", { class: "mark hint" }, `? ${incident.suggestions.length}`));
  return marks;
}

function row(incident) {
  const line = el("tr", { tabindex: "0", "data-id": incident.id, class: `${incident.urgency} ${incident.state} ${incident.id === ui.chosen ? "chosen" : ""}` },
    el("td", {}, el("strong", {}, t()[incident.urgency])), el("td", {}, kindName(incident.category), ...mark(incident)),
    el("td", {}, incident.place.line || "–"), el("td", {}, t().states[incident.state]), el("td", { class: "number" }, String(incident.reports)),
    el("td", {}, el("time", { datetime: incident.opened_at }, stamp(incident.opened_at))));
  const choose = () => { ui.chosen = incident.id; showRows(true); showDetail(); };
  line.addEventListener("click", choose);
  line.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(); });
  return line;
}

function showRows(force) {
  const now = [...board.incidents.values()].filter(wanted).sort(order);
  const busy = !force && (document.querySelector("#rows:hover") || document.activeElement?.closest("#rows"));
  const known = new Set(ui.shown);
  const fresh = now.filter((incident) => !known.has(incident.id));
  if (busy) { // what is under the cursor does not move: rows change in place, new ones wait behind a bar
    for (const id of ui.shown) { const old = document.querySelector(`tr[data-id="${CSS.escape(id)}"]`); const incident = board.incidents.get(id); if (old && incident) replaceKeepingFocus(old, row(incident)); }
    $("new-rows").hidden = fresh.length === 0; $("new-rows").textContent = t().newRows(fresh.length); return;
  }
  const focused = document.activeElement?.closest("tr")?.dataset.id;
  $("new-rows").hidden = true; ui.shown = now.map((incident) => incident.id);
  $("rows").replaceChildren(...now.map(row)); $("empty").hidden = now.length > 0;
  if (focused) document.querySelector(`tr[data-id="${CSS.escape(focused)}"]`)?.focus();
}

function replaceKeepingFocus(old, fresh) { const had = document.activeElement === old; old.replaceWith(fresh); if (had) fresh.focus(); }

function whyList(why) {
  return el("ul", { class: "why" }, ...why.evidence.map((e) => el("li", {}, `${e.feature}: ${e.value} (${e.bits > 0 ? "+" : ""}${e.bits})`)), el("li", {}, `= ${why.bits} bit, ${why.rule}`));
}

function reportItem(report) {
  const item = el("li", { class: report.revision }, el("strong", {}, report.source), ` ${report.channel || ""} · ${kindName(report.category)} · ${report.place.line || "–"} · `,
    el("time", {}, stamp(report.received_at)), " ", el("a", { href: `/trace/${encodeURIComponent(report.id)}`, target: "_blank", rel: "noopener" }, t().trace));
  if (report.findings.length) item.append(el("span", { class: "mark" }, report.findings.join(", ")));
  if (report.why) item.append(el("details", {}, el("summary", {}, t().why), whyList(report.why)));
  return item;
}

function suggestionItem(incident, s) {
  const other = board.incidents.get(s.target);
  const name = other ? `${kindName(other.category)}, ${other.place.line || "–"}, ${stamp(other.opened_at)}` : s.target;
  return el("li", {}, `${t().suggestion}: ${name}`, whyList(s.why),
    button(t().confirm, () => command(incident, { verb: "confirm", target_id: s.target })),
    button(t().reject, () => { const reason = prompt(t().reason); if (reason) command(incident, { verb: "reject", target_id: s.target, reason }); }));
}

function showDetail() {
  const incident = board.incidents.get(ui.chosen);
  if (!incident) { $("detail").replaceChildren(el("p", { class: "hint" }, t().choose)); return; }
  $("detail").dataset.id = incident.id;
  const stages = Object.entries(incident.stages).map(([stage, at]) => el("li", {}, `${t().stage[stage] || stage}: ${stamp(at)}`));
  const actions = el("p", { class: "actions" });
  if (incident.state === "open") actions.append(button(t().accept, () => command(incident, { verb: "accept" }), "primary"));
  if (incident.unread) actions.append(button(t().read, () => command(incident, { verb: "read" })));
  $("detail").replaceChildren(
    el("h2", {}, kindName(incident.category), " ", ...mark(incident)), el("p", { class: "place" }, incident.place.line || "–", incident.place.uncertainty_m ? ` ± ${Math.round(incident.place.uncertainty_m)} m` : ""),
    el("p", {}, `${t().states[incident.state]} · ${t()[incident.urgency]} · ${incident.references.join(", ")}`), actions, el("p", { id: "answer", role: "status" }),
    el("ul", { class: "suggestions" }, ...incident.suggestions.map((s) => suggestionItem(incident, s))),
    el("h3", {}, `${t().reports}: ${incident.reports}`), el("ul", { class: "reports" }, ...[...(incident.report_list || [])].reverse().map(reportItem)),
    el("h3", {}, t().stages), el("ul", { class: "stages" }, ...stages), el("p", { class: "id" }, el("a", { href: `/trace/${encodeURIComponent(incident.id)}`, target: "_blank", rel: "noopener" }, incident.id)));
}

function button(text, action, kind = "") {
  const made = el("button", { type: "button", class: kind }, text);
  made.addEventListener("click", async () => { made.disabled = true; try { await action(); } finally { made.disabled = false; } });
  return made;
}

async function post(address, body) {
  try {
    const answer = await fetch(address, { method: "POST", headers: { "Content-Type": "application/json", "X-Sztab-Page": "1" }, body: JSON.stringify(body), signal: AbortSignal.timeout(10_000) });
    return [answer.ok, await answer.json().catch(() => ({}))];
  } catch (error) { return [false, { detail: String(error) }]; }
}

async function command(incident, body) {
  const [ok, said] = await post(`/api/incidents/${encodeURIComponent(incident.id)}/commands`, { ...body, unit: incident.unit, expected_version: incident.version, idempotency_key: crypto.randomUUID() });
  const place = $("answer");
  if (place) place.textContent = ok ? (said.fact_id ? "✓" : t().sentOn) : `${t().refused}: ${said.code || ""} ${said.detail || ""}`;
}

function showSide() {
  const c = t();
  $("alarms").replaceChildren(...[...board.alarms.values()].sort((a, b) => a.raised_at.localeCompare(b.raised_at)).map((a) =>
    el("p", { class: `alarm ${a.class}` }, `${c.alarm[a.kind] || a.kind}: ${a.subject} · ${stamp(a.raised_at)} · ${a.detail}`)));
  $("feeds").replaceChildren(...[...board.feeds.values()].sort((a, b) => Number(b.emergency) - Number(a.emergency) || a.feed.localeCompare(b.feed)).map((f) => {
    const expected = f.expected_every_seconds ? ` (${c.expected} ${age(f.expected_every_seconds * 1000, c)})` : "";
    const heard = f.last_document_at ? `${age(Date.now() - Date.parse(f.last_document_at), c)}${expected}` : c.never;
    return el("li", { class: f.state }, el("strong", {}, f.feed), ` ${c.feed[f.state]} · ${heard} · ${f.documents}`, f.rejected ? el("span", { class: "mark warn" }, `${f.rejected} !`) : "");
  }));
  $("notices").replaceChildren(...[...board.notices.values()].filter((n) => !n.ends_at || Date.parse(n.ends_at) > Date.now()).map((n) =>
    el("li", {}, el("strong", {}, n.event), ` ${n.degree || ""} · ${n.ends_at ? `${c.until} ${stamp(n.ends_at)}` : c.untilCancelled}`, el("small", {}, ` ${n.attribution || ""}`))));
  $("late-box").hidden = board.late.size === 0;
  $("late").replaceChildren(...[...board.late.values()].map(reportItem));
  $("figures").replaceChildren(...[...board.figures.values()].sort((a, b) => a.figure.localeCompare(b.figure) || b.count - a.count).slice(0, 12).map((f) =>
    el("li", {}, `${c.figure[f.figure] || f.figure.replaceAll("_", " ")}: ${kindName(f.label.split("/").pop())} `, el("strong", {}, String(f.count)))));
  const live = [...board.incidents.values()].filter((i) => !CLOSED.has(i.state));
  const counts = [[c.open, live.length], [c.urgentCount, live.filter((i) => i.urgency === "urgent").length], [c.unanswered, live.filter((i) => i.flags.includes("unanswered") && i.state === "open").length], [c.unreadCount, live.reduce((sum, i) => sum + i.unread, 0)]];
  $("counters").replaceChildren(...counts.flatMap(([name, n]) => [el("dt", {}, name), el("dd", {}, String(n))]));
}

function showConnection() {
  const quiet = ui.lastHeard ? Date.now() - ui.lastHeard : 0;
  const word = ui.connection === "connected" && quiet > SILENT_AFTER_MS ? "broken" : ui.connection;
  $("connection").className = `word ${word}`;
  $("connection").textContent = t()[word] + (word !== "connected" && ui.lastHeard ? ` (${t().dataAge} ${age(quiet, t())})` : "");
  $("clock").textContent = clock();
}

function showTexts() {
  document.documentElement.lang = ui.language;
  document.querySelectorAll("[data-text]").forEach((node) => { const word = t()[node.dataset.text]; if (word) node.textContent = word; });
  $("language").textContent = ui.language === "pl" ? "English" : "Polski";
  $("sound").textContent = soundOn() ? t().soundOn : t().soundOff; $("sound").setAttribute("aria-pressed", String(soundOn()));
  const names = Object.keys(ui.categories).sort((a, b) => kindName(a).localeCompare(kindName(b), ui.language));
  const typed = $("categories").value; // nothing is chosen for the officer: an unknown kind is better than a wrong one
  $("categories").replaceChildren(el("option", {}, ""), ...names.map((code) => el("option", { value: code }, kindName(code))));
  $("categories").value = typed;
  showRows(true); showDetail(); showSide(); showConnection();
}

const takers = {
  incident: (view) => { const before = board.incidents.get(view.id); board.incidents.set(view.id, view); if (!before && view.urgency === "urgent" && view.state === "open") ring(); if (before && before.urgency !== "urgent" && view.urgency === "urgent") ring(); },
  notice: (view) => board.notices.set(view.id, view), "notice-gone": (view) => board.notices.delete(view.id), late: (view) => board.late.set(view.id, view), feed: (view) => board.feeds.set(view.id, view),
  alarm: (view) => (view.active ? board.alarms.set(view.id, view) : board.alarms.delete(view.id)), figure: (view) => board.figures.set(`${view.figure}|${view.label}`, view),
};
let pending = false;
function soon(id) { if (id && id === ui.chosen) showDetail(); if (!pending) { pending = true; requestAnimationFrame(() => { pending = false; showRows(false); showSide(); }); } }

function listen() {
  const stream = new EventSource("/api/events");
  const heard = () => { ui.lastHeard = Date.now(); ui.connection = "connected"; showConnection(); };
  stream.onopen = heard; stream.onerror = () => { ui.connection = stream.readyState === EventSource.CLOSED ? "broken" : "connecting"; showConnection(); if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2_000); };
  stream.addEventListener("beat", heard);
  stream.addEventListener("reset", (event) => {
    heard(); const all = JSON.parse(event.data);
    for (const [name, list] of [["incidents", "incident"], ["notices", "notice"], ["alarms", "alarm"], ["feeds", "feed"], ["figures", "figure"], ["late", "late"]]) { board[name].clear(); for (const view of all[name]) if (list === "incident") board.incidents.set(view.id, view); else takers[list](view); }
    showRows(true); showDetail(); showSide();
  });
  for (const name of Object.keys(takers)) stream.addEventListener(name, (event) => { heard(); const view = JSON.parse(event.data); takers[name](view); soon(view.id); });
}

$("new-rows").addEventListener("click", () => showRows(true));
$("with-closed").addEventListener("change", () => showRows(true)); $("search").addEventListener("input", () => showRows(true));
$("language").addEventListener("click", () => { ui.language = ui.language === "pl" ? "en" : "pl"; localStorage.setItem("language", ui.language); showTexts(); });
$("sound").addEventListener("click", () => { toggleSound(); showTexts(); });
$("desk-open").addEventListener("click", () => { $("desk-form").dataset.entry = crypto.randomUUID(); $("desk-answer").textContent = ""; $("desk").showModal(); });
$("desk-close").addEventListener("click", () => $("desk").close());
$("desk-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = Object.fromEntries(new FormData(event.target).entries());
  const [ok, said] = await post("/api/desk", { ...form, entry_id: event.target.dataset.entry });
  $("desk-answer").textContent = ok ? `${t().accepted}${said.held === "journal" ? ` (${t().journalHeld})` : ""}: ${said.id}` : `${t().refused}: ${said.code || ""} ${said.pointer || ""} ${said.detail || ""}`;
  if (ok) { event.target.reset(); event.target.dataset.entry = crypto.randomUUID(); }
});
setInterval(() => { showConnection(); showSide(); }, 1_000);
const about = await fetch("/api/about").then((answer) => answer.json()).catch(() => ({ categories: {}, name: "Sztab", mode: "real" }));
ui.categories = about.categories; $("name").textContent = about.name;
if (about.mode !== "real") document.body.classList.add("exercise");
showTexts(); listen();

// The page: one event stream in, commands and desk reports out. State comes from the server alone; the browser only shows it.
import { showDetail } from "./detail.js";
import { listen as listenToList, showRows } from "./list.js";
import { showLedger } from "./ledger.js";
import { $, age, clock, el } from "./show.js";
import { showSide } from "./side.js";
import { ring, soundOn, toggleSound } from "./sound.js";
import { board, kindName, noteReports, placeLine, post, t, ui, whyNot } from "./state.js";

const SILENT_AFTER_MS = 25_000; // two and a half beats of the server

function showConnection() {
  const now = Date.now(), silent = now - ui.heardAt > SILENT_AFTER_MS, old = now - ui.readAt > SILENT_AFTER_MS;
  const word = ui.connection !== "connected" ? ui.connection : silent ? "broken" : old ? "stale" : "connected";
  const since = word === "stale" ? ui.readAt : ui.heardAt;
  $("connection").className = `word ${word}`;
  $("connection-word").textContent = t()[word];
  $("data-age").textContent = word !== "connected" && since ? ` (${t().dataAge} ${age(now - since, t())})` : "";
  ui.stale = word !== "connected"; document.body.classList.toggle("stale", ui.stale);
  $("clock").textContent = clock();
}

function showTexts() {
  document.documentElement.lang = ui.language;
  document.querySelectorAll("[data-text]").forEach((node) => { const word = t()[node.dataset.text]; if (word) node.textContent = word; });
  document.querySelectorAll("[data-label]").forEach((node) => node.setAttribute("aria-label", t()[node.dataset.label]));
  $("language").textContent = ui.language === "pl" ? "English" : "Polski"; $("language").lang = ui.language === "pl" ? "en" : "pl";
  $("print").href = `/print?language=${ui.language}`;
  $("sound").textContent = soundOn() ? t().soundOn : t().soundOff; $("sound").setAttribute("aria-pressed", String(soundOn()));
  const names = Object.keys(ui.categories).sort((a, b) => kindName(a).localeCompare(kindName(b), ui.language));
  const typed = $("categories").value; // nothing is chosen for the officer: an unknown kind is better than a wrong one
  $("categories").replaceChildren(el("option", {}, ""), ...names.map((code) => el("option", { value: code }, kindName(code))));
  $("categories").value = typed;
  showRows(true); showDetail(); showSide(); showLedger(); showConnection();
}

function alert(incident) { ring(); $("said").textContent = `${t().newUrgent}: ${kindName(incident.category)}, ${placeLine(incident.place)}`; }

const takers = {
  incident: (view) => { const before = board.incidents.get(view.id); board.incidents.set(view.id, view); noteReports(view); if (view.urgency === "urgent" && (before ? before.urgency !== "urgent" : view.state === "open")) alert(view); },
  notice: (view) => board.notices.set(view.id, view), "notice-gone": (view) => board.notices.delete(view.id), late: (view) => board.late.set(view.id, view), feed: (view) => board.feeds.set(view.id, view), "feed-gone": (view) => board.feeds.delete(view.id),
  alarm: (view) => (view.active ? board.alarms.set(view.id, view) : board.alarms.delete(view.id)), figure: (view) => board.figures.set(`${view.figure}|${view.label}`, view),
  ledger: (view) => { board.ledger = view; },
};
let pending = false;
function soon() { if (!pending) { pending = true; requestAnimationFrame(() => { pending = false; showRows(false); showDetail(); showSide(); showLedger(); }); } }

function listen() {
  const stream = new EventSource("/api/events");
  const heard = () => { ui.heardAt = Date.now(); ui.readAt ??= ui.heardAt; ui.connection = "connected"; };
  stream.onopen = () => { heard(); showConnection(); };
  stream.onerror = () => { const over = stream.readyState === EventSource.CLOSED; ui.connection = over ? "broken" : "connecting"; showConnection(); if (over) setTimeout(listen, 2_000); };
  stream.addEventListener("beat", (event) => { heard(); const { read_ms: read } = JSON.parse(event.data); ui.readAt = read === null ? 0 : Date.now() - read; showConnection(); });
  stream.addEventListener("reset", (event) => {
    const again = ui.heardAt > 0 && board.incidents.size > 0, before = new Set(board.incidents.keys());
    heard(); const all = JSON.parse(event.data);
    for (const [name, list] of [["incidents", "incident"], ["notices", "notice"], ["alarms", "alarm"], ["feeds", "feed"], ["figures", "figure"], ["late", "late"]]) { board[name].clear(); for (const view of all[name]) if (list === "incident") { board.incidents.set(view.id, view); noteReports(view); } else takers[list](view); }
    board.ledger = all.ledger?.[0] ?? null;
    const missed = [...board.incidents.values()].find((incident) => again && !before.has(incident.id) && incident.urgency === "urgent" && incident.state === "open");
    if (missed) alert(missed); // it came while we were away: once for all of them
    showRows(false); showDetail(); showConnection(); showSide(); showLedger();
  });
  for (const name of Object.keys(takers)) stream.addEventListener(name, (event) => { heard(); takers[name](JSON.parse(event.data)); soon(); });
}

listenToList();
$("language").addEventListener("click", () => { ui.language = ui.language === "pl" ? "en" : "pl"; localStorage.setItem("language", ui.language); showTexts(); });
$("sound").addEventListener("click", () => { toggleSound(); showTexts(); });
$("ask-no").addEventListener("click", () => $("ask").close(""));
$("desk-open").addEventListener("click", () => { $("desk-form").dataset.entry ||= crypto.randomUUID(); $("desk-answer").textContent = ""; $("desk").showModal(); });
$("desk-close").addEventListener("click", () => $("desk").close());
$("desk-description").addEventListener("input", () => $("desk-description").setCustomValidity(""));
$("desk-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const sent = event.target, form = Object.fromEntries([...new FormData(sent).entries()].map(([name, value]) => [name, value.trim()]));
  if (!form.description) { $("desk-description").setCustomValidity(t().describe); $("desk-description").reportValidity(); return; }
  $("desk-send").disabled = true; $("desk-answer").textContent = t().sending;
  const [ok, said] = await post("/api/desk", { ...form, entry_id: sent.dataset.entry });
  $("desk-send").disabled = false;
  $("desk-answer").textContent = ok ? `✓ ${t().accepted}${said.held === "journal" ? ` (${t().journalHeld})` : ""}: ${said.id}` : whyNot(said);
  if (ok) { sent.reset(); sent.dataset.entry = crypto.randomUUID(); sent.elements.channel.focus(); }
});
setInterval(() => { showConnection(); showSide(); showLedger(); }, 1_000);
const about = await fetch("/api/about").then((answer) => answer.json()).catch(() => ({ categories: {}, name: "Sztab", mode: "real" }));
ui.categories = about.categories; $("name").textContent = about.name;
if (about.mode !== "real") { document.body.classList.add("exercise"); $("mode").dataset.text = about.mode === "test" ? "test" : "exercise"; $("mode").hidden = false; }
showTexts(); listen();

// The list of incidents: order, search, keys, and rows that never move while somebody points at them.
import { showDetail } from "./detail.js";
import { marks } from "./marks.js";
import { $, el, put, stamp } from "./show.js";
import { board, CLOSED, kindName, placeLine, t, ui } from "./state.js";

const lines = new Map(); // incident id -> its row, kept as long as it is shown
let shown = [];

function order(a, b) {
  const rank = (i) => (CLOSED.has(i.state) ? 4 : 0) + (i.urgency === "urgent" ? 0 : 2) + (i.state === "open" ? 0 : 1);
  return rank(a) - rank(b) || b.opened_at.localeCompare(a.opened_at);
}

function wanted(incident) {
  if (CLOSED.has(incident.state) && !$("with-closed").checked) return false;
  const text = $("search").value.trim().toLowerCase();
  return !text || [incident.place.line, kindName(incident.category), incident.id, ...incident.references].join(" ").toLowerCase().includes(text);
}

function line(incident) {
  const row = lines.get(incident.id) || el("tr", { tabindex: "-1", "data-id": incident.id }, ...Array.from({ length: 6 }, () => el("td", {})));
  const cells = [[el("strong", {}, t()[incident.urgency])], [kindName(incident.category), ...marks(incident)], [placeLine(incident.place)], [t().states[incident.state]],
    [String(incident.reports)], [el("time", { datetime: incident.opened_at }, stamp(incident.opened_at))]];
  cells.forEach((children, at) => put(row.children[at], ...children));
  row.className = `${incident.urgency} ${incident.state} ${incident.id === ui.chosen ? "chosen" : ""}`;
  if (incident.id === ui.chosen) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
  lines.set(incident.id, row);
  return row;
}

export function showRows(force) {
  const now = [...board.incidents.values()].filter(wanted).sort(order);
  const focused = document.activeElement?.closest("#rows tr");
  if (!force && (document.querySelector("#rows:hover") || focused)) { // under a hand rows change in place, new ones wait behind a bar
    for (const id of shown) if (board.incidents.has(id)) line(board.incidents.get(id));
    const fresh = now.filter((incident) => !shown.includes(incident.id));
    $("new-rows").hidden = fresh.length === 0;
    $("new-rows").textContent = t().newRows(fresh.length, fresh.filter((incident) => incident.urgency === "urgent").length);
    return;
  }
  $("new-rows").hidden = true;
  const ids = now.map((incident) => incident.id);
  for (const id of lines.keys()) if (!ids.includes(id)) lines.delete(id);
  const rows = now.map(line);
  if (ids.join() !== shown.join() || rows.length !== $("rows").children.length) $("rows").replaceChildren(...rows);
  shown = ids; $("empty").hidden = now.length > 0;
  const stop = lines.get(focused?.dataset.id) || lines.get(ui.chosen) || rows[0]; // one row is in the tab order, arrows reach the rest
  rows.forEach((row) => row.setAttribute("tabindex", row === stop ? "0" : "-1"));
  if (focused && document.activeElement !== focused) stop?.focus();
}

function choose(row) {
  ui.chosen = row.dataset.id; showRows(true); showDetail();
  const detail = $("detail").getBoundingClientRect();
  if (detail.top > innerHeight / 2) $("detail").scrollIntoView({ block: "start" }); // one column: it stands below the list
}

export function listen() {
  $("new-rows").addEventListener("click", () => showRows(true));
  $("with-closed").addEventListener("change", () => showRows(true)); $("search").addEventListener("input", () => showRows(true));
  $("rows").addEventListener("click", (event) => { const row = event.target.closest("tr"); if (row) choose(row); });
  $("rows").addEventListener("keydown", (event) => {
    const row = event.target.closest("tr"); if (!row) return;
    const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Home: $("rows").firstElementChild, End: $("rows").lastElementChild }[event.key];
    if (next) { row.setAttribute("tabindex", "-1"); next.setAttribute("tabindex", "0"); next.focus(); }
    else if (event.key === "Enter" || event.key === " ") choose(row);
    else return;
    event.preventDefault();
  });
}

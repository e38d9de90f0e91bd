// The chosen incident: its reports, why they were linked, and what the officer may do. Parts that did not change stay.
import { marks } from "./marks.js";
import { $, el, put, stamp } from "./show.js";
import { board, kindName, placeLine, post, t, ui, whyNot } from "./state.js";

// The value of these is written in English: of the first the number tells it in any language, of the second a sentence.
const COUNTED = new Set(["rivals", "burst"]), EVEN = new Set(["direction", "road"]);

function evidence(e) {
  const c = t(), name = c.feature[e.feature] || e.feature, bits = ` (${e.bits > 0 ? "+" : ""}${e.bits})`;
  if (e.feature === "category-pair") return `${name}: ${e.value.split(" / ").map(kindName).join(" / ")}${bits}`;
  if (e.feature === "shared-id") return `${name}: ${e.value.split(", ").map((one) => c.shared[one] || one).join(", ")}${bits}`;
  if (COUNTED.has(e.feature)) return `${name}: ${parseInt(e.value, 10)}${bits}`;
  if (EVEN.has(e.feature)) return c.say[e.feature](e.value) + bits;
  return c.wordless.has(e.feature) ? name + bits : `${name}: ${e.value}${bits}`;
}

const SAID = ["distance", "time-gap", "category-pair", "street", "text", "direction", "road", "source-pair", "shared-id", "rivals"];

// One sentence for a person in a hurry; the bits stand below it.
function sentence(why) {
  const by = Object.fromEntries(why.evidence.map((e) => [e.feature, e])), c = t();
  const parts = SAID.filter((name) => by[name]).map((name) => {
    const e = by[name];
    if (name === "category-pair") return [...new Set(e.value.split(" / ").map(kindName))].join(" / ");
    return c.say[name](e.value, e.bits > 0);
  });
  return why.rule === "weights" && parts.length ? parts.join(", ") : c.rule[why.rule] || why.rule;
}

function whyList(why) {
  return el("ul", { class: "why" }, ...why.evidence.map((e) => el("li", {}, evidence(e))), el("li", {}, `= ${why.bits} bit, ${t().rule[why.rule] || why.rule}`));
}

const trace = (id, text) => el("a", { href: `/trace/${encodeURIComponent(id)}`, target: "_blank", rel: "noopener", "data-key": `trace ${id}` }, text);

// `incident`: where it stands; there it can be taken out, unless it is alone.
export function reportItem(report, incident = null) {
  const told = [report.channel ? t()[report.channel] || report.channel : "", kindName(report.category), placeLine(report.place)].filter(Boolean).join(" · ");
  const item = el("li", { class: report.revision }, el("strong", {}, report.source), ` ${told} · `, el("time", {}, stamp(report.received_at)), " ", trace(report.id, t().trace));
  if (report.findings.length) item.append(el("span", { class: "mark" }, report.findings.map((code) => t().finding[code] || code).join(", ")));
  if (report.why) item.append(el("details", {}, el("summary", {}, `${t().why}: ${sentence(report.why)}`), whyList(report.why)));
  if (report.doubtful) item.append(el("span", { class: "mark warn" }, t().doubtful));
  if (incident && incident.reports > 1) item.append(el("p", { class: "actions" }, button(t().takeOut, `unlink ${report.id}`, async () => {
    const reason = await ask(t().reason);
    if (reason) await command(incident.id, { verb: "unlink", report_id: report.id, reason });
  }), report.doubtful ? button(t().belongs, `belongs ${report.id}`, () => command(incident.id, { verb: "confirm", target_id: incident.id, report_id: report.id })) : ""));
  return item;
}

function suggestionItem(incident, s) {
  const other = board.incidents.get(s.target);
  const name = other ? `${kindName(other.category)}, ${placeLine(other.place)}, ${stamp(other.opened_at)}` : s.target;
  const reject = async () => { const reason = await ask(t().reason); if (reason) await command(incident.id, { verb: "reject", target_id: s.target, reason }); };
  return el("li", {}, `${t().suggestion}: ${name}`, el("p", { class: "actions" },
    button(t().confirm, `confirm ${s.target}`, () => command(incident.id, { verb: "confirm", target_id: s.target })), button(t().reject, `reject ${s.target}`, reject)), el("details", {}, el("summary", {}, `${t().whyAsked}: ${sentence(s.why)}`), whyList(s.why)));
}

function neighbourItem(n) {
  const item = el("li", {}, `${t().neighbour} ${n.unit}${n.incident ? ` (${n.incident})` : ""}`);
  if (n.why) item.append(el("details", {}, el("summary", {}, `${t().whyAsked}: ${sentence(n.why)}`), whyList(n.why)));
  return item;
}

export function showDetail() {
  const incident = board.incidents.get(ui.chosen);
  if (!incident) { put($("detail"), el("p", { class: "hint" }, t().choose)); return; }
  if ($("detail").dataset.id !== incident.id || !$("answer")) {
    $("detail").dataset.id = incident.id;
    put($("detail"), ...["head", "actions", "answer", "suggestions", "reports", "stages"].map((part) => el(part === "answer" ? "p" : "div", { id: part, role: part === "answer" ? "status" : "", "data-of": incident.id })));
  }
  const c = t(), place = `${placeLine(incident.place)}${incident.place.uncertainty_m ? ` ± ${Math.round(incident.place.uncertainty_m)} m` : ""}`;
  put($("head"), el("h2", {}, kindName(incident.category), " ", ...marks(incident)), el("p", { class: "place" }, place),
    el("p", {}, [c.states[incident.state], c[incident.urgency], ...incident.references.map((reference) => reference.replace(/^cpr_id: /, "CPR "))].join(" · ")));
  const doable = [];
  if (incident.state === "open") doable.push(button(c.accept, "accept", () => command(incident.id, { verb: "accept" }), "primary"));
  if (incident.unread || (incident.state === "open" && !incident.stages.presented_at)) doable.push(button(c.read, "read", () => command(incident.id, { verb: "read" })));
  put($("actions"), ...doable);
  const alike = [...incident.suggestions.map((s) => suggestionItem(incident, s)), ...(incident.neighbours || []).map(neighbourItem)];
  put($("suggestions"), alike.length ? el("ul", {}, ...alike) : "");
  put($("reports"), el("h3", {}, `${c.reports}: ${incident.reports}`), el("ul", {}, ...[...(incident.report_list || [])].reverse().map((one) => reportItem(one, incident))));
  put($("stages"), el("h3", {}, c.stages), el("ul", {}, ...Object.entries(incident.stages).map(([stage, at]) => el("li", {}, `${c.stage[stage] || stage}: ${stamp(at)}`))),
    el("p", { class: "id" }, trace(incident.id, incident.id)));
}

function button(text, key, action, kind = "") {
  const made = el("button", { type: "button", class: kind, "data-key": key }, text);
  made.addEventListener("click", async () => { made.disabled = true; try { await action(); } finally { made.disabled = false; } });
  return made;
}

// The version asked about is the one on the screen now: a button outlives changes that do not concern it.
async function command(id, body) {
  const incident = board.incidents.get(id);
  const [ok, said] = await post(`/api/incidents/${encodeURIComponent(id)}/commands`, { ...body, unit: incident.unit, mode: incident.mode, expected_version: incident.version, idempotency_key: crypto.randomUUID() });
  if (ui.chosen === id && $("answer")) $("answer").textContent = ok ? (said.fact_id ? `✓ ${t().done}` : t().sentOn) : whyNot(said);
}

// A sentence from the officer; null when none is given. Not the browser's own prompt: that stops sound, clock and stream.
function ask(text) {
  const dialog = $("ask"), words = $("ask-words");
  $("ask-text").textContent = text; words.value = "";
  dialog.returnValue = ""; dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes" && words.value.trim() ? words.value.trim() : null), { once: true }));
}

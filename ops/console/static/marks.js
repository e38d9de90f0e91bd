// What stands beside an incident's kind: always a word, never a colour alone.
import { el } from "./show.js";
import { t } from "./state.js";

export function marks(incident) {
  const made = incident.flags.filter((f) => t().flag[f]).map((f) => el("span", { class: "mark warn" }, t().flag[f]));
  if (incident.mode !== "real") made.push(el("span", { class: "mark mode" }, incident.mode === "test" ? t().test : t().exercise));
  if (incident.unread) made.push(el("span", { class: "mark unread" }, t().unreadN(incident.unread)));
  if (incident.suggestions.length) made.push(el("span", { class: "mark hint" }, `? ${t().similar}: ${incident.suggestions.length}`));
  return made;
}

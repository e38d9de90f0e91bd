// Small things that show: elements without markup injection, times in the post's own zone, ages, counted words.
export const $ = (id) => document.getElementById(id);
export function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== "") node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== "" && child !== null && child !== undefined));
  return node;
}

const made = new WeakMap();
// Give a node these children, unless it was given the same before: what did not change keeps focus, open details and a
// press that has begun, and is not announced again. Listeners of kept children must ask for the present state.
export function put(node, ...children) {
  const fresh = el(node.localName, {}, ...children);
  if (made.get(node) === fresh.innerHTML) return;
  made.set(node, fresh.innerHTML);
  const held = node.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  node.replaceChildren(...fresh.childNodes);
  if (held) node.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
}

const ZONE = "Europe/Warsaw";
const day = new Intl.DateTimeFormat("sv-SE", { timeZone: ZONE, dateStyle: "short" });
const hour = new Intl.DateTimeFormat("pl-PL", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const clock = () => `${day.format(new Date())} ${hour.format(new Date())}`;
export function stamp(text) { const at = new Date(text); return day.format(at) === day.format(new Date()) ? hour.format(at) : `${day.format(at)} ${hour.format(at)}`; }
export function age(ms, words) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return `${s} ${words.seconds}`;
  return s < 5_400 ? `${Math.round(s / 60)} ${words.minutes}` : `${Math.round(s / 3_600)} ${words.hours}`;
}

// Small things that show: elements without markup injection, times in the post's own zone, ages.
export function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== "") node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== "" && child !== null && child !== undefined));
  return node;
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

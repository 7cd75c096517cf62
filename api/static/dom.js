// Elements are made from parts, never from markup: text that a model's owner wrote stays text.

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const FLAGS = new Map([[true, "True"], [false, "False"]]);

/** A class as the server names it among the probabilities. */
export const named = (x) => FLAGS.get(x) ?? String(x);

/** A number as people write it: four significant digits, no trailing zeros. */
export function short(x, digits = 4) {
  if (x === null || x === undefined) return "–";
  const rounded = Number(x.toPrecision(digits));
  const size = Math.abs(rounded);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return rounded.toExponential().replace("e+", "e").replaceAll("-", "−");
  return rounded.toLocaleString("en-US", { maximumFractionDigits: 12 }).replaceAll("-", "−");
}

/** A number with so many decimals that a thousandth of `span` shows. */
export function fine(x, span) {
  const decimals = Math.max(0, Math.min(8, Math.ceil(2 - Math.log10(span || Math.abs(x) || 1)) + 1));
  return x.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).replaceAll("-", "−");
}

/** The largest of 1, 2, 5 times a power of ten that goes at least `parts` times into `span`. */
export function niceStep(span, parts) {
  const raw = span / parts;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [5, 2, 1].map((n) => n * power).find((step) => step <= raw * (1 + 1e-9)) ?? power;
}

/** The nearest multiple of `step`, without the rounding errors of binary fractions. */
export function snap(x, step) {
  const decimals = Math.max(0, Math.min(20, -Math.floor(Math.log10(step) + 1e-9)));
  return Number((Math.round(x / step) * step).toFixed(decimals));
}

export function when(text) {
  return new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

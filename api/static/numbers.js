// Numbers and times as people read them.

const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
const LONG = 1e4; // from here on a number is shortened where it must be narrow
const minus = (text) => text.replaceAll("-", "−");

function power(x) {
  const [mantissa, exponent] = x.toExponential().split("e");
  return `${minus(mantissa)}×10${[...exponent.replace("+", "")].map((letter) => SUPERSCRIPTS[letter]).join("")}`;
}

/** A number with four significant digits and no trailing zeros. */
export function short(x, digits = 4) {
  if (x === null || x === undefined) return "–";
  const rounded = Number(x.toPrecision(digits));
  const size = Math.abs(rounded);
  if (size !== 0 && (size >= 1e15 || size < 1e-5)) return power(rounded);
  return minus(rounded.toLocaleString("en-US", { maximumFractionDigits: 12 }));
}

const narrow = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 4 });

/** The same for axes and other narrow places: 526.3M, and 1987, which may be a year. */
export function compact(x) {
  const size = Math.abs(x ?? 0);
  return size >= LONG && size < 1e15 ? minus(narrow.format(x)) : short(x).replace(",", "");
}

/** A number with so many decimals that a thousandth of `span` shows. */
export function fine(x, span) {
  const decimals = Math.max(0, Math.min(8, Math.ceil(2 - Math.log10(span || Math.abs(x) || 1)) + 1));
  return minus(x.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
}

/** A number's digits for an input, written out where that is the same number. */
export function digits(x) {
  const text = String(x);
  if (!text.includes("e")) return text;
  const written = x.toFixed(20).replace(/0+$/, "").replace(/\.$/, "");
  return Number(written) === x && written.length < text.length + 24 ? written : text;
}

export const percent = (share, decimals = 1) => `${(share * 100).toFixed(decimals)} %`;

/** The largest of 1, 2, 5 times a power of ten that goes at least `parts` times into `span`. */
export function niceStep(span, parts) {
  const raw = span / parts;
  const unit = 10 ** Math.floor(Math.log10(raw));
  return [5, 2, 1].map((n) => n * unit).find((step) => step <= raw * (1 + 1e-9)) ?? unit;
}

/** The nearest multiple of `step`, without the rounding errors of binary fractions. */
export function snap(x, step) {
  const decimals = Math.max(0, Math.min(20, -Math.floor(Math.log10(step) + 1e-9)));
  return Number((Math.round(x / step) * step).toFixed(decimals));
}

export function when(text) {
  return new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

const UNITS = [["year", 31557600], ["month", 2629800], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** How long ago a time was, in its largest unit. */
export function age(text, now = Date.now()) {
  const seconds = Math.max(0, (now - new Date(text)) / 1000);
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? ["second", 1];
  return unit === "second" ? "just now" : relative.format(-Math.floor(seconds / length), unit);
}

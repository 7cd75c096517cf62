// The prediction for the row in the form, and how it changes along one column.

import { curve, levels, place, show } from "./charts.js";
import { $, h, named } from "./dom.js";
import { fine, percent, short } from "./numbers.js";
import { ask, ROOT } from "./server.js";

const STEPS = 31;
const MAX_ROWS = 1000; // in the request that finds the column to begin with
const ANNOUNCE = 600; // ms without a change before a screen reader gets the prediction
let announcing = 0;

/** Predict rows; returns {answers, headers}. */
async function predictRows(card, primary, rows, signal) {
  const { data, headers } = await ask(route(card, primary), { body: rows.length === 1 ? rows[0] : rows, signal });
  return { answers: [data].flat(), headers };
}

const route = (card, primary) =>
  (primary ? "predict" : `v1/models/${encodeURIComponent(card.name)}/predict`) + (card.interval ? "?interval=true" : "");

/** Predict a row and show the answer; returns {value, digest}. The old answer stays until the new one arrives. */
export async function predict(card, primary, row, form, signal) {
  showCommand(card, primary, row);
  let found;
  try {
    found = await predictRows(card, primary, [row], signal);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const others = form.showProblems(error.errors ?? []);
    const fields = error.errors?.length > others.length;
    const text = others.join("; ") || (fields ? "Not answered: see the marked field." : error.message);
    $("answer").classList.add("stale");
    $("request").hidden = fields || others.length > 0; // a refused request is not worth copying
    showWarnings("");
    $("trouble").textContent = text;
    announce(text);
    if (fields || others.length) throw new DOMException("shown already", "AbortError");
    throw error;
  }
  form.showProblems([]);
  $("answer").classList.remove("stale");
  $("request").hidden = false;
  $("trouble").textContent = "";
  const answer = found.answers[0];
  showWarnings(found.headers.get("X-Model-Warning"));
  if (card.task === "classification") showClasses(card, answer);
  else showValue(card, answer);
  return { value: answer[card.prediction], answer, digest: found.headers.get("X-Model-Version") };
}

function showWarnings(header) {
  $("warnings").replaceChildren(...(header ? header.split("; ").map((text) => h("li", {}, text)) : []));
}

function showValue(card, answer) {
  const span = card.target_range[1] - card.target_range[0];
  const found = answer[card.prediction];
  const { interval } = answer;
  const text = fine(found, span);
  $("number").textContent = text;
  $("number").value = found;
  const between = interval ? `${fine(interval.low, span)} to ${fine(interval.high, span)}` : "";
  const coverage = interval ? `${short(interval.coverage * 100)} %` : "";
  $("interval").textContent = between && `${between}, ${coverage} interval`;
  const [lowest, highest] = card.target_range.map((bound) => short(bound));
  const label = `${text}${between && `, interval ${between}`}; training saw ${lowest} to ${highest}`;
  show($("scale"), (width) => place(width, { value: found, interval, range: card.target_range, label }));
  $("bars").replaceChildren();
  announce(`Predicted ${card.target} ${text}${between && `, ${coverage} interval ${between}`}`);
}

function showClasses(card, answer) {
  const likeliest = named(answer[card.prediction]);
  const shares = answer.probabilities;
  $("number").textContent = likeliest;
  $("number").value = likeliest;
  $("interval").textContent = "";
  show($("scale"), null);
  showBars(card.classes.map(named).map((name) => [name, shares[name]]), likeliest);
  announce(`Predicted ${card.target} ${likeliest}, share ${percent(shares[likeliest])}`);
}

function showBars(rows, likeliest) {
  $("bars").replaceChildren(h("ul", { class: "bars" }, ...rows.map(([name, share]) => {
    const bar = h("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", share);
    return h("li", { class: name === likeliest ? "chosen" : "" },
      h("span", { class: "class" }, name), bar, h("span", { class: "share" }, percent(share)));
  })));
}

function announce(text) {
  clearTimeout(announcing);
  announcing = setTimeout(() => { $("live").textContent = text; }, ANNOUNCE);
}
/** Show the same request as a command for a shell. */
function showCommand(card, primary, row) {
  const body = JSON.stringify(row);
  const quoted = body.replaceAll("'", "'\\''");
  $("curl").textContent = `curl -s '${new URL(route(card, primary), ROOT)}' -H 'Content-Type: application/json' -d '${quoted}'`;
}

/** The line of predictions along the column changed last; at first, along the one that moves them most. */
export class WhatIf {
  constructor(card, primary) {
    this.card = card;
    this.primary = primary;
    this.column = null;
  }

  async draw(row, now, signal) {
    const on = $("whatif-on").checked;
    if (on && !this.column) {
      const found = await this.strongest(row, now, signal);
      this.column ??= found; // a field may have changed meanwhile
    }
    $("whatif-title").textContent = on ? this.title(now) : "What if";
    if (!on) {
      show($("whatif-chart"), null);
      return;
    }
    const { column } = this;
    const { name } = column;
    const values = along(column, row[name]);
    const rows = values.map((value) => ({ ...row, [name]: value }));
    const found = rows.length ? (await predictRows(this.card, this.primary, rows, signal)).answers : [];
    if (this.column !== column) return; // another field was touched meanwhile, and will be drawn
    if (rows.length < 2) show($("whatif-chart"), null);
    else if (this.column.widget === "number") this.line(values, found, row[name], now);
    else this.choices(values, found, row[name], now);
  }

  /** The column whose extremes change the prediction most, all else as in `row`; costs one request. */
  async strongest(row, now, signal) {
    const { columns } = this.card;
    const tried = columns.flatMap((column) => extremes(column).map((value) => ({ column, row: { ...row, [column.name]: value } })));
    if (tried.length < 2 || tried.length > MAX_ROWS) return columns[0];
    const rows = tried.map((each) => each.row);
    const { answers } = await predictRows(this.card, this.primary, rows, signal);
    const found = answers.map((each) => this.of(each, now));
    const spread = (column) => {
      const seen = found.filter((_, i) => tried[i].column === column);
      return seen.length ? Math.max(...seen) - Math.min(...seen) : -1;
    };
    return columns.map((column) => [spread(column), column]).reduce((best, each) => (each[0] > best[0] ? each : best))[1];
  }

  title(now) {
    const what = this.card.task === "classification" ? `share of ${named(now)}` : this.card.target;
    return `${what} along ${this.column.name}`;
  }

  of(answer, now) {
    return this.card.task === "classification" ? answer.probabilities[named(now)] : answer[this.card.prediction];
  }

  domain(numbers) {
    if (this.card.task === "classification") return [0, 1];
    const least = (this.card.target_range[1] - this.card.target_range[0]) * 0.2; // so that a flat line looks flat
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
    const pad = Math.max(0, least - (high - low)) / 2 + (high - low) * 0.06;
    return [low - pad, high + pad];
  }

  line(values, found, at, now) {
    const points = values.map((x, i) => ({ x, y: this.of(found[i], now), ...bounds(found[i].interval) }));
    const domain = this.domain(points.flatMap((p) => (p.low === undefined ? [p.y] : [p.y, p.low, p.high])));
    const [first, last] = [points[0], points.at(-1)];
    const label = `${this.title(now)}: from ${short(first.y)} at ${short(first.x)} to ${short(last.y)} at ${short(last.x)}, `
      + `between ${short(Math.min(...points.map((p) => p.y)))} and ${short(Math.max(...points.map((p) => p.y)))}`;
    const here = points.find((p) => p.x === at) ?? null;
    show($("whatif-chart"), (width) => curve(width, { points, at: here, domain, label }));
  }

  choices(values, found, at, now) {
    const points = values.map((x, i) => ({ name: word(x), y: this.of(found[i], now), chosen: x === at }));
    const label = `${this.title(now)}: ${points.map((p) => `${p.name} ${short(p.y)}`).join(", ")}`;
    show($("whatif-chart"), (width) => levels(width, { points, domain: this.domain(points.map((p) => p.y)), label }));
  }
}

const bounds = (interval) => (interval ? { low: interval.low, high: interval.high } : {});
const WORDS = new Map([[null, "missing"], [true, "yes"], [false, "no"]]);
const word = (x) => WORDS.get(x) ?? x;
function extremes(column) {
  if (column.widget !== "number") return along(column, null).filter((value) => value !== null);
  const { minimum: low, maximum: high } = column;
  return low === null || high === null || low === high ? [] : [low, high];
}

function along(column, now) {
  const missing = (column.nullable || column.on_unknown === "missing") && column.widget !== "number" ? [null] : [];
  if (column.widget === "switch") return [true, false, ...missing];
  if (column.widget === "select" || column.widget === "combo") return [...column.categories.slice(0, 24), ...missing];
  if (column.widget !== "number") return []; // no grid of dates or of texts
  const { minimum: low, maximum: high } = column;
  if (low === null || high === null || low === high) return [];
  const grid = Array.from({ length: STEPS - 1 }, (_, i) => low + ((high - low) * i) / (STEPS - 1));
  const inside = now !== null && now > low && now < high ? [now] : []; // so that the dot lies on the line
  return [...new Set([...grid, high, ...inside])].sort((a, b) => a - b);
}

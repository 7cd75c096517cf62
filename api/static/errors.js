// How far off the model is, by rows that it had not seen, and which columns that depends on.

import { scatter, show } from "./charts.js";
import { $, h, named, showPairs } from "./dom.js";
import { percent, short } from "./numbers.js";

const SHOWN = 12; // importances in front

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
const shareRight = (rows) => (rows.length ? percent(rows.filter(([p, o]) => p === o).length / rows.length) : "–");
const count = (n) => n.toLocaleString("en-US");

/** Which rows the package's residuals are of: a sample is called one. */
function sampleText(card) {
  const shown = card.residuals.length;
  if (shown >= card.training_rows) return `all ${count(shown)} training rows`;
  return `${count(shown)} of ${count(card.training_rows)} training rows, chosen by hash`;
}

export function showErrors(card) {
  showPairs($("scores"), card.usual_scores.map((each) => [each.name, short(each.value)]));
  const found = [...outOfBag(card), ...sampled(card)];
  const { folds, score } = card.cross_validation;
  found.push([`${card.metric_name} in the search, mean of ${folds.length} folds`, short(score)]);
  const [name, values] = card.metric === "mse" ? ["RMSE", folds.map(Math.sqrt)] : [card.metric_name, folds];
  found.push([`${name} of each fold`, values.map((fold) => short(fold, 3)).join("   "), "wide"]);
  if (card.interval) {
    found.push([`${short(card.interval.coverage * 100)} % interval`, `± ${short(card.interval.half_width, 3)}`],
      ["covered in cross-validation", `${short(card.interval.measured * 100, 3)} % of rows`]);
  }
  showPairs($("figures"), found);
  showImportances(card);
}

function outOfBag(card) {
  if (card.out_of_bag === null) return [];
  const rooted = card.metric === "mse";
  return [[`out-of-bag ${rooted ? "RMSE" : card.metric_name}`, short(rooted ? Math.sqrt(card.out_of_bag) : card.out_of_bag)]];
}

/** Figures of the rows that the chart next to them shows. */
function sampled(card) {
  const points = card.residuals;
  if (!points?.length) return [];
  if (card.task === "regression") {
    const off = points.map(([predicted, observed]) => Math.abs(observed - predicted)).sort((a, b) => a - b);
    return [["half of the rows shown are off by less than", short(quantile(off, 0.5), 3)],
      ["nine in ten by less than", short(quantile(off, 0.9), 3)]];
  }
  const sure = points.filter(([, , share]) => share >= 0.9);
  return [["right, of the rows shown", shareRight(points)],
    [`right where the predicted class has a probability of 90 % or more (${count(sure.length)} of ${count(points.length)} rows)`, shareRight(sure)]];
}

/** Draw the out-of-fold predictions; `at` is the prediction for the form's row. */
export function showResiduals(card, at) {
  const place = $("residuals");
  const points = card.residuals;
  $("sample").hidden = !points?.length;
  if (!points?.length) {
    show(place, null);
    return;
  }
  const text = sampleText(card);
  $("sample-text").textContent = `${text[0].toUpperCase()}${text.slice(1)}, each predicted by a model that had not seen it.`;
  if (card.task === "classification") {
    show(place, null);
    place.replaceChildren(confusionTable(card));
    return;
  }
  const names = [`predicted ${card.target}, out of fold`, `observed ${card.target}`];
  const label = `Predicted against observed ${card.target} for ${sampleText(card)},`
    + " each left out when it was predicted; the closer to the diagonal, the better.";
  show(place, (width) => scatter(width, { points, names, at, label, reach: card.interval?.half_width ?? 0 }));
}

/** Rows by predicted and observed class, both as indices. */
function confusionTable(card) {
  const counts = card.classes.map(() => card.classes.map(() => 0));
  for (const [predicted, observed] of card.residuals) counts[observed][predicted] += 1;
  const head = h("tr", {}, h("th", { scope: "col" }, "observed ↓ predicted →"),
    ...card.classes.map((name) => h("th", { scope: "col" }, named(name))));
  const body = card.classes.map((name, i) => {
    const total = counts[i].reduce((a, b) => a + b, 0);
    const cells = counts[i].map((n, k) => {
      const share = total ? ` ${Math.round((100 * n) / total)} %` : "";
      return h("td", { class: i === k ? "right" : "" }, `${n}`, h("span", { class: "muted small" }, share));
    });
    return h("tr", {}, h("th", { scope: "row" }, named(name)), ...cells);
  });
  const caption = "Rows by observed class, and by the class predicted when they were left out";
  return h("table", { class: "confusion" }, h("caption", {}, caption),
    h("thead", {}, head), h("tbody", {}, ...body));
}

/** Each column's importance as a bar with its interval, the most important first. */
function showImportances(card) {
  const found = card.importances;
  $("importances").hidden = found.length === 0;
  if (!found.length) return;
  const { score } = card.cross_validation;
  const relative = !card.higher_is_better && score > 0;
  const text = relative ? (x) => `${x < 0 ? "−" : "+"}${short(Math.abs(100 * x) / score, 3)} %` : (x) => short(x, 3);
  const what = relative ? `How much ${card.metric_name} grows` : `How much ${card.metric_name} is lost`;
  $("importances-text").textContent = `${what} when a column's values are shuffled among rows that were left out; the line is the 90 % interval.`;
  const [low, high] = [Math.min(0, ...found.map((each) => each.low)), Math.max(...found.map((each) => each.high), 0)];
  const at = (x) => `${(100 * (x - low)) / (high - low || 1)}%`;
  const rows = found.map((each) => {
    const bar = h("span", { class: "weight", "aria-hidden": "true" });
    for (const [name, value] of [["from", at(Math.min(0, each.mean))], ["to", at(Math.max(0, each.mean))], ["low", at(each.low)], ["high", at(each.high)]]) {
      bar.style.setProperty(`--${name}`, value);
    }
    return h("li", { title: `${text(each.low)} to ${text(each.high)}` }, h("span", { class: "column" }, each.column), bar, h("span", { class: "share" }, text(each.mean)));
  });
  $("weights").replaceChildren(...rows.slice(0, SHOWN));
  $("more-weights").replaceChildren(...rows.slice(SHOWN));
  $("rest-of-weights").hidden = rows.length <= SHOWN;
  $("rest-of-weights").querySelector("summary").textContent = `${rows.length - SHOWN} more columns`;
}

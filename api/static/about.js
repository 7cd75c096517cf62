// What is known of the model: the size of its errors, how it came into production, its card.

import { show, scatter } from "./charts.js";
import { $, h, named, short, when } from "./dom.js";

const showPairs = (place, entries) => place.replaceChildren(...entries
  .filter(([, value]) => value !== "" && value !== null)
  .map(([name, value, look]) => h("div", look ? { class: look } : {}, h("dt", {}, name), h("dd", {}, String(value)))));

function parameterText(value) {
  if (value === null) return "none";
  const isFraction = typeof value === "number" && !Number.isInteger(value);
  return isFraction ? short(value, 5) : String(value);
}

export function showCard(card) {
  showVerdict(card);
  $("history").replaceChildren(...(card.history ?? []).toReversed().map((past) => historyEntry(past, card)));
  showPairs($("facts"), cardFacts(card));
  showPairs($("parameters"), Object.entries(card.parameters).map(([name, value]) => [name, parameterText(value)]));
  $("text").textContent = card.text;
  showFigures(card);
}

function cardFacts(card) {
  const { experiment, trial, git_commit: commit } = card.provenance;
  return [
    ["Task", `${card.task} of ${card.target}`],
    ["Data set", `${card.name}, ${card.training_rows.toLocaleString("en-US")} rows for training`],
    ["Algorithm", card.algorithm.replace("_", " ")],
    ["Seed", card.seed],
    ["Experiment", experiment, "code"],
    ["Trial", trial, "code"],
    ["Commit", commit, "code"],
    ["Package", card.model_version, "code"],
    ["Data fingerprint", card.fingerprint, "code"],
    ["Versions", Object.entries(card.versions).map(([name, version]) => `${name} ${version}`).join(", ")],
    ["Size", `${short(card.size / 1024)} KiB`],
    ["Loaded here", when(card.loaded_at)],
  ];
}

function showVerdict(card) {
  const past = card.history?.find((each) => each.number === card.promotion);
  if (!past) {
    $("verdict").replaceChildren(h("p", { class: "muted" }, card.history
      ? "The history does not know this promotion yet."
      : "The store holds no history of promotions; the next promotion, or tunegate repair, writes it."));
    return;
  }
  const name = past.metric || card.metric;
  const over = past.champion_score === null ? "" : ` against ${short(past.champion_score)} of promotion ${past.previous}`;
  const score = past.score === null ? null : h("p", {}, `${name} ${short(past.score)} ${scoreSource(past, card)}${over}.`);
  $("verdict").replaceChildren(...[
    h("p", { class: "lead" }, past.reasons.join("; ") || "No reason was recorded."), score,
  ].filter(Boolean));
}

/** Where a score is from: a gate that does not score the recipes itself records the search's score. */
const scoreSource = (past, card) => (past.score === card.cross_validation.score ? "in the search" : "in the gate, on fresh folds");

const KINDS = { first: "first model", promotion: null, rollback: "rollback" };

function historyEntry(past, card) {
  const here = past.number === card.promotion;
  let [state, look] = past.state === "live" ? ["was live", ""] : [past.state, "off"];
  if (here) [state, look] = ["in production", "here"];
  return h("li", { class: look, "aria-current": here ? "true" : false },
    h("div", { class: "line" },
      h("strong", {}, `Promotion ${past.number}`),
      h("span", { class: "state" }, state),
      KINDS[past.kind] && h("span", { class: "muted" }, KINDS[past.kind]),
      h("time", { datetime: past.decided_at, class: "muted" }, when(past.decided_at)),
    ),
    here ? null : h("p", {}, past.reasons.join("; ")),
    h("p", { class: "muted small" }, [
      past.score === null ? "" : `${past.metric} ${short(past.score)}`, past.trial && `trial ${past.trial}`,
      `package ${past.sha256.slice(0, 12)}`, past.note,
    ].filter(Boolean).join(" · ")));
}

const shareRight = (rows) => (rows.length ? `${short((100 * rows.filter(([p, o]) => p === o).length) / rows.length, 3)} %` : "–");
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];

function showFigures(card) {
  const cv = card.cross_validation;
  const found = [[`${cv.metric} in the search, mean of ${cv.folds.length} folds`, short(cv.score)],
    ["each fold of the search", cv.folds.map((fold) => short(fold, 3)).join("   "), "wide"]];
  const points = card.residuals;
  if (points && card.task === "regression") {
    const off = points.map(([predicted, observed]) => Math.abs(observed - predicted)).sort((a, b) => a - b);
    found.push(["half of the rows are off by less than", short(quantile(off, 0.5), 3)],
      ["nine in ten by less than", short(quantile(off, 0.9), 3)]);
  }
  if (points && card.task === "classification") {
    const sure = points.filter(([, , share]) => share >= 0.9);
    const those = `${sure.length} of ${points.length} rows`;
    found.push(["right, out of fold", shareRight(points)],
      [`right where the predicted class has a share of 90 % or more (${those})`, shareRight(sure)]);
  }
  if (card.interval) {
    found.push([`${short(card.interval.coverage * 100)} % interval`, `± ${short(card.interval.half_width, 3)}`],
      ["covered in cross-validation", `${short(card.interval.measured * 100, 3)} % of rows`]);
  }
  showPairs($("figures"), found);
}

/** Draw the out-of-fold predictions; `at` is the prediction for the form's row. */
export function showResiduals(card, at) {
  const place = $("residuals");
  const points = card.residuals;
  place.hidden = !points?.length;
  if (place.hidden) {
    show(place, null);
    return;
  }
  if (card.task === "classification") {
    show(place, null);
    place.replaceChildren(confusionTable(card));
    return;
  }
  const names = [`predicted ${card.target}, out of fold`, `observed ${card.target}`];
  const label = `Predicted against observed ${card.target} for ${points.length} training rows,`
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
  const caption = "Training rows by observed class, and by the class predicted when they were left out";
  return h("table", { class: "confusion" }, h("caption", {}, caption),
    h("thead", {}, head), h("tbody", {}, ...body));
}

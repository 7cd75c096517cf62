// What is known of the model: figures of its errors, how it came into production, its card.

import { show, scatter } from "./charts.js";
import { $, h, named, short, when } from "./dom.js";

const pairs = (place, entries) => place.replaceChildren(...entries
  .filter(([, value]) => value !== "" && value !== null)
  .map(([name, value, look]) => h("div", look ? { class: look } : {}, h("dt", {}, name), h("dd", {}, String(value)))));

const chosen = (value) => (value === null ? "none" : typeof value === "number" && !Number.isInteger(value) ? short(value, 5) : String(value));

export function about(card) {
  verdict(card);
  $("history").replaceChildren(...(card.history ?? []).toReversed().map((past) => entry(past, card)));
  pairs($("facts"), facts(card));
  pairs($("parameters"), Object.entries(card.parameters).map(([name, value]) => [name, chosen(value)]));
  $("text").textContent = card.text;
  figures(card);
}

function facts(card) {
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

function verdict(card) {
  const past = card.history?.find((each) => each.number === card.promotion);
  if (!past) {
    $("verdict").replaceChildren(h("p", { class: "muted" }, card.history
      ? "The history does not know this promotion yet."
      : "The store holds no history of promotions; the next promotion, or tunegate repair, writes it."));
    return;
  }
  const name = past.metric || card.metric;
  const over = past.champion_score === null ? "" : ` against ${short(past.champion_score)} of promotion ${past.previous}`;
  const score = past.score === null ? null : h("p", {}, `${name} ${short(past.score)} ${scored(past, card)}${over}.`);
  $("verdict").replaceChildren(...[
    h("p", { class: "lead" }, past.reasons.join("; ") || "No reason was recorded."), score,
  ].filter(Boolean));
}

/** Where a score is from: a gate that does not score recipes anew notes the search's. */
const scored = (past, card) => (past.score === card.cross_validation.score ? "in the search" : "in the gate, on fresh folds");

const KINDS = { first: "first model", promotion: null, rollback: "rollback" };

function entry(past, card) {
  const here = past.number === card.promotion;
  const state = here ? "in production" : past.state === "live" ? "was live" : past.state;
  return h("li", { class: here ? "here" : past.state === "live" ? "" : "off", "aria-current": here ? "true" : false },
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

const right = (rows) => (rows.length ? `${short((100 * rows.filter(([p, o]) => p === o).length) / rows.length, 3)} %` : "–");
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];

function figures(card) {
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
    found.push(["right when left out", right(points)], [`right where its share is 90 % or more (${sure.length} of ${points.length} rows)`, right(sure)]);
  }
  if (card.interval) {
    found.push([`${short(card.interval.coverage * 100)} % interval`, `± ${short(card.interval.half_width, 3)}`],
      ["it held, in cross-validation", `${short(card.interval.measured * 100, 3)} % of rows`]);
  }
  pairs($("figures"), found);
}

/** Draw the out-of-fold predictions; `at` is the prediction of the moment. */
export function residuals(card, at) {
  const place = $("residuals");
  const points = card.residuals;
  place.hidden = !points?.length;
  if (place.hidden) {
    show(place, null);
    return;
  }
  if (card.task === "classification") {
    show(place, null);
    place.replaceChildren(confusion(card));
    return;
  }
  const names = [`predicted ${card.target}, out of fold`, `observed ${card.target}`];
  const label = `Predicted against observed ${card.target} for ${points.length} training rows, each left out when it was predicted; the closer to the diagonal, the better.`;
  show(place, (width) => scatter(width, { points, names, at, label, reach: card.interval?.half_width ?? 0 }));
}

/** Rows by predicted and observed class, both as indices. */
function confusion(card) {
  const counts = card.classes.map(() => card.classes.map(() => 0));
  for (const [predicted, observed] of card.residuals) counts[observed][predicted] += 1;
  const head = h("tr", {}, h("th", { scope: "col" }, "observed ↓ predicted →"), ...card.classes.map((name) => h("th", { scope: "col" }, named(name))));
  const body = card.classes.map((name, i) => {
    const total = counts[i].reduce((a, b) => a + b, 0);
    return h("tr", {}, h("th", { scope: "row" }, named(name)),
      ...counts[i].map((n, k) => h("td", { class: i === k ? "right" : "" }, `${n}`, h("span", { class: "muted small" }, total ? ` ${Math.round((100 * n) / total)} %` : ""))));
  });
  return h("table", { class: "confusion" }, h("caption", {}, "Training rows by observed class, and by the class predicted when they were left out"),
    h("thead", {}, head), h("tbody", {}, ...body));
}

// What is known of the model: how it came into production, and its card.

import { $, h, showPairs } from "./dom.js";
import { short, when } from "./numbers.js";

function parameterPair([name, value]) {
  if (value === null) return [name, "none"];
  const isFraction = typeof value === "number" && !Number.isInteger(value);
  return isFraction ? [name, short(value), "", String(value)] : [name, String(value)];
}

export function showCard(card) {
  showVerdict(card);
  $("history").replaceChildren(...(card.history ?? []).toReversed().map((past) => historyEntry(past, card)));
  showPairs($("facts"), cardFacts(card));
  showPairs($("parameters"), Object.entries(card.parameters).map(parameterPair));
  $("text").textContent = card.text;
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

/** What people call a metric of the history, which may be another than today's. */
const metricName = (metric, card) => (!metric || metric === card.metric ? card.metric_name : metric.replaceAll("_", " "));

function showVerdict(card) {
  const past = card.history?.find((each) => each.number === card.promotion);
  if (!past) {
    $("verdict").replaceChildren(h("p", { class: "muted" }, card.history
      ? "The history does not know this promotion yet."
      : "The store holds no history of promotions; the next promotion, or tunegate repair, writes it."));
    return;
  }
  const name = metricName(past.metric, card);
  const over = past.champion_score === null ? "" : ` against ${scoreText(past.champion_score, past, card)} of promotion ${past.previous}`;
  const score = past.score === null ? null : h("p", {}, `${name} ${scoreText(past.score, past, card)} ${scoreSource(past, card)}${over}.`);
  $("verdict").replaceChildren(...[
    h("p", { class: "lead" }, past.reasons.join("; ") || "No reason was recorded."), score,
  ].filter(Boolean));
}

/** Where a score is from: a gate that does not score the recipes itself records the search's score. */
const scoreSource = (past, card) => (past.score === card.cross_validation.score ? "in the search" : "in the gate, on fresh folds");

/** A score, and of a mean squared error its root, in the target's unit, which is what people read. */
function scoreText(score, past, card) {
  if ((past.metric || card.metric) !== "mse") return short(score);
  return `${short(score)} (RMSE ${short(Math.sqrt(score))})`;
}

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
      past.score === null ? "" : `${metricName(past.metric, card)} ${scoreText(past.score, past, card)}`, past.trial && `trial ${past.trial}`,
      `package ${past.sha256.slice(0, 12)}`, past.note,
    ].filter(Boolean).join(" · ")));
}

// All models of the store: each with its version, its age, its score and its promotions.

import { $, h } from "./dom.js";
import { age, short, when } from "./numbers.js";
import { pageOf } from "./server.js";

let shown = "";

/** Show the models; what is shown already is not drawn again, so that the focus stays. */
export function showList(models) {
  const text = JSON.stringify(models);
  if (text === shown) return;
  shown = text;
  $("models-list").replaceChildren(...models.map(entry));
}

function entry(model) {
  const name = model.state === "not served" ? model.name : h("a", { href: pageOf(model.name) }, model.name);
  const does = model.target ? `${model.task} of ${model.target}${model.primary ? ", answers at /predict" : ""}` : "";
  return h("li", { class: `model ${model.state.replace(" ", "-")}` },
    h("h2", {}, name),
    does && h("p", { class: "muted small" }, does),
    model.reason && h("p", { class: model.state === "unavailable" ? "warning small" : "muted small" }, model.reason),
    h("dl", { class: "figures" }, ...figures(model)),
    model.history.length ? promotions(model) : null);
}

function figures(model) {
  const found = [];
  if (model.score) found.push([model.score.name, short(model.score.value)]);
  if (model.promotion) {
    found.push(["Promotion", h("span", {}, `${model.promotion}`, h("code", { title: model.model_version }, ` ${model.model_version.slice(0, 12)}`))]);
  }
  if (model.decided_at) {
    found.push(["Promoted", h("time", { datetime: model.decided_at, title: when(model.decided_at) }, age(model.decided_at))]);
  }
  return found.map(([title, value]) => h("div", {}, h("dt", {}, title), h("dd", {}, value)));
}

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function promotions(model) {
  const reverted = model.history.filter((past) => past.state === "reverted").length;
  const rollbacks = model.history.filter((past) => past.kind === "rollback").length;
  const text = [plural(model.history.length, "promotion"), reverted && `${reverted} reverted`,
    rollbacks && plural(rollbacks, "rollback")].filter(Boolean).join(", ");
  const dots = model.history.slice(-24).map((past) => {
    const look = past.number === model.promotion ? "here" : past.state.replace(" ", "-");
    const score = past.score ? `, ${past.score.name} ${short(past.score.value)}` : "";
    return h("span", { class: `dot ${look}`, title: `promotion ${past.number}: ${past.state}${score}, ${when(past.decided_at)}` });
  });
  return h("p", { class: "past small muted" }, h("span", { class: "dots", "aria-hidden": "true" }, ...dots), text);
}

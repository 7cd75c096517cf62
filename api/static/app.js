// The page: one model at a time, its form, its answer, and what is known of it.

import { showCard, showResiduals } from "./about.js";
import { predict, WhatIf } from "./answer.js";
import { Form } from "./form.js";
import { $, h } from "./dom.js";
import { ask, Refused, setKey } from "./server.js";

const POLL = 5000; // ms between two looks whether another version is live
const PAUSE = 120; // ms without a change before the server is asked
const page = { card: null, form: null, primary: "", whatif: null, timer: 0, request: null, noticed: "", lost: false };

async function start() {
  try {
    const { data } = await ask("v1/models");
    const { data: version } = await ask("version");
    page.primary = version.model;
    if (data.models.length === 0) {
      const detail = version.refused ?? version.removed ?? "nothing has been promoted yet";
      throw new Refused(503, { title: "No model is loaded", detail });
    }
    const wanted = new URLSearchParams(location.search).get("model");
    const name = [wanted, page.primary].find((each) => data.models.includes(each)) ?? data.models[0];
    showSwitcher(data.models, name);
    await open(name);
  } catch (error) {
    showRefusal(error);
  }
}

function showRefusal(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) {
    $("key").hidden = false;
    $("main").hidden = true;
    $("key-problem").textContent = $("secret").value ? "The server refused this key." : "";
    $("secret").focus();
    return;
  }
  showNews(`${error.message}. Trying again.`);
  setTimeout(start, POLL / 2);
}

function showSwitcher(models, name) {
  $("switcher").hidden = models.length < 2;
  $("models").replaceChildren(...models.map((each) => h("option", { value: each }, each)));
  $("models").value = name;
}

/** Load a model's card and build the page from it; values entered stay where the columns agree. */
async function open(name) {
  const { data: card } = await ask(`v1/models/${encodeURIComponent(name)}/card`);
  const entered = page.card?.name === card.name ? page.form.row() : null;
  page.card = card;
  page.noticed = card.model_version;
  $("key").hidden = true;
  $("main").hidden = false;
  showNews("");
  document.title = `${card.name} · tunegate`;
  $("name").textContent = card.name;
  $("identity").textContent = `promotion ${card.promotion} · package ${card.model_version.slice(0, 12)}`;
  $("answer-title").textContent = `Predicted ${card.target}`;
  card.columns.forEach((column, i) => { column.widget = card.widgets[i]; });
  page.form = new Form($("fields"), card.columns, rowChanged);
  if (entered) restore(entered);
  page.whatif = new WhatIf(card, page.primary === card.name);
  showCard(card);
  showResiduals(card, null);
  await refresh();
}

/** Restore the values that the new model accepts too. */
function restore(entered) {
  for (const field of page.form.fields) {
    const { column } = field;
    const value = entered[column.name];
    const fits = value === null ? column.nullable : { number: typeof value === "number", switch: typeof value === "boolean",
      select: column.categories.includes(value) }[column.widget];
    if (value !== undefined && fits) field.set(value);
  }
}

function rowChanged(column) {
  page.whatif.column = column;
  clearTimeout(page.timer);
  page.timer = setTimeout(refresh, PAUSE);
}

async function refresh() {
  page.request?.abort();
  const request = new AbortController();
  page.request = request;
  const { card, form } = page;
  const row = form.row();
  try {
    const { value, digest } = await predict(card, page.primary === card.name, row, form, request.signal);
    if (card.task === "regression") showResiduals(card, value);
    if (digest && digest !== page.noticed) pollVersion();
    await page.whatif.draw(row, value, request.signal);
  } catch (error) {
    if (error.name !== "AbortError") showFailure(error);
  }
}

function showFailure(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) showRefusal(error);
  page.lost = true;
  $("trouble").textContent = error.message;
}

function showNews(text, ...more) {
  $("news").replaceChildren(...(text ? [h("span", {}, text), ...more] : []));
}

/** Tell the visitor if another version is live than the one that the page shows. */
async function pollVersion() {
  if (!page.card || document.hidden) return;
  try {
    const name = page.card.name;
    const { headers } = await ask(`v1/models/${encodeURIComponent(name)}`);
    if (page.lost) {
      page.lost = false;
      refresh();
    }
    const digest = headers.get("X-Model-Version");
    if (name !== page.card.name || digest === page.noticed) return;
    const { data: version } = await ask("version");
    page.noticed = digest;
    const which = version.model === name && version.promotion ? `Promotion ${version.promotion}` : "Another version";
    const button = h("button", { type: "button" }, "Show it");
    button.addEventListener("click", () => open(name).then(() => $("form").focus({ preventScroll: true })).catch(showRefusal));
    showNews(`${which} of ${name} is live (package ${digest.slice(0, 12)}). `, button);
  } catch (error) {
    if (!(error instanceof Refused)) throw error; // the next look may find the server again
  }
}

$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  setKey($("secret").value);
  start();
});
$("form").addEventListener("submit", (event) => event.preventDefault());
$("reset").addEventListener("click", () => { page.form.reset(); refresh(); });
$("models").addEventListener("change", () => open($("models").value).catch(showRefusal));
$("whatif-on").addEventListener("change", () => refresh());
$("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText($("curl").textContent);
  $("copy").textContent = "Copied";
  setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
});
document.addEventListener("visibilitychange", pollVersion);
setInterval(pollVersion, POLL);
start();

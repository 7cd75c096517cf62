// The pages: the list of all models, and one model's form, its answer, and what is known of it.

import { showCard } from "./about.js";
import { predict, WhatIf } from "./answer.js";
import { $, h } from "./dom.js";
import { showErrors, showResiduals } from "./errors.js";
import { Form } from "./form.js";
import { showList } from "./list.js";
import { ask, pageOf, Refused, ROOT, setKey } from "./server.js";

const POLL = 5000; // ms between two looks whether another version is live
const PAUSE = 120; // ms without a change before the server is asked
const page = { models: [], card: null, form: null, primary: "", whatif: null, timer: 0, request: null, noticed: "", lost: false };

/** What the address names: {list} for all models, {name} for one, {} for what the server has. */
function wantedPage() {
  const path = location.pathname.slice(ROOT.pathname.length);
  if (path === "models") return { list: true };
  if (path.startsWith("models/")) return { name: decodeURIComponent(path.slice("models/".length)) };
  return { hint: new URLSearchParams(location.search).get("model") };
}

async function start() {
  try {
    await loadModels();
    const { list, name, hint } = wantedPage();
    const hinted = page.models.find((model) => model.name === hint && isServed(model))?.name;
    if (list || (!name && !hinted && page.models.length > 1)) openList();
    else await open(name ?? hinted ?? page.primary);
  } catch (error) {
    showRefusal(error);
  }
}

function isServed(model) {
  return model.state !== "not served";
}

async function loadModels() {
  const { data } = await ask("models.json");
  page.models = data.models;
  page.primary = data.models[0].name;
}

function showRefusal(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) {
    $("key").hidden = false;
    show(null);
    $("key-problem").textContent = $("secret").value ? "The server refused this key." : "";
    $("secret").focus();
    return;
  }
  if (error.status === 404) {
    showNews(`${error.message}.`, h("a", { href: new URL("models", ROOT) }, "All models"));
    return;
  }
  showNews(`${error.message}. Trying again.`);
  setTimeout(start, POLL / 2);
}

/** Show one of the two parts of the document, or none. */
function show(part) {
  $("main").hidden = part !== "main";
  $("list").hidden = part !== "list";
  if (part) $("key").hidden = true;
}

function openList() {
  page.card = null;
  page.request?.abort();
  document.title = "Models · tunegate";
  $("name").textContent = "Models";
  $("identity").textContent = "Each with its version, its score and its promotions";
  $("switcher").hidden = true;
  showNews("");
  showList(page.models);
  show("list");
}

function showSwitcher(name) {
  const served = page.models.filter(isServed);
  $("switcher").hidden = page.models.length < 2;
  $("models").hidden = served.length < 2;
  $("all").href = new URL("models", ROOT);
  $("models").replaceChildren(...served.map((each) => h("option", { value: each.name }, each.name)));
  $("models").value = name;
}

/** Load a model's card and build the page from it; values entered stay where the columns agree. */
async function open(name) {
  const { data: card } = await ask(`v1/models/${encodeURIComponent(name)}/card`);
  const entered = page.card?.name === card.name ? page.form.row() : null;
  page.card = card;
  page.noticed = card.model_version;
  show("main");
  showNews("");
  showSwitcher(card.name);
  document.title = `${card.name} · tunegate`;
  $("name").textContent = card.name;
  $("identity").textContent = `promotion ${card.promotion} · package ${card.model_version.slice(0, 12)}`;
  $("answer-title").textContent = `Predicted ${card.target}`;
  card.columns.forEach((column, i) => { column.widget = card.widgets[i]; });
  page.form = new Form(card, rowChanged);
  if (entered) page.form.restore(entered);
  page.whatif = new WhatIf(card, page.primary === card.name);
  showCard(card);
  showErrors(card);
  showResiduals(card, null);
  await refresh();
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
  if (document.hidden || (!page.card && $("list").hidden)) return;
  try {
    if (page.card) await lookForVersion(page.card.name);
    else await loadModels().then(() => showList(page.models));
  } catch (error) {
    if (!(error instanceof Refused)) throw error; // the next look may find the server again
  }
}

async function lookForVersion(name) {
  const { headers } = await ask(`v1/models/${encodeURIComponent(name)}`);
  if (page.lost) {
    page.lost = false;
    refresh();
  }
  const digest = headers.get("X-Model-Version");
  if (name !== page.card?.name || digest === page.noticed) return;
  await loadModels();
  page.noticed = digest;
  const live = page.models.find((model) => model.name === name && model.model_version === digest);
  const button = h("button", { type: "button" }, "Show it");
  button.addEventListener("click", () => open(name).then(() => $("form").focus({ preventScroll: true })).catch(showRefusal));
  const which = live ? `Promotion ${live.promotion}` : "Another version";
  showNews(`${which} of ${name} is live (package ${digest.slice(0, 12)}). `, button);
}

$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  setKey($("secret").value);
  start();
});
$("form").addEventListener("submit", (event) => event.preventDefault());
$("reset").addEventListener("click", () => { page.form.reset(); refresh(); });
$("filter").addEventListener("input", () => page.form.layout.filter($("filter").value));
$("models").addEventListener("change", () => {
  history.pushState(null, "", pageOf($("models").value));
  open($("models").value).catch(showRefusal);
});
window.addEventListener("popstate", start);
$("whatif-on").addEventListener("change", () => refresh());
$("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText($("curl").textContent);
  $("copy").textContent = "Copied";
  setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
});
document.addEventListener("visibilitychange", pollVersion);
setInterval(pollVersion, POLL);
start();

// Controls for columns of texts: dates and times, free text, and categories with any other text.

import { h } from "./dom.js";

/** A date; its value is an ISO 8601 text. */
export const day = (field) => control(field, h("input", { type: "date", ...named(field) }));

/** A date and a time in UTC, whatever the zone of the browser. */
export const moment = (field) => control(
  field,
  h("input", { type: "datetime-local", step: 1, title: "in UTC", ...named(field) }),
  (value) => `${value}Z`,
  (text) => (text.includes("T") ? text.slice(0, 23).replace("Z", "") : `${text}T00:00`),
);

export const prose = (field) => control(field, h("textarea", { rows: 3, ...named(field) }));

/** One of the known categories, or any other text. */
export function combo(field) {
  const list = `${field.id}-known`;
  const known = h("datalist", { id: list }, ...field.column.categories.map((name) => h("option", { value: name })));
  return { ...control(field, h("input", { type: "text", list, ...named(field) })), below: known };
}

const TEXTS = new Set(["text", "textarea"]); // where nothing entered is a text, too
const named = (field) => ({ id: field.id, autocomplete: "off", placeholder: field.optional ? "missing" : null });

/** `write` makes the column's value of the control's, `read` the control's of the column's. */
function control(field, box, write = (value) => value, read = (text) => text) {
  box.addEventListener("input", () => field.touched());
  return {
    box,
    below: null,
    get: () => (box.value === "" && (field.optional || !TEXTS.has(box.type)) ? null : write(box.value)),
    set: (text) => { box.value = text === null ? "" : read(text); },
  };
}

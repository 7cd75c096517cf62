// The form, made from the manifest's columns. A column's value is a number, a boolean, a text, or null where missing.

import { h } from "./dom.js";
import { Layout } from "./layout.js";
import { compact, digits, niceStep, short, snap } from "./numbers.js";
import { combo, day, moment, prose } from "./text_inputs.js";

export class Form {
  /**
   * @param {object} card the model's
   * @param {(column: object) => void} changed called after each change, with the column
   */
  constructor(card, changed) {
    this.fields = card.columns.map((column, i) => new Field(column, i, () => {
      this.layout.count();
      changed(column);
    }));
    this.layout = new Layout(this.fields, card.importances);
  }

  row() {
    return Object.fromEntries(this.fields.map((field) => [field.column.name, field.value()]));
  }

  reset() {
    for (const field of this.fields) field.set(field.column.typical);
    this.layout.count();
  }

  /** Enter the values of another row that this model takes too. */
  restore(row) {
    for (const field of this.fields) {
      const value = row[field.column.name];
      if (value === undefined || (value === null && !field.optional)) continue;
      field.set(value);
      if (field.value() !== value) field.set(field.column.typical);
    }
    this.layout.count();
  }

  /** Show the problems that the server found in each field; returns those that belong to no field. */
  showProblems(errors) {
    const named = new Map(errors.map((error) => [error.field, error.problem]));
    for (const field of this.fields) {
      const problem = named.get(field.column.name) ?? "";
      field.showProblem(problem);
      if (problem) this.layout.reveal(field);
      named.delete(field.column.name);
    }
    return [...named].map(([name, problem]) => `${name}: ${problem}`);
  }
}

class Field {
  constructor(column, i, touched) {
    this.column = column;
    this.id = `field-${i}`;
    this.optional = column.nullable || column.on_unknown === "missing";
    this.onTouch = touched;
    this.note = h("p", { class: "note", id: `${this.id}-note`, "aria-live": "polite" });
    this.control = WIDGETS[column.widget](this);
    const tag = this.optional ? h("span", { class: "tag", id: `${this.id}-tag` }, "optional") : null;
    this.control.box.setAttribute("aria-describedby", `${tag ? `${this.id}-tag ` : ""}${this.id}-note`);
    const label = h("label", { for: this.id }, column.name);
    this.element = h("div", { class: `field ${column.widget}` },
      h("div", { class: "head" }, h("div", { class: "name" }, label, tag), this.control.box), this.control.below, this.note);
    this.set(column.typical);
    this.typical = this.value(); // as its control writes it
  }

  value() {
    return this.control.get();
  }

  /** Whether the value is another than the typical one. */
  changed() {
    return this.value() !== this.typical;
  }

  set(value) {
    this.control.set(value);
    this.show();
  }

  touched() {
    this.show();
    this.onTouch();
  }

  show() {
    this.element.classList.toggle("gone", this.value() === null);
    this.showProblem("");
  }

  showProblem(found) {
    const empty = this.column.widget === "number" && this.value() === null;
    const problem = found && empty ? "a number is missing here" : found;
    const outside = !problem && this.outside();
    const warning = `outside ${short(this.column.minimum)} to ${short(this.column.maximum)}, never seen in training`;
    const box = this.control.box;
    this.note.textContent = problem || (outside ? warning : "");
    this.note.classList.toggle("problem", Boolean(problem));
    this.note.classList.toggle("warning", outside);
    if (problem) box.setAttribute("aria-invalid", "true");
    else box.removeAttribute("aria-invalid");
  }

  outside() {
    const { widget, minimum, maximum } = this.column;
    const value = this.value();
    return widget === "number" && value !== null && minimum !== null && maximum !== null && (value < minimum || value > maximum);
  }
}

// Each widget returns its `box`, what is `below` it, and how its value is read and set; null empties it.
const WIDGETS = { number, switch: flag, select: category, combo, date: day, datetime: moment, textarea: prose };

function number(field) {
  const { column, id, optional } = field;
  const [low, high] = [column.minimum ?? 0, column.maximum ?? 1];
  const step = high > low ? niceStep(high - low, 100) : 1;
  const placeholder = optional ? "missing" : null;
  const box = h("input", { type: "number", id, step, inputmode: "decimal", autocomplete: "off", placeholder });
  const label = `${column.name}, slider`;
  const slider = h("input", { type: "range", min: low, max: high, step: "any", "aria-label": label, disabled: high <= low });
  const end = (bound) => h("span", { "aria-hidden": "true" }, compact(bound));
  const below = h("div", { class: "track" }, end(low), slider, end(high));
  const follow = (value) => {
    slider.value = value ?? low;
    slider.setAttribute("aria-valuetext", value === null ? "missing" : short(value, 6));
    slider.style.setProperty("--part", high > low && value !== null ? `${((slider.value - low) / (high - low)) * 100}%` : "0%");
  };
  const read = () => (box.value === "" ? null : Number(box.value));
  slider.addEventListener("input", () => {
    const at = Number(slider.value);
    const value = at <= low || at >= high ? at : Math.min(high, Math.max(low, snap(at, step)));
    box.value = digits(value);
    follow(value);
    field.touched();
  });
  box.addEventListener("input", () => {
    if (optional || box.value !== "") follow(read());
    field.touched();
  });
  return { box, below, get: read, set: (value) => { box.value = value === null ? "" : digits(value); follow(value); } };
}

function flag(field) {
  if (field.optional) return choice(field, [[true, "yes"], [false, "no"]]);
  const box = h("input", { type: "checkbox", role: "switch", id: field.id });
  box.addEventListener("change", () => field.touched());
  return { box, below: null, get: () => box.checked, set: (value) => { box.checked = value === true; } };
}

function category(field) {
  return choice(field, field.column.categories.map((name) => [name, name === "" ? "(empty text)" : name]));
}

function choice(field, pairs) {
  const known = field.optional ? [...pairs, [null, "missing"]] : pairs;
  const box = h("select", { id: field.id }, ...known.map(([, text], i) => h("option", { value: i }, text)));
  box.addEventListener("change", () => field.touched());
  return {
    box,
    below: null,
    get: () => known[box.selectedIndex]?.[0] ?? null,
    set: (value) => { box.selectedIndex = known.findIndex(([each]) => each === value); },
  };
}

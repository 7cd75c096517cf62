// The form, made from the manifest's columns. A column's value is a number, a boolean, a text, or null where missing.

import { h, niceStep, short, snap } from "./dom.js";

export class Form {
  /**
   * @param {HTMLElement} place where the fields go
   * @param {Array<object>} columns the manifest's
   * @param {(column: object) => void} changed called after each change, with the column
   */
  constructor(place, columns, changed) {
    this.fields = columns.map((column, i) => new Field(column, i, () => changed(column)));
    place.classList.toggle("few", columns.length < 7);
    place.replaceChildren(...this.fields.map((field) => field.element));
  }

  row() {
    return Object.fromEntries(this.fields.map((field) => [field.column.name, field.value()]));
  }

  reset() {
    for (const field of this.fields) field.set(field.column.typical);
  }

  /** Show the problems that the server found in each field; returns those that belong to no field. */
  showProblems(errors) {
    const named = new Map(errors.map((error) => [error.field, error.problem]));
    for (const field of this.fields) {
      field.showProblem(named.get(field.column.name) ?? "");
      named.delete(field.column.name);
    }
    return [...named].map(([name, problem]) => `${name}: ${problem}`);
  }
}

class Field {
  constructor(column, i, changed) {
    this.column = column;
    this.id = `field-${i}`;
    this.changed = changed;
    this.note = h("p", { class: "note", id: `${this.id}-note`, "aria-live": "polite" });
    this.control = { number, switch: flag, select: choice }[column.widget](this);
    this.missing = column.nullable ? h("input", { type: "checkbox", id: `${this.id}-missing` }) : null;
    this.missing?.addEventListener("change", () => this.touched());
    const label = h("label", { for: this.id, class: "name" }, column.name);
    const missing = this.missing && h("label", { class: "missing" }, this.missing, " missing",
      h("span", { class: "hidden" }, `: ${column.name}`));
    this.element = h("div", { class: `field ${column.widget}` },
      h("div", { class: "head" }, label, missing, this.control.box), this.control.below, this.note);
    this.set(column.typical);
  }

  value() {
    return this.missing?.checked ? null : this.control.get();
  }

  set(value) {
    if (this.missing) this.missing.checked = value === null;
    if (value !== null) this.control.set(value);
    this.show();
  }

  touched() {
    this.show();
    this.changed();
  }

  show() {
    const gone = this.missing?.checked ?? false;
    this.control.disable(gone);
    this.element.classList.toggle("gone", gone);
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

function number(field) {
  const { column, id } = field;
  const [low, high] = [column.minimum ?? 0, column.maximum ?? 1];
  const step = high > low ? niceStep(high - low, 100) : 1;
  const box = h("input", { type: "number", id, step, inputmode: "decimal", autocomplete: "off", "aria-describedby": `${id}-note` });
  const label = `${column.name}, slider`;
  const slider = h("input", { type: "range", min: low, max: high, step: "any", "aria-label": label, disabled: high <= low });
  const end = (bound) => h("span", { "aria-hidden": "true" }, short(bound));
  const below = h("div", { class: "track" }, end(low), slider, end(high));
  const follow = (value) => {
    slider.value = value;
    slider.setAttribute("aria-valuetext", short(value, 6));
    slider.style.setProperty("--part", high > low ? `${((slider.value - low) / (high - low)) * 100}%` : "0%");
  };
  slider.addEventListener("input", () => {
    const at = Number(slider.value);
    const value = at <= low || at >= high ? at : Math.min(high, Math.max(low, snap(at, step)));
    box.value = value;
    follow(value);
    field.touched();
  });
  box.addEventListener("input", () => {
    if (box.value !== "") follow(Number(box.value));
    field.touched();
  });
  return {
    box,
    below,
    get: () => (box.value === "" ? null : Number(box.value)),
    set: (value) => { box.value = value; follow(value); },
    disable: (gone) => { box.disabled = gone; slider.disabled = gone || high <= low; },
  };
}

function flag(field) {
  const box = h("input", { type: "checkbox", role: "switch", id: field.id, "aria-describedby": `${field.id}-note` });
  box.addEventListener("change", () => field.touched());
  return {
    box,
    below: null,
    get: () => box.checked,
    set: (value) => { box.checked = value; },
    disable: (gone) => { box.disabled = gone; },
  };
}

function choice(field) {
  const { categories } = field.column;
  const box = h("select", { id: field.id, "aria-describedby": `${field.id}-note` },
    ...categories.map((name, i) => h("option", { value: i }, name === "" ? "(empty text)" : name)));
  box.addEventListener("change", () => field.touched());
  return {
    box,
    below: null,
    get: () => categories[Number(box.value)] ?? null,
    set: (value) => { box.value = categories.indexOf(value); },
    disable: (gone) => { box.disabled = gone; },
  };
}

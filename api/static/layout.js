// Which fields come first, which are folded away, and the search among them.

import { $, h } from "./dom.js";

const SHOWN = 12; // fields in front
const LEAST_FOLDED = 4; // so many more are worth a fold
const LEAST_GROUP = 3; // fields with a common first word
const WORD = /^(?:\p{Lu}+(?!\p{Ll})|\p{L}\p{Ll}*)/u;

/** Fields by their columns' importance; those without one follow in the file's order. */
export function byImportance(fields, importances) {
  const place = new Map(importances.map((each, i) => [each.column, i]));
  const rank = (field) => place.get(field.column.name) ?? importances.length;
  return fields.toSorted((a, b) => rank(a) - rank(b));
}

/** Groups of fields whose names begin with the same word; the last holds the others. */
export function grouped(fields) {
  const groups = Map.groupBy(fields, (field) => WORD.exec(field.column.name)?.[0].toLowerCase() ?? "");
  const large = [...groups].filter(([word, members]) => word && members.length >= LEAST_GROUP);
  const taken = new Set(large.flatMap(([, members]) => members));
  const others = fields.filter((field) => !taken.has(field));
  const found = large.map(([, members]) => ({ title: `${WORD.exec(members[0].column.name)[0]} …`, members }));
  if (others.length) found.push({ title: found.length ? "Others" : "", members: others });
  return found.length > 1 ? found : [{ title: "", members: fields }];
}

/** Lays out the fields; `importances` are the card's, most important first. */
export class Layout {
  constructor(fields, importances) {
    this.fields = byImportance(fields, importances);
    const many = fields.length >= SHOWN + LEAST_FOLDED;
    this.folded = many ? this.fields.slice(SHOWN) : [];
    this.wasOpen = false;
    const front = many ? this.fields.slice(0, SHOWN) : this.fields;
    $("fields").classList.toggle("few", fields.length < 7);
    $("fields").replaceChildren(...front.map((field) => field.element));
    this.groups = grouped(this.folded).map(({ title, members }) => groupElement(title, members));
    $("folded").replaceChildren(...this.groups);
    $("more").hidden = !many;
    $("more").open = false;
    $("find").hidden = !many;
    $("order").textContent = importances.length && many ? "The most important columns come first." : "";
    $("filter").value = "";
    this.filter("");
    this.count();
  }

  /** Say how many fields are folded, and how many of them differ from typical values. */
  count() {
    const changed = this.folded.filter((field) => field.changed()).length;
    $("more-title").textContent = `${this.folded.length} more fields, ${changed ? `${changed} changed` : "at typical values"}`;
  }

  /** Show the fields whose names hold each of these words. */
  filter(text) {
    const words = text.toLowerCase().split(/\s+/u).filter(Boolean);
    const fits = (field) => words.every((word) => field.column.name.toLowerCase().includes(word));
    let found = 0;
    for (const field of this.fields) {
      field.element.hidden = !fits(field);
      found += field.element.hidden ? 0 : 1;
    }
    for (const group of this.groups) group.hidden = !group.querySelector(".field:not([hidden])");
    if (words.length && !this.searching) this.wasOpen = $("more").open;
    if (words.length || this.searching) $("more").open = words.length ? true : this.wasOpen;
    this.searching = words.length > 0;
    $("found").textContent = this.searching ? `${found} of ${this.fields.length} fields` : "";
  }

  /** Unfold the fields if this one is among them. */
  reveal(field) {
    if (this.folded.includes(field)) $("more").open = true;
  }
}

function groupElement(title, members) {
  const fields = h("div", { class: "fields" }, ...members.map((field) => field.element));
  return title ? h("fieldset", { class: "group" }, h("legend", {}, title), fields) : h("div", { class: "group" }, fields);
}

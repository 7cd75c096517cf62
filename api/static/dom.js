// Elements are made from parts, never from markup: text that a model's owner wrote stays text.

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const FLAGS = new Map([[true, "True"], [false, "False"]]);

/** A class as the server names it among the probabilities. */
export const named = (x) => FLAGS.get(x) ?? String(x);

/** Show pairs of a name and a value; each may have a class, and a title with the exact value. */
export const showPairs = (place, entries) => place.replaceChildren(...entries
  .filter(([, value]) => value !== "" && value !== null && value !== undefined)
  .map(([name, value, look, title]) => h("div", look ? { class: look } : {},
    h("dt", {}, name), h("dd", title ? { title } : {}, String(value)))));

// Charts as SVG, drawn for the pixel width of their place, and again when it changes.

import { s } from "./dom.js";
import { compact, niceStep, snap } from "./numbers.js";

const drawn = new WeakMap();
const observer = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const chart = drawn.get(target);
    if (chart && chart.width !== Math.round(contentRect.width)) render(target, chart);
  }
});

function render(place, chart) {
  chart.width = Math.round(place.clientWidth);
  if (chart.width > 0) place.replaceChildren(chart.draw(chart.width));
}

/** Show what `draw(width)` returns; null clears the place. */
export function show(place, draw) {
  if (!draw) {
    drawn.delete(place);
    place.replaceChildren();
    return;
  }
  drawn.set(place, { draw, width: 0 });
  observer.observe(place);
  render(place, drawn.get(place));
}

const scale = (from, to) => (x) => to[0] + ((x - from[0]) / (from[1] - from[0] || 1)) * (to[1] - to[0]);

function ticks([low, high], parts) {
  const step = niceStep(high - low || 1, parts);
  const found = [];
  for (let x = Math.ceil(low / step) * step; x <= high + step * 1e-6; x += step) found.push(snap(x, step));
  return found;
}

function frame(width, height, label) {
  return s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
}

function axes(svg, x, y, xs, ys, box) {
  for (const at of ys) {
    svg.append(s("line", { class: "grid", x1: box.left, x2: box.right, y1: y(at), y2: y(at) }),
      s("text", { class: "tick", x: box.left - 6, y: y(at) + 4, "text-anchor": "end" }, compact(at)));
  }
  for (const at of xs) {
    svg.append(s("text", { class: "tick", x: x(at), y: box.bottom + 15, "text-anchor": "middle" }, compact(at)));
  }
  svg.append(s("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }));
}

const gutter = (values) => 12 + 6.6 * Math.max(...values.map((value) => compact(value).length));

/**
 * Prediction against one column.
 * @param {object} data
 * @param {Array<{x: number, y: number, low?: number, high?: number}>} data.points
 * @param {{x: number, y: number}|null} data.at the point of the form's row
 * @param {number[]} data.domain of the predictions
 * @param {string} data.label
 */
export function curve(width, { points, at, domain, label }) {
  const height = innerWidth < 900 ? 104 : 140;
  const ys = ticks(domain, 2);
  const range = [points[0].x, points.at(-1).x];
  const box = { left: gutter(ys), right: width - 8, top: 8, bottom: height - 20 };
  const x = scale(range, [box.left, box.right]);
  const y = scale(domain, [box.bottom, box.top]);
  const svg = frame(width, height, label);
  axes(svg, x, y, ticks(range, Math.max(2, Math.floor(width / 90))), ys, box);
  if (points[0].low !== undefined) {
    const there = points.map((p) => `${x(p.x)},${y(p.high)}`);
    const back = points.map((p) => `${x(p.x)},${y(p.low)}`).reverse();
    svg.append(s("polygon", { class: "band", points: [...there, ...back].join(" ") }));
  }
  svg.append(s("polyline", { class: "curve", points: points.map((p) => `${x(p.x)},${y(p.y)}`).join(" ") }));
  if (at) mark(svg, x(Math.min(range[1], Math.max(range[0], at.x))), y(at.y), box);
  return svg;
}

function mark(svg, x, y, box) {
  svg.append(s("line", { class: "guide", x1: x, x2: x, y1: box.top, y2: box.bottom }),
    s("circle", { class: "point", cx: x, cy: y, r: 5 }));
}

/** Prediction for each category: one horizontal bar each, the chosen one in full colour. */
export function levels(width, { points, domain, label }) {
  const line = 26;
  const names = Math.min(width * 0.42, 14 + 7 * Math.max(...points.map((p) => p.name.length)));
  const x = scale(domain, [names, width - 52]);
  const svg = frame(width, line * points.length, label);
  points.forEach((p, i) => {
    const middle = i * line + line / 2;
    const chosen = p.chosen ? " chosen" : "";
    const name = p.name.length > names / 7 ? `${p.name.slice(0, Math.floor(names / 7) - 1)}…` : p.name;
    svg.append(s("text", { class: `tick${chosen}`, x: 0, y: middle + 4 }, name),
      s("line", { class: "grid", x1: x(domain[0]), x2: x(domain[1]), y1: middle, y2: middle }),
      s("circle", { class: `point${chosen}`, cx: x(p.y), cy: middle, r: p.chosen ? 5.5 : 4 }),
      s("text", { class: `tick${chosen}`, x: width, y: middle + 4, "text-anchor": "end" }, compact(p.y)));
  });
  return svg;
}

/** Where a prediction lies among the targets seen in training, with its interval. */
export function place(width, { value, interval, range, label }) {
  const [low, high] = [Math.min(range[0], value, interval?.low ?? value), Math.max(range[1], value, interval?.high ?? value)];
  const x = scale([low, high], [1, width - 1]);
  const svg = frame(width, 34, label);
  svg.append(s("line", { class: "axis", x1: x(range[0]), x2: x(range[1]), y1: 10, y2: 10 }));
  if (interval) {
    const start = x(interval.low);
    svg.append(s("rect", { class: "band", x: start, width: Math.max(2, x(interval.high) - start), y: 5, height: 10, rx: 2 }));
  }
  svg.append(s("line", { class: "needle", x1: x(value), x2: x(value), y1: 1, y2: 19 }));
  svg.append(s("text", { class: "tick", x: x(range[0]), y: 31 }, compact(range[0])),
    s("text", { class: "tick", x: x(range[1]), y: 31, "text-anchor": "end" }, compact(range[1])),
    s("text", { class: "tick", x: (x(range[0]) + x(range[1])) / 2, y: 31, "text-anchor": "middle" }, "seen in training"));
  return svg;
}

/** The part of the square domain that lies within `reach` of the diagonal, as corners. */
function belt([low, high], reach) {
  const far = Math.min(reach, high - low);
  return [[low, low], [low, low + far], [high - far, high], [high, high], [high, high - far], [low + far, low]];
}

/** Predicted against observed, out of fold, with the diagonal of perfect predictions. */
export function scatter(width, { points, names, at, label, reach }) {
  const all = points.flat();
  const [low, high] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  const pad = (high - low || 1) * 0.03;
  const domain = [low - pad, high + pad];
  const marks = ticks(domain, 5);
  const few = ticks(domain, Math.max(2, Math.min(5, Math.floor(width / 110))));
  const height = Math.min(width, 440);
  const box = { left: gutter(marks) + 16, right: width - 8, top: 8, bottom: height - 38 };
  const x = scale(domain, [box.left, box.right]);
  const y = scale(domain, [box.bottom, box.top]);
  const svg = frame(width, height, label);
  axes(svg, x, y, few, marks, box);
  if (reach) svg.append(s("polygon", { class: "band", points: belt(domain, reach).map(([p, o]) => `${x(p)},${y(o)}`).join(" ") }));
  svg.append(s("line", { class: "diagonal", x1: x(domain[0]), y1: y(domain[0]), x2: x(domain[1]), y2: y(domain[1]) }));
  svg.append(s("g", { class: "cloud" }, ...points.map(([p, o]) => s("circle", { cx: x(p).toFixed(1), cy: y(o).toFixed(1), r: 2.6 }))));
  const turned = `translate(11 ${(box.top + box.bottom) / 2}) rotate(-90)`;
  svg.append(s("text", { class: "tick", x: (box.left + box.right) / 2, y: height - 4, "text-anchor": "middle" }, names[0]),
    s("text", { class: "tick", transform: turned, "text-anchor": "middle" }, names[1]));
  if (at !== null && at >= domain[0] && at <= domain[1]) {
    const [gap, anchor] = at > (low + high) / 2 ? [-6, "end"] : [6, "start"];
    svg.append(s("line", { class: "guide", x1: x(at), x2: x(at), y1: box.top, y2: box.bottom }),
      s("text", { class: "tick chosen", x: x(at) + gap, y: box.top + 10, "text-anchor": anchor }, "this input"));
  }
  return svg;
}

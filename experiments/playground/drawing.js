// Numbers as SVG: contour lines, paths over them, and rates over the steps on a logarithmic axis.

import { METHODS } from "./descent.js";

const SVG = "http://www.w3.org/2000/svg";
const CELLS = [90, 60];
const LEVELS = 14;
const LOWEST_LEVEL = 3e-4;

// A size of an SVG, and how points of a window [left, right, bottom, top] lie in it.
export function frame(width, height, window, margin = [0, 0, 0, 0]) {
  const [left, right, bottom, top] = window;
  const [above, aside, below, before] = margin;
  const across = (width - before - aside) / (right - left);
  const upward = (height - above - below) / (top - bottom);
  return {
    x: (x) => before + (x - left) * across,
    y: (y) => above + (top - y) * upward,
    back: (px, py) => [left + (px - before) / across, top - (py - above) / upward],
  };
}

export function node(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// The lines of equal height in a window, spaced by ratio above the lowest height.
export function contours(f, window, lowest, at) {
  const [left, right, bottom, top] = window;
  const [columns, rows] = CELLS;
  const xs = Array.from({ length: columns + 1 }, (_, i) => left + ((right - left) * i) / columns);
  const ys = Array.from({ length: rows + 1 }, (_, j) => bottom + ((top - bottom) * j) / rows);
  const heights = ys.map((y) => xs.map((x) => f(x, y) - lowest));
  const highest = Math.max(...heights.flat());
  let path = "";
  for (let k = 0; k < LEVELS; k += 1) {
    const level = highest * LOWEST_LEVEL ** (1 - k / LEVELS);
    for (let j = 0; j < rows; j += 1) {
      for (let i = 0; i < columns; i += 1) path += piece(heights, xs, ys, i, j, level, at);
    }
  }
  return path;
}

// The part of a contour line in one cell: from side to side, where the height passes the level.
function piece(heights, xs, ys, i, j, level, at) {
  const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
  const found = [];
  for (let k = 0; k < 4; k += 1) {
    const [[i0, j0], [i1, j1]] = [corners[k], corners[(k + 1) % 4]];
    const [h0, h1] = [heights[j0][i0], heights[j1][i1]];
    if (h0 < level !== h1 < level) {
      const share = (level - h0) / (h1 - h0);
      const x = at.x(xs[i0] + share * (xs[i1] - xs[i0]));
      const y = at.y(ys[j0] + share * (ys[j1] - ys[j0]));
      found.push(`${x.toFixed(1)} ${y.toFixed(1)}`);
    }
  }
  let path = "";
  for (let k = 0; k + 1 < found.length; k += 2) path += `M${found[k]}L${found[k + 1]}`;
  return path;
}

// A line through points; what lies far outside is held at the rim of what an SVG can draw.
export function line(points, at) {
  const place = (value) => Math.max(-1e4, Math.min(1e4, value)).toFixed(1);
  return points.map(([x, y]) => `${place(at.x(x))},${place(at.y(y))}`).join(" ");
}

export function stroke(name, styles) {
  const { colour, dash } = styles[name];
  return { class: "path", style: `stroke: var(--${colour})`, "stroke-dasharray": dash };
}

// The rates of one coordinate over the steps, a line for each method that is shown.
export function rateChart(svg, walks, coordinate, steps, styles) {
  const all = Object.values(walks).flatMap(({ rates }) => rates.map((rate) => rate[coordinate]));
  const logs = all.filter((rate) => rate > 0).map(Math.log10);
  const low = logs.length ? Math.floor(Math.min(...logs) - 0.1) : -3;
  const high = logs.length ? Math.ceil(Math.max(...logs) + 0.1) : 0;
  const at = frame(320, 190, [1, Math.max(steps, 2), low, high], [8, 8, 34, 44]);
  const drawn = [];
  const every = Math.ceil((high - low) / 6);
  for (let k = low; k <= high; k += 1) {
    const y = at.y(k);
    drawn.push(node("line", { class: "grid", x1: at.x(1), x2: 312, y1: y, y2: y }));
    if ((high - k) % every) continue;
    const label = node("text", { x: 38, y: y + 4, "text-anchor": "end" }, "10");
    const power = node("tspan", { dy: -5, class: "power" }, String(k).replace("-", "−"));
    label.append(power);
    drawn.push(label);
  }
  for (const step of [1, Math.round(steps / 2), steps]) {
    const anchor = step === steps ? "end" : step === 1 ? "start" : "middle";
    drawn.push(node("text", { x: at.x(step), y: 172, "text-anchor": anchor }, String(step)));
  }
  drawn.push(node("text", { x: 178, y: 187, "text-anchor": "middle" }, "step"));
  for (const name of Object.keys(METHODS)) {
    if (!(name in walks)) continue;
    const points = walks[name].rates.map((rate, i) => [i + 1, Math.log10(rate[coordinate])]);
    drawn.push(node("polyline", { ...stroke(name, styles), points: line(points, at) }));
  }
  svg.replaceChildren(...drawn);
}

// All statistics of one layer over the steps: bands and lines under the heat map of their run.

import { sized, theme } from "./canvas.js";
import { NOT_FINITE, ZERO, css } from "./colours.js";
import { orderedStatistics, statisticName } from "./labels.js";
import { exact, logTicks, whole } from "./scale.js";

const BANDS = [["min", "max", 0.14], ["p05", "p95", 0.28]];
const DASHES = { mean: [7, 4], norm: [2, 3], min: [], max: [], p05: [], p95: [] };
const PAD = 8; // pixels above and below
const FOOT = 10; // room under the axis for what a logarithm cannot show

// Range of the vertical axis that all runs share, as logarithms.
export function curvesRange(curvesOfRuns, axis) {
  let [lo, hi] = [Infinity, -Infinity];
  for (const curves of curvesOfRuns) {
    for (const { steps, values } of Object.values(curves)) {
      values.forEach((value, i) => {
        const share = axis.share(steps[i]);
        if (share < 0 || share > 1 || !(value > 0) || value === Infinity) return;
        lo = Math.min(lo, value);
        hi = Math.max(hi, value);
      });
    }
  }
  if (lo > hi) return null;
  [lo, hi] = [Math.log10(lo), Math.log10(hi)];
  const room = hi - lo < 0.05 ? 0.3 : 0.04 * (hi - lo);
  return { lo: lo - room, hi: hi + room };
}

const heightOf = (value, { lo, hi }, height) =>
  PAD + (1 - (Math.log10(value) - lo) / (hi - lo)) * (height - 2 * PAD - FOOT);

export function curvesAxis(canvas, range, width, height) {
  const context = sized(canvas, width, height);
  if (!range) return;
  const { faint, font } = theme();
  context.font = `11px ${font}`;
  context.fillStyle = faint;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const { at, text } of logTicks(range.lo, range.hi, Math.floor(height / 26))) {
    context.fillText(text, width - 8, heightOf(10 ** at, range, height));
  }
}

export class Curves {
  // on: hover(lines, x, y), leave()
  constructor(parent, on) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "curves";
    this.canvas.setAttribute("role", "img");
    parent.append(this.canvas);
    this.canvas.addEventListener("pointermove", (event) => {
      const box = this.canvas.getBoundingClientRect();
      const lines = this.#at((event.clientX - box.left) / box.width);
      if (lines) on.hover(lines, event.clientX, event.clientY);
      else on.leave();
    });
    this.canvas.addEventListener("pointerleave", () => {
      this.pointed = null;
      if (this.view) this.#paint();
      on.leave();
    });
  }

  // view: run, layer, curves, axis, range, marks, width, height; null hides the canvas
  draw(view) {
    this.view = view;
    this.pointed = null;
    this.canvas.hidden = !view;
    if (!view) return;
    const names = orderedStatistics(Object.keys(view.curves ?? {})).map(statisticName);
    this.canvas.setAttribute(
      "aria-label",
      `${view.layer}, run ${view.run}: ${names.join(", ") || "no values"} over steps`,
    );
    this.#paint();
  }

  #paint() {
    const { curves, axis, range, marks, width, height } = this.view;
    const context = sized(this.canvas, width, height);
    const { text, grid, line, faint, font } = theme();
    context.font = `12px ${font}`;
    if (!curves || !range) {
      context.fillStyle = faint;
      context.textAlign = "center";
      const why = curves ? "No positive values to draw." : "This run does not have this layer.";
      context.fillText(this.view.waiting ? "Loading …" : why, width / 2, height / 2);
      if (!curves) return;
    }
    const x = (step) => axis.share(step) * width;
    const y = (value) => heightOf(value, range, height);
    const drawable = (value) => value > 0 && value !== Infinity;
    context.fillStyle = grid;
    const bottom = height - FOOT;
    if (range) {
      for (const { at } of logTicks(range.lo, range.hi, Math.floor(height / 26))) {
        context.fillRect(0, Math.round(y(10 ** at)), width, 1);
      }
    }
    context.fillRect(0, bottom, width, 1);
    context.save();
    context.beginPath();
    context.rect(0, 0, width, height);
    context.clip();
    for (const [low, high, alpha] of BANDS) {
      if (!range || !curves[low] || !curves[high]) continue;
      context.fillStyle = line;
      context.globalAlpha = alpha;
      this.#band(context, curves[low], curves[high], x, (v) => (v > 0 ? y(v) : bottom));
    }
    context.globalAlpha = 1;
    for (const [statistic, { steps, values }] of Object.entries(curves)) {
      const main = statistic === "p50" || statistic === "value";
      if (statistic in DASHES && !["mean", "norm"].includes(statistic) && curves.p50) continue;
      context.strokeStyle = main ? line : text;
      context.lineWidth = main ? 2 : 1.25;
      context.setLineDash(DASHES[statistic] ?? []);
      context.beginPath();
      let open = false;
      values.forEach((value, i) => {
        if (!range || !drawable(value)) open = false;
        else if (open) context.lineTo(x(steps[i]), y(value));
        else {
          context.moveTo(x(steps[i]), y(value));
          // A value between gaps would be a line of no length.
          if (!drawable(values[i + 1])) context.lineTo(x(steps[i]) + 2, y(value));
          open = true;
        }
      });
      context.stroke();
      // What has no logarithm stands under the axis.
      values.forEach((value, i) => {
        if (drawable(value) || value < 0) return;
        context.fillStyle = value === 0 ? css(ZERO) : css(NOT_FINITE);
        context.fillRect(x(steps[i]) - 1, bottom + 2, 3, FOOT - 3);
      });
    }
    context.setLineDash([2, 3]);
    context.strokeStyle = text;
    context.lineWidth = 1;
    for (const mark of marks) {
      context.beginPath();
      context.moveTo(x(mark.since), 0);
      context.lineTo(x(mark.since), bottom);
      context.stroke();
    }
    context.setLineDash([]);
    if (this.pointed !== null) {
      context.fillStyle = faint;
      context.fillRect(x(this.pointed), 0, 1, bottom);
    }
    context.restore();
  }

  // Between two statistics, in one piece for each stretch of steps where both are numbers.
  #band(context, low, high, x, y) {
    const { steps } = low;
    let start = -1;
    for (let i = 0; i <= steps.length; i++) {
      const fine = Number.isFinite(low.values[i]) && Number.isFinite(high.values[i]);
      if (fine && start < 0) start = i;
      if (fine || start < 0) continue;
      context.beginPath();
      for (let k = start; k < i; k++) context.lineTo(x(steps[k]), y(high.values[k]));
      for (let k = i - 1; k >= start; k--) context.lineTo(x(steps[k]), y(low.values[k]));
      context.fill();
      start = -1;
    }
  }

  #at(share) {
    const { curves, axis, run, layer } = this.view ?? {};
    const longest = Object.values(curves ?? {}).sort((a, b) => b.steps.length - a.steps.length)[0];
    if (!longest) return null;
    const wanted = axis.share(axis.step(share));
    const near = (steps) => {
      let best = 0;
      steps.forEach((step, i) => {
        const distance = Math.abs(axis.share(step) - wanted);
        if (distance < Math.abs(axis.share(steps[best]) - wanted)) best = i;
      });
      return best;
    };
    const step = longest.steps[near(longest.steps)];
    this.pointed = step;
    this.#paint();
    const lines = [["name", layer], ["where", `step ${whole(step)} · ${run}`]];
    for (const statistic of orderedStatistics(Object.keys(curves))) {
      const { steps, values } = curves[statistic];
      const value = values[near(steps)];
      lines.push(["value", `${statisticName(statistic)} ${exact(value)}`]);
    }
    return lines;
  }
}

// From cells (layer, step) to pixels: which values share a pixel, and its colour.

import { LOOKUP, NOT_FINITE, ZERO, packed } from "./colours.js";
import { edges } from "./scale.js";
import { isMissingBits } from "./table.js";

const BAD = packed(NOT_FINITE);
const NOTHING = packed(ZERO);
const BLANK = 0; // transparent: the background says "not measured"

function firstAtLeast(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

// For each of `width` pixels, the steps from[x] to to[x] (exclusive) that are drawn there; where the
// pixels are finer than the steps, the nearest one; −1 beyond the first and last.
export function columns(steps, axis, width) {
  const from = new Int32Array(width).fill(-1);
  const to = new Int32Array(width).fill(-1);
  if (steps.length === 0) return { from, to, most: 0 };
  const centres = Array.from(steps, (step) => axis.unit(step));
  const borders = edges(steps, axis);
  const size = (axis.hi - axis.lo) / width;
  let most = 0;
  for (let x = 0; x < width; x++) {
    const left = axis.lo + x * size;
    let a = firstAtLeast(centres, left);
    let b = firstAtLeast(centres, left + size);
    if (x === width - 1 && centres[b] <= axis.hi) b++;
    if (a === b) {
      const middle = left + size / 2;
      a = firstAtLeast(borders, middle) - 1;
      if (a < 0 || a >= steps.length) continue;
      b = a + 1;
    }
    [from[x], to[x]] = [a, b];
    most = Math.max(most, b - a);
  }
  return { from, to, most };
}

// For each of `height` pixels, the rows from[y] to to[y] (exclusive) of the rows first … last.
export function rows(first, last, height) {
  const from = new Int32Array(height);
  const to = new Int32Array(height);
  let most = 0;
  for (let y = 0; y < height; y++) {
    from[y] = Math.floor(first + (y * (last - first)) / height);
    to[y] = Math.max(from[y] + 1, Math.floor(first + ((y + 1) * (last - first)) / height));
    most = Math.max(most, to[y] - from[y]);
  }
  return { from, to, most };
}

// Paint a table. `layerOf`: of each row its layer in the table, −1 if it is not there.
// A pixel with a NaN or ∞ among its values shows that; one with nothing but zeros shows zero.
export function paint(image, table, layerOf, across, down, { lo, hi }, how) {
  const width = across.from.length;
  const height = down.from.length;
  const { logs, bits } = table;
  const n = table.steps.length;
  const factor = 255.999 / (hi - lo);
  for (let y = 0; y < height; y++) {
    const start = y * width;
    if (y > 0 && down.from[y] === down.from[y - 1] && down.to[y] === down.to[y - 1]) {
      image.copyWithin(start, start - width, start);
      continue;
    }
    for (let x = 0; x < width; x++) {
      const [a, b] = [across.from[x], across.to[x]];
      if (a < 0) {
        image[start + x] = BLANK;
        continue;
      }
      if (x > 0 && a === across.from[x - 1] && b === across.to[x - 1]) {
        image[start + x] = image[start + x - 1];
        continue;
      }
      let [sum, count, most, least] = [0, 0, -Infinity, Infinity];
      let [bad, zero] = [false, false];
      for (let row = down.from[y]; row < down.to[y]; row++) {
        const layer = layerOf[row];
        if (layer < 0) continue;
        const end = layer * n + b;
        for (let i = layer * n + a; i < end; i++) {
          const l = logs[i];
          if (l - l === 0) {
            sum += l;
            count++;
            if (l > most) most = l;
            if (l < least) least = l;
          } else if (l === -Infinity) zero = true;
          else if (!isMissingBits(bits[i])) bad = true;
        }
      }
      let colour = BLANK;
      if (bad) colour = BAD;
      else if (zero && (count === 0 || how === "min")) colour = NOTHING;
      else if (count > 0) {
        const l = how === "max" ? most : how === "min" ? least : sum / count;
        colour = LOOKUP[Math.max(0, Math.min(255, Math.floor((l - lo) * factor)))];
      }
      image[start + x] = colour;
    }
  }
}

// What one pixel is made of, for the tooltip.
export function summary(table, layerOf, across, down, x, y) {
  const found = { count: 0, least: Infinity, most: -Infinity, bad: 0 };
  if (across.from[x] < 0) return found;
  const n = table.steps.length;
  for (let row = down.from[y]; row < down.to[y]; row++) {
    const layer = layerOf[row];
    if (layer < 0) continue;
    for (let i = layer * n + across.from[x]; i < layer * n + across.to[x]; i++) {
      if (isMissingBits(table.bits[i])) continue;
      const value = table.values[i];
      found.count++;
      if (!Number.isFinite(value)) found.bad++;
      else {
        found.least = Math.min(found.least, value);
        found.most = Math.max(found.most, value);
      }
    }
  }
  return found;
}

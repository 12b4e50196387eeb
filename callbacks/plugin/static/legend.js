// What the colours and signs mean.

import { NOT_FINITE, ZERO, css, gradient } from "./colours.js";
import { element } from "./dom.js";
import { icon, kindName } from "./marks.js";
import { logTicks, short } from "./scale.js";

const HOW = { mean: "the geometric mean", max: "the largest", min: "the smallest" };

function swatch(className, colour, text, title) {
  const patch = element("span", { className: `swatch ${className}` });
  if (colour) patch.style.background = css(colour);
  return element("span", { className: "key", title }, patch, text);
}

function bar({ lo, hi, least, most }) {
  const ticks = logTicks(lo, hi, 7).map(({ at, text }) => {
    const tick = element("span", { className: "tick" }, text);
    tick.style.left = `${(100 * (at - lo)) / (hi - lo)}%`;
    return tick;
  });
  const strip = element("div", { className: "strip" });
  strip.style.background = gradient;
  const scale = element("div", { className: "scale" }, strip, ...ticks);
  const beyond = (text, value) =>
    element("span", { className: "beyond", title: "Beyond the scale: drawn in its last colour" }, text + short(10 ** value));
  const ends = [scale];
  if (least < lo - 1e-6) ends.unshift(beyond("◂ down to ", least));
  if (most > hi + 1e-6) ends.push(beyond("up to ", most), "▸");
  return element("div", { className: "bar", role: "img" }, ...ends);
}

// view: title, colour, has {bad, zero, missing, negative}, kinds, shared {layers, steps}, how, skipped
export function drawLegend(parent, view) {
  const { colour, has, kinds, shared, how } = view;
  const parts = [element("strong", {}, view.title)];
  if (Number.isFinite(colour.least)) {
    const scale = bar(colour);
    const range = `Colours: logarithmic, ${short(10 ** colour.lo)} (dark) to ${short(10 ** colour.hi)} (light)`;
    scale.setAttribute("aria-label", range);
    parts.push(scale);
  }
  if (has.bad) parts.push(swatch("", NOT_FINITE, "NaN or ∞", "A pixel with one NaN among its values shows NaN"));
  if (has.zero) parts.push(swatch("", ZERO, "0", "Exactly zero: it has no logarithm"));
  if (has.missing) parts.push(swatch("blank", null, "not measured", "No value was written for this layer and step"));
  for (const kind of kinds) {
    parts.push(element("span", { className: "key" }, icon(kind), kindName(kind)));
  }
  const notes = [];
  if (shared.layers * shared.steps > 1) {
    const most = [
      shared.layers > 1 ? `${shared.layers} layers` : "",
      shared.steps > 1 ? `${shared.steps} snapshots` : "",
    ].filter(Boolean).join(" × ");
    notes.push(`A pixel shows ${HOW[how]} of up to ${most}.`);
  }
  if (has.negative) notes.push("Colours of negative values are those of their size.");
  if (view.skipped) notes.push(`${view.skipped} snapshots did not fit their list of layers and are left out.`);
  if (notes.length) parts.push(element("span", { className: "note" }, notes.join(" ")));
  parent.replaceChildren(...parts);
}

// Canvases that are sharp on every screen, and the horizontal axis that they share.

import { whole } from "./scale.js";

// Give a canvas a size in CSS pixels; returns its context, scaled so that one unit is one of these.
export function sized(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

export function theme() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return { text: of("text"), faint: of("faint"), grid: of("grid"), line: of("line"), font: of("font") };
}

export function stepAxis(canvas, axis, width, height) {
  const context = sized(canvas, width, height);
  const { faint, font } = theme();
  context.font = `11px ${font}`;
  context.fillStyle = context.strokeStyle = faint;
  context.textBaseline = "top";
  context.textAlign = "left";
  context.fillText("step", 0, 6);
  let free = context.measureText("step").width + 8;
  for (const step of axis.ticks(Math.max(2, Math.floor(width / 70)))) {
    const x = axis.share(step) * width;
    if (x < -0.5 || x > width + 0.5) continue;
    const text = whole(step);
    const half = context.measureText(text).width / 2;
    const middle = Math.max(half, Math.min(width - half, x));
    context.fillRect(Math.min(width - 1, Math.round(x)), 0, 1, 4);
    if (middle - half < free) continue;
    free = middle + half + 8;
    context.textAlign = "center";
    context.fillText(text, middle, 6);
  }
}

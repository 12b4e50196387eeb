// The page of the picture: what a reader sets, and what is drawn anew for it.

import { METHODS, SURFACES, arrival, turn, walk } from "./descent.js";
import { contours, frame, line, node, rateChart, stroke } from "./drawing.js";

const SIZE = [600, 400];
const NAMES = Object.keys(METHODS);

export function start(root) {
  const styles = JSON.parse(root.dataset.styles);
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const inputs = Object.fromEntries(
    ["surface", "angle", "mu", "steps", "common"].map((name) => [name, find(name)]),
  );
  const rate = Object.fromEntries(NAMES.map((name) => [name, find(`rate-${name}`)]));
  const shown = Object.fromEntries(NAMES.map((name) => [name, find(`show-${name}`)]));
  const [ground, handle] = [find("ground"), find("handle")];
  // Where a path starts, in the surface's own coordinates: the start turns with the surface.
  let [surface, own] = [SURFACES.ravine, SURFACES.ravine.start];

  function choose(key) {
    surface = SURFACES[key === "turned" ? "ravine" : key];
    own = [...surface.start];
    inputs.angle.value = key === "turned" ? 30 : 0;
    for (const name of NAMES) rate[name].value = Math.log10(surface.rates[name]);
    inputs.common.checked = false;
    draw();
  }

  function draw() {
    const turned = turn(surface, (inputs.angle.value * Math.PI) / 180);
    const at = frame(...SIZE, surface.window);
    const [mu, steps] = [Number(inputs.mu.value), Number(inputs.steps.value)];
    const from = turned.outward(...own);
    find("contours").setAttribute("d", contours(turned.f, surface.window, surface.lowest, at));
    const [walks, drawn] = [{}, []];
    for (const name of NAMES) {
      const eta = 10 ** rate[name].value;
      const went = walk(name, turned, { start: from, eta, mu, steps });
      say(name, eta, went, turned, steps);
      if (!shown[name].checked) continue;
      walks[name] = went;
      drawn.push(node("polyline", { ...stroke(name, styles), points: line(went.points, at) }));
      const [x, y] = went.points.at(-1);
      const end = { class: "end", cx: at.x(x), cy: at.y(y), r: 5 };
      const visible = Math.abs(end.cx) < 1e4 && Math.abs(end.cy) < 1e4;
      if (visible) drawn.push(node("circle", { ...end, style: `fill: var(--${styles[name].colour})` }));
    }
    find("paths").replaceChildren(...drawn);
    handle.setAttribute("transform", `translate(${at.x(from[0])} ${at.y(from[1])})`);
    const where = from.map((value) => value.toFixed(3).replace("-", "−")).join(", ");
    handle.setAttribute("aria-valuenow", from[0].toFixed(3));
    handle.setAttribute("aria-valuetext", `start at ${where}`);
    find("where").textContent = `(${where})`;
    find("mu-value").textContent = mu.toFixed(2);
    find("angle-value").textContent = `${inputs.angle.value}°`;
    find("steps-value").textContent = String(steps);
    inputs.angle.setAttribute("aria-valuetext", `${inputs.angle.value} degrees`);
    rateChart(find("rates-0"), walks, 0, steps, styles);
    rateChart(find("rates-1"), walks, 1, steps, styles);
    // A test waits for it.
    root.dataset.state = "drawn";
  }

  function say(name, eta, went, turned, steps) {
    const text = Number(eta.toPrecision(2)).toString();
    find(`value-${name}`).textContent = text;
    rate[name].setAttribute("aria-valuetext", `η = ${text}`);
    const arrived = arrival(went.points, turned.f, surface.lowest);
    const height = turned.f(...went.points.at(-1)) - surface.lowest;
    let status = `ends ${height.toPrecision(2)} above`;
    if (went.points.length <= steps || height > 1e6) status = "diverges";
    else if (arrived >= 0) status = arrived ? `arrives in ${arrived} steps` : "starts there";
    find(`status-${name}`).textContent = status;
  }

  function place(px, py) {
    const turned = turn(surface, (inputs.angle.value * Math.PI) / 180);
    const at = frame(...SIZE, surface.window);
    const [x, y] = [Math.max(0, Math.min(SIZE[0], px)), Math.max(0, Math.min(SIZE[1], py))];
    own = turned.inward(...at.back(x, y));
    draw();
  }

  function drag(event) {
    const box = ground.getBoundingClientRect();
    const scale = SIZE[0] / box.width;
    place((event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
  }

  handle.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) drag(event);
  });
  ground.addEventListener("click", (event) => {
    if (!handle.contains(event.target)) drag(event);
  });
  handle.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const far = event.shiftKey ? 40 : 8;
    const at = frame(...SIZE, surface.window);
    const [x, y] = turn(surface, (inputs.angle.value * Math.PI) / 180).outward(...own);
    const [dx, dy] = moves[event.key];
    place(at.x(x) + far * dx, at.y(y) + far * dy);
  });
  for (const name of NAMES) {
    rate[name].addEventListener("input", () => {
      if (inputs.common.checked) for (const other of NAMES) rate[other].value = rate[name].value;
      draw();
    });
    shown[name].addEventListener("change", draw);
  }
  inputs.common.addEventListener("change", () => {
    if (inputs.common.checked) for (const name of NAMES) rate[name].value = rate.SGD.value;
    draw();
  });
  for (const name of ["angle", "mu", "steps"]) inputs[name].addEventListener("input", draw);
  inputs.surface.addEventListener("change", () => choose(inputs.surface.value));
  find("again").addEventListener("click", () => choose(inputs.surface.value));
  choose(inputs.surface.value);
}

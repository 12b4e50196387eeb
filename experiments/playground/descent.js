// Surfaces and methods as numbers alone: what the picture shows, and what a test compares with the
// optimizers of the package. Nothing here knows of a page.

const KAPPA = 20;

// Heights and gradients in coordinates of their own; `turn` sets them on the page at an angle.
export const SURFACES = {
  ravine: {
    title: "Ravine",
    window: [-2.4, 2.4, -1.6, 1.6],
    start: [-2, 1],
    lowest: 0,
    rates: { SGD: 0.08, Momentum: 0.025, Nesterov: 0.04, Adagrad: 1, RMSprop: 0.05 },
    f: (x, y) => 0.5 * (x * x + KAPPA * y * y),
    gradient: (x, y) => [x, KAPPA * y],
  },
  saddle: {
    title: "Saddle",
    window: [-2.1, 2.1, -1.4, 1.4],
    start: [1.5, 0.001],
    lowest: -0.25,
    rates: { SGD: 0.3, Momentum: 0.1, Nesterov: 0.1, Adagrad: 0.3, RMSprop: 0.05 },
    f: (x, y) => 0.5 * x * x - 0.5 * y * y + 0.25 * y ** 4,
    gradient: (x, y) => [x, y ** 3 - y],
  },
  rosenbrock: {
    title: "Rosenbrock’s valley",
    window: [-2.4, 2.4, -0.8, 2.4],
    start: [-1.2, 1],
    lowest: 0,
    rates: { SGD: 0.001, Momentum: 0.0005, Nesterov: 0.0005, Adagrad: 0.5, RMSprop: 0.02 },
    f: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    gradient: (x, y) => [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)],
  },
  beale: {
    title: "Beale’s function",
    window: [-1.2, 4.8, -2, 2],
    start: [1, 1],
    lowest: 0,
    rates: { SGD: 0.02, Momentum: 0.01, Nesterov: 0.01, Adagrad: 0.5, RMSprop: 0.05 },
    f: (x, y) => {
      const [a, b, c] = bealeTerms(x, y);
      return a * a + b * b + c * c;
    },
    gradient: (x, y) => {
      const [a, b, c] = bealeTerms(x, y);
      return [
        2 * (a * (y - 1) + b * (y ** 2 - 1) + c * (y ** 3 - 1)),
        2 * x * (a + 2 * b * y + 3 * c * y ** 2),
      ];
    },
  },
};

function bealeTerms(x, y) {
  return [1.5 - x + x * y, 2.25 - x + x * y ** 2, 2.625 - x + x * y ** 3];
}

// Arguments other than η and μ are the defaults of the package.
export const EPSILON = 1e-7;
export const RHO = 0.9;

// What each method keeps for a coordinate, s, becomes with the gradient g; then its rate without η,
// and the direction that the rate is multiplied with.
export const METHODS = {
  SGD: { keep: () => 0, scale: () => 1, direction: (s, g) => g },
  Momentum: { keep: (b, g, mu) => mu * b + g, scale: () => 1, direction: (b) => b },
  Nesterov: {
    keep: (b, g, mu) => mu * b + g,
    scale: () => 1,
    direction: (b, g, mu) => g + mu * b,
  },
  Adagrad: {
    keep: (r, g) => r + g * g,
    scale: (r) => 1 / Math.sqrt(EPSILON + r),
    direction: (r, g) => g,
  },
  RMSprop: {
    keep: (v, g) => RHO * v + (1 - RHO) * g * g,
    scale: (v) => 1 / Math.sqrt(EPSILON + v),
    direction: (v, g) => g,
  },
};

// The surface at an angle (in radians) about the middle of its window.
export function turn(surface, angle) {
  const [left, right, bottom, top] = surface.window;
  const [cx, cy] = [(left + right) / 2, (bottom + top) / 2];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const inward = (x, y) => [
    cx + cos * (x - cx) + sin * (y - cy),
    cy - sin * (x - cx) + cos * (y - cy),
  ];
  return {
    inward,
    outward: (u, v) => [cx + cos * (u - cx) - sin * (v - cy), cy + sin * (u - cx) + cos * (v - cy)],
    f: (x, y) => surface.f(...inward(x, y)),
    gradient: (x, y) => {
      const [gu, gv] = surface.gradient(...inward(x, y));
      return [cos * gu - sin * gv, sin * gu + cos * gv];
    },
  };
}

// The points of a method from a start, and its effective rates [w₁, w₂] in each step. A path that
// leaves for infinity ends where it does.
export function walk(name, surface, { start, eta, mu, steps }) {
  const method = METHODS[name];
  let [point, state] = [[...start], [0, 0]];
  const [points, rates] = [[point], []];
  for (let t = 1; t <= steps; t += 1) {
    const g = surface.gradient(...point);
    state = state.map((s, i) => method.keep(s, g[i], mu));
    const rate = state.map((s) => eta * method.scale(s));
    point = point.map((w, i) => w - rate[i] * method.direction(state[i], g[i], mu));
    if (!point.every(Number.isFinite)) break;
    points.push(point);
    rates.push(rate);
  }
  return { points, rates };
}

// The step from which on a path stays near the lowest height: within a 10⁻⁴ part of what it was
// above it at the start; −1 where it does not.
export function arrival(points, f, lowest) {
  const height = points.map(([x, y]) => f(x, y) - lowest);
  const level = 1e-4 * height[0];
  let step = height.length;
  while (step > 0 && height[step - 1] <= level) step -= 1;
  return step < height.length ? step : -1;
}

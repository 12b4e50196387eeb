// Logarithmic scales of values, linear or logarithmic ones of steps, their ticks, and numbers as text.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function power(exponent) {
  const digits = [...String(Math.abs(exponent))].map((d) => SUPERSCRIPTS[d]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

// Shortest text that is this float32 and no other.
export function exact(value) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  for (let digits = 1; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return plain(text);
  }
  return plain(Number(value.toPrecision(9)));
}

export function plain(value) {
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential() : String(value);
  return text.replace("e+", "e").replaceAll("-", "−");
}

export const short = (value) => plain(Number(value.toPrecision(3)));

export const whole = (step) => Math.round(step).toLocaleString("en");

const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };
const ordinals = new Intl.PluralRules("en", { type: "ordinal" });

export const ordinal = (n) => `${n}${ENDINGS[ordinals.select(n)]}`;

// The range that the colours span: of some layers of some tables, as logarithms. least, most: of the
// values themselves.
export function colourRange(parts, clip) {
  let [least, most, count] = [Infinity, -Infinity, 0];
  for (const { table, layers } of parts) {
    for (const layer of layers) {
      const range = table.ranges[layer];
      least = Math.min(least, range.least);
      most = Math.max(most, range.most);
      count += range.count;
    }
  }
  if (count === 0) return { lo: -1, hi: 0, least: NaN, most: NaN };
  let [lo, hi] = [least, most];
  if (clip) {
    // A few values must not take most of the colours: compare with the middle 98 %.
    const sorted = sample(parts, Math.max(1, Math.floor(count / 50_000))).sort();
    const low = sorted[Math.floor(0.01 * (sorted.length - 1))];
    const high = sorted[Math.ceil(0.99 * (sorted.length - 1))];
    const room = 0.25 * (high - low) + 0.05;
    if (low - lo > room) lo = low;
    if (hi - high > room) hi = high;
  }
  if (hi - lo < 1e-6) [lo, hi] = [lo - 0.5, hi + 0.5];
  return { lo, hi, least, most };
}

// Each so-manieth finite logarithm; 7 more from layer to layer, so that all steps have their turn.
function sample(parts, every) {
  const found = [];
  for (const { table, layers } of parts) {
    const n = table.steps.length;
    layers.forEach((layer, k) => {
      for (let i = (7 * k) % every; i < n; i += every) {
        const l = table.logs[layer * n + i];
        if (l - l === 0) found.push(l);
      }
    });
  }
  return Float32Array.from(found);
}

// Ticks of a logarithmic scale from 10^lo to 10^hi: [{at: logarithm, text}].
export function logTicks(lo, hi, most) {
  const first = Math.ceil(lo - 1e-9);
  const last = Math.floor(hi + 1e-9);
  const decades = last - first + 1;
  if (decades >= 3 || (decades === 2 && most <= 3)) {
    const every = Math.ceil(decades / most);
    const ticks = [];
    for (let e = Math.ceil(first / every) * every; e <= last; e += every) {
      ticks.push({ at: e, text: power(e) });
    }
    return ticks;
  }
  for (const digits of [[1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 8]]) {
    const ticks = [];
    for (let e = Math.floor(lo) - 1; e <= hi; e++) {
      for (const digit of digits) {
        const at = e + Math.log10(digit);
        if (at >= lo - 1e-9 && at <= hi + 1e-9) {
          ticks.push({ at, text: digit === 1 ? power(e) : short(digit * 10 ** e) });
        }
      }
    }
    if (ticks.length >= 3) return thinned(ticks, most);
  }
  return linearTicks(10 ** lo, 10 ** hi, most)
    .filter((value) => value > 0)
    .map((value) => ({ at: Math.log10(value), text: plain(Number(value.toPrecision(6))) }));
}

function thinned(ticks, most) {
  const every = Math.ceil(ticks.length / most);
  return ticks.filter((_, i) => i % every === 0);
}

export function linearTicks(from, to, most) {
  const rough = (to - from) / Math.max(1, most);
  const size = 10 ** Math.floor(Math.log10(rough));
  const every = [1, 2, 5, 10].map((f) => f * size).find((step) => step >= rough * 0.999);
  const ticks = [];
  for (let k = Math.ceil(from / every - 1e-9); k * every <= to * (1 + 1e-12); k++) {
    ticks.push(Number((k * every).toPrecision(12)));
  }
  return ticks;
}

// Horizontal axis: steps ↔ share of the width.
export class StepAxis {
  constructor(kind, from, to) {
    this.kind = kind;
    [this.from, this.to] = [from, to]; // in steps
    [this.lo, this.hi] = [this.unit(from), this.unit(to)];
  }

  unit(step) {
    // Step 0 has no logarithm; half a step is its place.
    return this.kind === "log" ? Math.log10(Math.max(step, 0.5)) : step;
  }

  share(step) {
    return (this.unit(step) - this.lo) / (this.hi - this.lo);
  }

  step(share) {
    const unit = this.lo + share * (this.hi - this.lo);
    return this.kind === "log" ? 10 ** unit : unit;
  }

  ticks(most) {
    if (this.kind === "log" && this.hi - this.lo > 1) {
      return logTicks(this.lo, this.hi, most).map(({ at }) => Math.round(10 ** at));
    }
    const ticks = linearTicks(this.from, this.to, most).filter(Number.isInteger);
    return ticks.filter((step) => step >= Math.max(0, this.from));
  }
}

// Borders between the cells of neighbouring steps: cell i is from edges[i] to edges[i + 1].
export function edges(steps, axis) {
  const n = steps.length;
  const units = Array.from(steps, (step) => axis.unit(step));
  if (n === 1) return [units[0] - 0.5, units[0] + 0.5];
  const found = new Array(n + 1);
  for (let i = 1; i < n; i++) found[i] = (units[i - 1] + units[i]) / 2;
  found[0] = units[0] - (found[1] - units[0]);
  found[n] = units[n - 1] + (units[n - 1] - found[n - 1]);
  return found;
}

// Values of one run, quantity and statistic: layers × steps.

// The NaN that says "nothing was measured here" (callbacks/plugin/tables.py).
const MISSING = 0x7fc00001;

export class Table {
  // values: float32, all steps of the first layer, then of the second, …
  constructor(head, values) {
    this.layers = head.layers;
    this.steps = Float64Array.from(head.steps);
    this.token = head.token;
    this.skipped = head.skipped;
    this.values = values;
    this.bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    this.call(this.layers);
    // The picture needs logarithms of everything at each redraw: −∞ for 0, NaN for NaN.
    this.logs = new Float32Array(values.length);
    this.ranges = this.layers.map((_, layer) => this.#take(layer));
  }

  // Take the logarithms of a layer; returns their range, and which special values there are.
  #take(layer) {
    const { values, logs, bits } = this;
    const n = this.steps.length;
    let [least, most, count] = [Infinity, -Infinity, 0];
    let [bad, zero, missing, negative] = [false, false, false, false];
    for (let i = layer * n; i < (layer + 1) * n; i++) {
      const value = values[i];
      const l = Math.log10(value < 0 ? -value : value);
      logs[i] = l;
      if (l - l === 0) {
        if (l < least) least = l;
        if (l > most) most = l;
        if (value < 0) negative = true;
        count++;
      } else if (value === 0) zero = true;
      else if (isMissingBits(bits[i])) missing = true;
      else bad = true;
    }
    return { least, most, count, has: { bad, zero, missing, negative } };
  }

  // Name the rows: as other runs name theirs, where the networks are the same (alignLayers).
  call(names) {
    if (names === this.names) return;
    this.names = names;
    this.indexOf = new Map(names.map((name, i) => [name, i]));
  }

  // Name of the row of a layer that this run calls by this path.
  nameOf(layer) {
    this.own ??= new Map(this.layers.map((path, i) => [path, i]));
    return this.names[this.own.get(layer)] ?? layer;
  }

  // Path of the layer in this run.
  pathOf(name) {
    return this.layers[this.indexOf.get(name)] ?? name;
  }

  get bytes() {
    return 2 * this.values.byteLength;
  }

  // This table and further steps of the same layers.
  extended(head, values) {
    const old = this.steps.length;
    const fresh = head.steps.length;
    if (fresh === 0) return this;
    const joined = new Float32Array(this.layers.length * (old + fresh));
    for (let layer = 0; layer < this.layers.length; layer++) {
      const start = layer * (old + fresh);
      joined.set(this.values.subarray(layer * old, (layer + 1) * old), start);
      joined.set(values.subarray(layer * fresh, (layer + 1) * fresh), start + old);
    }
    return new Table({ ...head, steps: [...this.steps, ...head.steps] }, joined);
  }

  at(layer, step) {
    return layer * this.steps.length + step;
  }

  isMissing(layer, step) {
    return this.bits[this.at(layer, step)] === MISSING;
  }
}

export function isMissingBits(bits) {
  return bits === MISSING;
}

// Keras numbers what has no name: the second network of a program has sequential_1/dense_2 where the
// first had sequential/dense. Layers of runs that differ in such numbers alone share their rows.
export function alignLayers(tables) {
  const first = new Map();
  for (const table of tables) {
    const network = table.layers.map((path) => path.replace(/_\d+(?=\/|$)/g, "")).join("\n");
    if (!first.has(network)) first.set(network, table.layers);
    table.call(first.get(network));
  }
}

// Names of the rows of all tables: each once, after the one that it follows in its own list; lists that share
// nothing stand one after the other.
export function unitedLayers(tables) {
  const joined = [];
  const known = new Set();
  for (const { names: layers } of tables) {
    const shared = layers.find((layer) => known.has(layer));
    let after = (shared === undefined ? joined.length : joined.indexOf(shared)) - 1;
    for (const layer of layers) {
      if (known.has(layer)) {
        // Mostly the next one: indexOf would make this quadratic.
        after = joined[after + 1] === layer ? after + 1 : joined.indexOf(layer);
      } else {
        joined.splice(++after, 0, layer);
        known.add(layer);
      }
    }
  }
  return joined;
}

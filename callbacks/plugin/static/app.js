// The tab: loads what is asked for, and hands it to those who draw.

import * as client from "./client.js";
import { Chart } from "./chart.js";
import { element } from "./dom.js";
import { emptyPage } from "./empty.js";
import { followData, followTheme } from "./host.js";
import { orderedQuantities, orderedStatistics, setNames } from "./labels.js";
import { alignLayers } from "./table.js";
import { remembered, remember } from "./state.js";
import { Toolbar } from "./toolbar.js";

const RUNS_AT_FIRST = 5;
const CACHE_BYTES = 400 * 2 ** 20;

// A run of each optimizer before a second of any: what differs is to be seen side by side.
export function runsAtFirst(runs, optimizerOf) {
  const seen = new Set();
  const isNew = (run) => !seen.has(optimizerOf(run)) && seen.add(optimizerOf(run));
  const first = runs.filter(isNew);
  const chosen = new Set([...first, ...runs.filter((run) => !first.includes(run))].slice(0, RUNS_AT_FIRST));
  return runs.filter((run) => chosen.has(run));
}

class App {
  constructor(root) {
    this.state = remembered();
    this.overview = null;
    this.tables = new Map(); // by run, quantity, statistic: {stamp, table, error}
    this.marks = new Map(); // by run: {stamp, marks}
    this.curves = new Map(); // by run, for the chosen quantity and layer: {stamp, curves}
    this.asked = 0;
    this.toolbar = new Toolbar({
      change: (part) => this.change(part),
      reset: () => this.change({ zoom: {} }),
    });
    this.chart = new Chart({ change: (part) => this.change(part) });
    this.alert = element("div", { className: "alert", role: "alert", hidden: true });
    this.problems = element("div", { className: "problems", hidden: true });
    this.empty = element("main", { hidden: true });
    this.main = element("main", { hidden: true }, this.toolbar.element, this.chart.element);
    root.replaceChildren(this.alert, this.problems, this.main, this.empty);
  }

  change(part) {
    // Another list of layers has other rows.
    if ("filter" in part || "runs" in part) part = { ...part, zoom: { ...this.state.zoom, rows: null } };
    if ("log" in part) part = { ...part, zoom: { ...this.state.zoom, steps: null } };
    Object.assign(this.state, part);
    remember(this.state);
    if (["quantity", "statistic", "runs", "layer"].some((key) => key in part)) this.load();
    else this.draw();
  }

  get runs() {
    return Object.keys(this.overview.runs).filter((run) => this.#series(run, null).length > 0);
  }

  get shown() {
    const { runs } = this;
    const chosen = this.state.runs?.filter((run) => runs.includes(run));
    return chosen ?? runsAtFirst(runs, (run) => this.overview.runs[run].optimizer);
  }

  // Ask TensorBoard what there is, and load what is new of it.
  async refresh() {
    try {
      this.overview = await client.overview();
      setNames(this.overview.names);
    } catch (error) {
      this.say(error);
      return;
    }
    await this.load();
  }

  // Load what the state needs and is not there; then draw.
  async load() {
    if (!this.overview) return this.refresh();
    const number = ++this.asked;
    this.settle();
    // Until all is there, the picture may be of less than what was asked for.
    document.body.dataset.state = "loading";
    this.draw();
    const { quantity, statistic, layer } = this.state;
    const waiting = [];
    for (const run of this.shown) {
      waiting.push(this.#loadTable(run, quantity, statistic), this.#loadMarks(run));
    }
    this.toolbar.status.textContent = "Loading …";
    const errors = (await Promise.all(waiting)).filter(Boolean);
    if (number !== this.asked) return; // something else was asked for meanwhile
    this.draw(layer === null);
    if (layer !== null) {
      await Promise.all(this.shown.map((run) => this.#loadCurves(run, quantity, layer)));
      if (number !== this.asked) return;
      this.draw(true);
    }
    this.say(errors[0]);
    const now = new Date().toLocaleTimeString("en", { hourCycle: "h23" });
    this.toolbar.status.textContent = errors.length ? "" : `Updated ${now}`;
    this.#forget();
  }

  // Let the state name only what exists.
  settle() {
    const { state } = this;
    // With no run chosen, the menus still offer what there is.
    const runs = this.shown.length ? this.shown : this.runs;
    this.quantities = [...new Set(runs.flatMap((run) => this.#series(run, null)))];
    if (!this.quantities.includes(state.quantity)) state.quantity = orderedQuantities(this.quantities)[0];
    this.statistics = [...new Set(runs.flatMap((run) => this.#series(run, state.quantity)))];
    if (!this.statistics.includes(state.statistic)) state.statistic = orderedStatistics(this.statistics)[0];
  }

  #series(run, quantity) {
    const { series } = this.overview.runs[run];
    return Object.keys(quantity === null ? series : (series[quantity] ?? {}));
  }

  async #loadTable(run, quantity, statistic) {
    const stamp = this.overview.runs[run].series[quantity]?.[statistic];
    const key = JSON.stringify([run, quantity, statistic]);
    const old = this.tables.get(key);
    if (!stamp || (old?.stamp === stamp && old.table)) return null;
    try {
      const table = await client.table(run, quantity, statistic, old?.table);
      this.tables.delete(key); // a Map keeps its order: the last one used is the last
      this.tables.set(key, { stamp, table });
      return null;
    } catch (error) {
      this.tables.set(key, { stamp: null, table: old?.table, error: error.message });
      return error;
    }
  }

  async #loadMarks(run) {
    const stamp = this.overview.runs[run].marks;
    if (!stamp || this.marks.get(run)?.stamp === stamp) return null;
    try {
      this.marks.set(run, { stamp, marks: await client.marks(run) });
      return null;
    } catch (error) {
      return error;
    }
  }

  async #loadCurves(run, quantity, layer) {
    const stamp = JSON.stringify([quantity, layer, this.overview.runs[run].series[quantity]]);
    if (this.curves.get(run)?.stamp === stamp) return;
    try {
      const path = this.tables.get(this.#key(run))?.table?.pathOf(layer) ?? layer;
      this.curves.set(run, { stamp, quantity, layer, curves: await client.curves(run, quantity, path) });
    } catch {
      // Mostly a run without this layer: its place says so.
      this.curves.set(run, { stamp, quantity, layer, curves: null });
    }
  }

  // Give memory back, the tables that were used first before others, never one that is shown.
  #forget() {
    let bytes = 0;
    for (const { table } of this.tables.values()) bytes += table?.bytes ?? 0;
    const needed = new Set(this.shown.map((run) => this.#key(run)));
    for (const [key, { table }] of this.tables) {
      if (bytes <= CACHE_BYTES) return;
      if (needed.has(key)) continue;
      bytes -= table?.bytes ?? 0;
      this.tables.delete(key);
    }
  }

  #key(run) {
    return JSON.stringify([run, this.state.quantity, this.state.statistic]);
  }

  say(error) {
    this.alert.hidden = !error;
    if (!error) return;
    const again = element("button", { type: "button", onclick: () => this.refresh() }, "Try again");
    this.alert.replaceChildren(`The data could not be loaded: ${error.message} `, again);
  }

  draw(arrived = false) {
    if (!this.overview) return;
    const { runs } = this;
    const { problems, logdir } = this.overview;
    this.problems.hidden = problems.length === 0;
    this.problems.textContent = problems.slice(0, 3).join(" ");
    this.main.hidden = runs.length === 0;
    this.empty.hidden = runs.length > 0;
    if (runs.length === 0) {
      this.empty.replaceChildren(emptyPage(logdir));
      document.body.dataset.state = "empty";
      return;
    }
    const { state } = this;
    alignLayers(this.shown.map((run) => this.tables.get(this.#key(run))?.table).filter(Boolean));
    const panels = this.shown.map((run) => {
      const { table, error } = this.tables.get(this.#key(run)) ?? {};
      const found = this.curves.get(run);
      const fits = found?.layer === state.layer && found?.quantity === state.quantity;
      return {
        run,
        optimizer: this.overview.runs[run].optimizer,
        table,
        error,
        expected: Boolean(this.overview.runs[run].series[state.quantity]?.[state.statistic]),
        marks: (this.marks.get(run)?.marks ?? []).map((mark) =>
          mark.layer && table ? { ...mark, layer: table.nameOf(mark.layer) } : mark,
        ),
        curves: fits ? found.curves : undefined,
      };
    });
    const layers = this.chart.draw(panels, state);
    this.toolbar.draw({
      state,
      runs,
      shown: this.shown,
      quantities: this.quantities,
      statistics: this.statistics,
      ...layers,
      marks: panels.flatMap(({ run, marks }) => marks.map((mark) => ({ run, mark }))),
      zoomed: Boolean(state.zoom.steps || state.zoom.rows),
    });
    if (!arrived) return;
    document.body.dataset.state = "drawn";
    performance.mark("tfadaopt-drawn");
  }
}

export async function start(root) {
  document.documentElement.lang = "en";
  const style = element("link", { rel: "stylesheet", href: "./style.css" });
  const styled = new Promise((done) => {
    style.onload = style.onerror = done;
  });
  document.head.append(style);
  await styled;
  const app = new App(root);
  followTheme(() => app.draw());
  let size = "";
  new ResizeObserver(() => {
    const now = `${innerWidth} ${innerHeight}`;
    if (now !== size) app.draw();
    size = now;
  }).observe(document.documentElement);
  // A hidden tab has no size to draw in: it is drawn when it comes to the front.
  document.addEventListener("visibilitychange", () => app.draw());
  await app.refresh();
  followData(() => app.refresh());
}

// The picture: legend, names of the layers, a heat map for each run, and the curves of one layer.

import { Curves, curvesAxis, curvesRange } from "./curves.js";
import { element } from "./dom.js";
import { HeatMap } from "./heatmap.js";
import { quantityName, runName, statisticName } from "./labels.js";
import { drawLegend } from "./legend.js";
import { Names, ROW } from "./names.js";
import { StepAxis, colourRange, edges } from "./scale.js";
import { unitedLayers } from "./table.js";
import { Tooltip, cellLines } from "./tooltip.js";

const LABELS = 218; // width of the names (.side in style.css)
const GAP = 14;
const LEAST_WIDTH = 220; // of a heat map; beyond, one scrolls
const CURVES = 200;
const AROUND = 66; // title and axis of a heat map, room below

const KEYS =
  "Arrow keys move from cell to cell, Enter shows the curves of the layer, plus and minus zoom, " +
  "0 shows everything, Escape closes the curves.";

// A group that is repeated and holds a repetition or an alternative: its search may take for ever,
// and nothing can stop it.
const EXPLOSIVE = /\((?:[^()\\]|\\.)*[*+}|](?:[^()\\]|\\.)*\)(?:[*+]|\{\d*,)/;
const MOST_REPETITIONS = 6;

// Rows whose layer matches; an invalid expression is said, and matches everything.
export function matchingLayers(layers, filter) {
  if (!filter) return { names: layers };
  const repetitions = (filter.match(/[*+]|,\}/g) || []).length;
  if (EXPLOSIVE.test(filter) || repetitions > MOST_REPETITIONS) {
    return { names: layers, wrong: "This expression could take for ever. All layers are shown." };
  }
  try {
    const expression = new RegExp(filter, "i");
    return { names: layers.filter((layer) => expression.test(layer)) };
  } catch (error) {
    const why = error.message.replace(/^Invalid regular expression: /, "");
    return { names: layers, wrong: `Not a regular expression: ${why}. All layers are shown.` };
  }
}

export class Chart {
  // on: change(part of the state)
  constructor(on) {
    this.on = on;
    this.maps = new Map(); // by run: {map, curves}
    this.legend = element("div", { className: "legend" });
    this.names = new Names(LABELS, (layer) => on.change({ layer }));
    this.axis = element("canvas", { className: "curves", "aria-hidden": "true" });
    this.side = element("div", { className: "side" }, this.names.heading, this.names.element, this.axis);
    this.strip = element("div", { className: "stage" }, this.side);
    this.caption = element("h2", {});
    this.close = element("button", { type: "button", onclick: () => on.change({ layer: null }) }, "Close");
    this.heading = element("div", { className: "caption", hidden: true }, this.caption, this.close);
    this.nothing = element("p", { className: "nothing", hidden: true });
    this.live = element("div", { className: "aside", "aria-live": "polite" });
    this.keys = element("p", { className: "aside", id: "keys" }, KEYS);
    this.element = element(
      "div",
      { className: "chart" },
      this.legend,
      this.nothing,
      this.strip,
      this.heading,
      this.live,
      this.keys,
    );
    this.tooltip = new Tooltip(this.element);
  }

  // panels: [{run, optimizer, table, error, expected, marks, curves}]
  draw(panels, state) {
    const tables = panels.map(({ table }) => table).filter(Boolean);
    const layers = this.#layers(tables);
    const { names, wrong } = matchingLayers(layers, state.filter);
    const answer = { layers: layers.length, matching: names.length, wrong };
    const width = this.element.clientWidth;
    if (width < 50) return answer; // not in sight
    this.#arrange(panels);
    const why = this.#why(panels, tables, names, state);
    this.nothing.hidden = !why;
    this.nothing.textContent = why;
    this.strip.hidden = this.legend.hidden = Boolean(why);
    if (why) {
      this.heading.hidden = true;
      return answer;
    }

    const [first, last] = this.#rows(state, names.length);
    const axis = this.#steps(tables, state);
    const colour = this.#colours(tables, names, state);
    const curves = state.layer !== null;
    const top = this.strip.getBoundingClientRect().top + scrollY;
    const room = innerHeight - top - AROUND - (curves ? CURVES + 34 : 0);
    const height = Math.round(Math.max(150, Math.min(room, (last - first) * ROW.most)));
    const each = (width - LABELS - GAP * panels.length) / panels.length;
    const panelWidth = Math.floor(Math.max(LEAST_WIDTH, each));
    const rowOf = new Map(names.map((name, i) => [name, i]));
    panels.forEach((panel) => {
      this.maps.get(panel.run).map.draw({
        ...panel,
        axis,
        names,
        rowOf,
        first,
        last,
        colour,
        height,
        error: panel.error ?? (panel.expected && !panel.table ? "Loading …" : undefined),
        how: state.how,
        picked: state.layer,
        quantity: quantityName(state.quantity),
        statistic: statisticName(state.statistic),
        width: panelWidth,
      });
    });
    this.names.draw(layers, names, first, last, height, state.layer);
    this.#drawCurves(panels, state, axis, panelWidth);
    this.#drawLegend(panels, tables, names, state, colour);
    return answer;
  }

  #why(panels, tables, names, state) {
    if (panels.length === 0) return "No run is chosen: take one or more under “Runs”.";
    if (tables.length > 0 && names.length === 0) {
      return `No layer's path matches “${state.filter}”. Change or clear the filter.`;
    }
    return "";
  }

  // One heat map for each run, in order; those of runs that stay keep the focus.
  #arrange(panels) {
    const runs = panels.map(({ run }) => run);
    for (const [run, { map }] of this.maps) {
      if (runs.includes(run)) continue;
      map.element.remove();
      this.maps.delete(run);
    }
    runs.forEach((run, i) => {
      if (!this.maps.has(run)) this.maps.set(run, this.#panel(run));
      const { map } = this.maps.get(run);
      if (this.strip.children[i + 1] !== map.element) {
        this.strip.insertBefore(map.element, this.strip.children[i + 1] ?? null);
      }
    });
  }

  #panel(run) {
    const leave = () => {
      this.tooltip.hide();
      this.names.point(null);
    };
    const map = new HeatMap(run, {
      hover: (cell, x, y) => {
        this.tooltip.show(cellLines(cell, map.view.statistic), x, y);
        this.names.point(cell.layer);
      },
      leave,
      pick: (layer) => this.on.change({ layer }),
      zoom: (zoom) => this.on.change({ zoom: { ...this.zoom, ...zoom } }),
      zoomBy: (factor, cell) => this.#zoomBy(factor, cell, map.view),
      reset: () => this.on.change({ zoom: {} }),
      close: () => {
        leave();
        this.on.change({ layer: null });
      },
      say: (cell) => {
        const lines = cellLines(cell, map.view.statistic);
        this.live.textContent = lines.map(([, text]) => text).join(". ");
      },
    });
    const curves = new Curves(map.element, {
      hover: (lines, x, y) => this.tooltip.show(lines, x, y),
      leave: () => this.tooltip.hide(),
    });
    return { map, curves };
  }

  #zoomBy(factor, cell, { axis, first, last, names }) {
    const middle = axis.share(cell.step);
    const steps = [axis.step(middle - factor / 2), axis.step(middle + factor / 2)];
    const size = Math.max(1, Math.round((last - first) * factor));
    const from = Math.max(0, Math.min(names.length - size, cell.row - Math.floor(size / 2)));
    const rows = size >= names.length ? null : [from, from + size];
    this.on.change({ zoom: { steps: this.#within(steps), rows } });
  }

  // Steps to zoom to, or null if that is everything.
  #within([from, to]) {
    const { whole } = this;
    if (from <= whole.from && to >= whole.to) return null;
    return [Math.max(from, whole.from), Math.min(to, whole.to)];
  }

  #layers(tables) {
    const same = tables.length === this.united?.of.length &&
      tables.every((table, i) => table.names === this.united.of[i]);
    if (!same) this.united = { of: tables.map(({ names }) => names), layers: unitedLayers(tables) };
    return this.united.layers;
  }

  #rows(state, count) {
    const [first, last] = state.zoom.rows ?? [0, count];
    if (first >= count || last - first < 1) return [0, count];
    return [Math.max(0, first), Math.min(count, last)];
  }

  #steps(tables, state) {
    const kind = state.log ? "log" : "linear";
    const plain = new StepAxis(kind, 0, 1);
    let [lo, hi] = [Infinity, -Infinity];
    for (const { steps } of tables) {
      if (steps.length === 0) continue;
      const borders = edges(steps, plain);
      lo = Math.min(lo, borders[0]);
      hi = Math.max(hi, borders.at(-1));
    }
    if (lo > hi) [lo, hi] = [0, 1];
    const back = (unit) => (state.log ? 10 ** unit : unit);
    this.whole = new StepAxis(kind, back(lo), back(hi));
    this.zoom = state.zoom;
    return state.zoom.steps ? new StepAxis(kind, ...state.zoom.steps) : this.whole;
  }

  // The range of colours: over all runs and steps, so that it stays while one zooms.
  #colours(tables, names, state) {
    const key = [state.filter, state.clip, state.quantity, state.statistic].join("\n");
    const same = this.coloured?.key === key && this.coloured.of.length === tables.length &&
      tables.every((table, i) => table === this.coloured.of[i]);
    if (!same) {
      const wanted = new Set(names);
      const parts = tables.map((table) => ({
        table,
        layers: [...table.names.keys()].filter((i) => wanted.has(table.names[i])),
      }));
      this.coloured = { key, of: tables, range: colourRange(parts, state.clip), has: occurring(parts) };
    }
    return this.coloured.range;
  }

  #drawLegend(panels, tables, names, state, colour) {
    const shared = { layers: 0, steps: 0 };
    const seen = new Set(names);
    const has = { ...this.coloured.has };
    for (const panel of panels) {
      const { across, down } = this.maps.get(panel.run).map;
      if (!panel.table) continue;
      shared.layers = Math.max(shared.layers, down.most);
      shared.steps = Math.max(shared.steps, across.most);
      // A layer that another run has, or steps that it alone has: blank here.
      has.missing ||= names.some((name) => !panel.table.indexOf.has(name));
      has.missing ||= across.from.includes(-1);
    }
    const marks = panels.flatMap((panel) => panel.marks);
    drawLegend(this.legend, {
      title: `${quantityName(state.quantity)}, ${statisticName(state.statistic)}`,
      colour,
      has,
      kinds: [...new Set(marks.filter((m) => !m.layer || seen.has(m.layer)).map((m) => m.kind))],
      shared,
      how: state.how,
      skipped: tables.reduce((sum, table) => sum + table.skipped, 0),
    });
  }

  #drawCurves(panels, state, axis, width) {
    const shown = state.layer !== null;
    this.heading.hidden = !shown;
    this.axis.hidden = !shown;
    const range = shown
      ? curvesRange(panels.map(({ curves }) => curves).filter(Boolean), axis)
      : null;
    for (const { run, table, curves, marks } of panels) {
      this.maps.get(run).curves.draw(
        shown && {
          run: runName(run),
          layer: table?.pathOf(state.layer) ?? state.layer,
          axis,
          range,
          width,
          height: CURVES,
          curves,
          waiting: curves === undefined,
          marks: marks.filter((mark) => (mark.layer ?? state.layer) === state.layer),
        },
      );
    }
    if (!shown) return;
    curvesAxis(this.axis, range, LABELS, CURVES);
    const statistics = new Set(panels.flatMap(({ curves }) => Object.keys(curves ?? {})));
    const said = [];
    if (statistics.has("max")) said.push("bands from minimum to maximum and from 5th to 95th percentile");
    if (statistics.has("p50")) said.push("line: median");
    if (statistics.has("mean") && statistics.size > 1) said.push("dashed: mean");
    if (statistics.has("norm") && statistics.size > 1) said.push("dotted: Euclidean norm");
    this.caption.replaceChildren(
      element("b", {}, state.layer),
      ` ${quantityName(state.quantity)}${said.length ? ` — ${said.join(", ")}` : ""}`,
    );
  }
}

// Which special values there are in these layers.
function occurring(parts) {
  const has = { bad: false, zero: false, missing: false, negative: false };
  for (const { table, layers } of parts) {
    for (const layer of layers) {
      for (const kind of Object.keys(has)) has[kind] ||= table.ranges[layer].has[kind];
    }
  }
  return has;
}

// The heat map of one run: layers down, steps across, and what the pointer and the keys do on it.

import { stepAxis, sized } from "./canvas.js";
import { columns, paint, rows, summary } from "./cells.js";
import { runName } from "./labels.js";
import { drawMarks } from "./marks.js";

const AXIS_HEIGHT = 22;
const DRAG = 5; // pixels that tell a drag from a click

function make(tag, className, parent) {
  const element = document.createElement(tag);
  element.className = className;
  parent.append(element);
  return element;
}

export class HeatMap {
  // on: hover(cell, x, y), leave(), pick(layer), zoom({steps, rows}), zoomBy(factor, cell), reset(),
  // close(), say(cell)
  constructor(run, on) {
    this.run = run;
    this.on = on;
    this.element = make("section", "panel", document.createDocumentFragment());
    this.title = make("h2", "run", this.element);
    this.plot = make("div", "plot", this.element);
    this.heat = make("canvas", "heat", this.plot);
    this.front = make("canvas", "front", this.plot);
    this.message = make("p", "message", this.plot);
    this.axis = make("canvas", "axis", this.element);
    this.heat.setAttribute("aria-hidden", "true");
    this.axis.setAttribute("aria-hidden", "true");
    this.front.tabIndex = 0;
    this.front.setAttribute("role", "application");
    this.front.setAttribute("aria-roledescription", "heat map");
    this.front.setAttribute("aria-describedby", "keys");
    this.cursor = null; // {row, index}: where the arrow keys are
    this.keyed = false; // moved by keys, so that it needs to be seen
    this.#listen();
  }

  // view: table, error, axis, names, layerOf, first, last, colour, how, marks, picked, statistic,
  // optimizer, width, height
  draw(view) {
    this.view = view;
    const { table, axis, names, first, last, width, height } = view;
    this.title.textContent = runName(this.run);
    this.title.title = `${this.run} · ${view.optimizer}`;
    if (view.optimizer) make("small", "", this.title).textContent = view.optimizer;
    this.element.style.width = `${width}px`;
    this.plot.style.height = `${height}px`;
    this.message.textContent = view.error ?? (table ? "" : "This run does not have it.");
    this.message.hidden = Boolean(table) && !view.error;
    const ratio = devicePixelRatio || 1;
    const context = sized(this.heat, width, height);
    sized(this.front, width, height);
    this.layerOf = Int32Array.from(names, (name) => table?.indexOf.get(name) ?? -1);
    if (table) {
      this.across = columns(table.steps, axis, Math.round(width * ratio));
      this.down = rows(first, last, Math.round(height * ratio));
      const picture = new ImageData(this.across.from.length, this.down.from.length);
      const pixels = new Uint32Array(picture.data.buffer);
      paint(pixels, table, this.layerOf, this.across, this.down, view.colour, view.how);
      context.putImageData(picture, 0, 0);
    }
    const steps = table?.steps.length ?? 0;
    this.front.setAttribute(
      "aria-label",
      `${view.quantity}, ${view.statistic}, run ${runName(this.run)}: ${last - first} layers, ${steps} steps`,
    );
    stepAxis(this.axis, axis, width, AXIS_HEIGHT);
    if (this.cursor && (!table || this.cursor.row >= names.length)) this.cursor = null;
    this.drawFront();
  }

  // What lies over the picture: cheap enough for each move of the pointer.
  drawFront() {
    const { width, height, axis, first, last, names, marks, picked } = this.view;
    const context = sized(this.front, width, height);
    const size = height / (last - first);
    const rowOf = this.view.rowOf;
    const inside = (row) => row !== undefined && row >= first && row < last;
    if (inside(rowOf.get(picked))) {
      const top = (rowOf.get(picked) - first) * size;
      for (const [colour, line] of [["#000", 3], ["#fff", 1]]) {
        context.strokeStyle = colour;
        context.lineWidth = line;
        context.strokeRect(1.5, top + 0.5, width - 3, Math.max(2, size - 1));
      }
    }
    const place = (mark) => {
      const x = axis.share(mark.since) * width;
      if (x > width) return null;
      if (mark.layer === null || mark.layer === undefined) return { x, y: null, height };
      const row = rowOf.get(mark.layer);
      if (!inside(row)) return null;
      return { x: Math.max(0, x), y: (row - first + 0.5) * size, height: size };
    };
    drawMarks(context, marks, place, width, height);
    if (this.keyed && document.activeElement === this.front && inside(this.cursor?.row)) {
      const x = axis.share(this.view.table.steps[this.cursor.index]) * width;
      const y = (this.cursor.row - first + 0.5) * size;
      for (const [colour, line] of [["#000", 3.5], ["#fff", 1.5]]) {
        context.strokeStyle = colour;
        context.lineWidth = line;
        context.strokeRect(x - 5, y - 5, 10, 10);
      }
    }
    if (this.drag?.moved) {
      const { x, y, toX, toY } = this.drag;
      context.fillStyle = "rgb(255 255 255 / 30%)";
      context.fillRect(x, y, toX - x, toY - y);
      context.strokeStyle = "#000";
      context.lineWidth = 1;
      context.strokeRect(x, y, toX - x, toY - y);
    }
    if (names.length === 0) this.cursor = null;
  }

  // The cell at a place of the plot (CSS pixels), or null.
  cellAt(x, y) {
    const { table, axis, first, last, width, height } = this.view;
    if (!table || table.steps.length === 0) return null;
    const ratio = devicePixelRatio || 1;
    const column = Math.min(this.across.from.length - 1, Math.max(0, Math.floor(x * ratio)));
    const line = Math.min(this.down.from.length - 1, Math.max(0, Math.floor(y * ratio)));
    // A row is drawn in one pixel alone, though a part of it may lie in the next.
    const pointed = Math.floor(first + (y / height) * (last - first));
    const row = Math.max(this.down.from[line], Math.min(this.down.to[line] - 1, pointed));
    let index = this.across.from[column];
    if (index < 0) return null;
    const wanted = axis.unit(axis.step(x / width));
    const distance = (i) => Math.abs(axis.unit(table.steps[i]) - wanted);
    while (index + 1 < this.across.to[column] && distance(index + 1) <= distance(index)) index++;
    return this.cell(row, index, summary(table, this.layerOf, this.across, this.down, column, line));
  }

  cell(row, index, pixel = { count: 1 }) {
    const { table, names, marks } = this.view;
    const layer = names[row];
    const i = this.layerOf[row];
    const step = table.steps[index];
    return {
      run: runName(this.run),
      row,
      index,
      layer,
      path: table.pathOf(layer),
      step,
      value: i < 0 ? NaN : table.values[table.at(i, index)],
      missing: i < 0 || table.isMissing(i, index),
      marks: marks.filter((mark) => (mark.layer ?? layer) === layer && mark.since <= step),
      pixel,
    };
  }

  #place(event) {
    const box = this.front.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #listen() {
    const { front } = this;
    front.addEventListener("pointermove", (event) => {
      const [x, y] = this.#place(event);
      if (this.drag) {
        const { width, height } = this.view;
        this.drag.toX = Math.max(0, Math.min(width, x));
        this.drag.toY = Math.max(0, Math.min(height, y));
        this.drag.moved ||= Math.hypot(x - this.drag.x, y - this.drag.y) > DRAG;
        if (this.drag.moved) {
          this.on.leave();
          this.drawFront();
          return;
        }
      }
      const cell = this.cellAt(x, y);
      if (cell) this.on.hover(cell, event.clientX, event.clientY);
      else this.on.leave();
    });
    front.addEventListener("pointerleave", () => this.on.leave());
    front.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.view.table) return;
      const [x, y] = this.#place(event);
      this.keyed = false;
      this.drag = { x, y, toX: x, toY: y, moved: false };
      front.setPointerCapture(event.pointerId);
    });
    front.addEventListener("pointerup", () => {
      const { drag } = this;
      this.drag = null;
      if (!drag) return;
      if (drag.moved) this.#zoomTo(drag);
      else {
        const cell = this.cellAt(drag.x, drag.y);
        if (!cell) return;
        this.cursor = { row: cell.row, index: cell.index };
        this.on.pick(cell.layer);
      }
    });
    front.addEventListener("pointercancel", () => {
      this.drag = null;
      this.drawFront();
    });
    front.addEventListener("dblclick", () => this.on.reset());
    front.addEventListener("keydown", (event) => this.#key(event));
    for (const name of ["focus", "blur"]) {
      front.addEventListener(name, () => this.view && this.drawFront());
    }
  }

  #zoomTo({ x, y, toX, toY }) {
    const { axis, first, last, width, height } = this.view;
    const share = (a, b, whole) => [Math.min(a, b) / whole, Math.max(a, b) / whole];
    const [left, right] = share(x, toX, width);
    const [top, bottom] = share(y, toY, height);
    const n = last - first;
    const zoom = {};
    // A drag along one axis alone zooms that one.
    if ((right - left) * width > DRAG) zoom.steps = [axis.step(left), axis.step(right)];
    if ((bottom - top) * height > DRAG && n > 1) {
      zoom.rows = [Math.floor(first + top * n), Math.ceil(first + bottom * n)];
    }
    this.on.zoom(zoom);
  }

  #key(event) {
    const { table, names, first, last, axis } = this.view;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const known = [
      ..."ArrowUp ArrowDown ArrowLeft ArrowRight PageUp PageDown Home End".split(" "),
      ..."Enter,Escape, ,+,=,-,0".split(","),
    ];
    if (!known.includes(event.key)) return;
    event.preventDefault();
    if (event.key === "0") this.on.reset();
    else if (event.key === "Escape") this.on.close();
    if (!table || names.length === 0) return;
    if (event.key === "0" || event.key === "Escape") return;
    const seen = [...table.steps.keys()].filter((i) => {
      const share = axis.share(table.steps[i]);
      return share >= 0 && share <= 1;
    });
    if (seen.length === 0) return;
    const [left, right] = [seen[0], seen.at(-1)];
    this.keyed = true;
    const cursor = this.cursor ?? { row: first, index: left };
    const moved = this.cursor !== null;
    const by = Math.max(1, Math.round((last - first) / 10));
    if (moved) {
      if (event.key === "ArrowUp") cursor.row--;
      if (event.key === "ArrowDown") cursor.row++;
      if (event.key === "PageUp") cursor.row -= by;
      if (event.key === "PageDown") cursor.row += by;
      if (event.key === "ArrowLeft") cursor.index--;
      if (event.key === "ArrowRight") cursor.index++;
    }
    if (event.key === "Home") cursor.index = left;
    if (event.key === "End") cursor.index = right;
    cursor.row = Math.max(first, Math.min(last - 1, cursor.row));
    cursor.index = Math.max(left, Math.min(right, cursor.index));
    this.cursor = cursor;
    const cell = this.cell(cursor.row, cursor.index);
    if (event.key === "Enter" || event.key === " ") this.on.pick(cell.layer);
    if (event.key === "+" || event.key === "=") this.on.zoomBy(0.5, cell);
    if (event.key === "-") this.on.zoomBy(2, cell);
    this.drawFront();
    const box = this.front.getBoundingClientRect();
    const { width, height } = this.view;
    const x = box.left + axis.share(cell.step) * width;
    const y = box.top + ((cell.row - this.view.first + 0.5) / (this.view.last - this.view.first)) * height;
    this.on.hover(cell, x, y);
    this.on.say(cell);
  }
}

// The controls above the picture.

import { choose, element } from "./dom.js";
import { orderedQuantities, orderedStatistics, quantityName, runName, statisticName } from "./labels.js";
import { icon, kindName } from "./marks.js";
import { whole } from "./scale.js";

const HOW = [
  ["mean", "geometric mean"],
  ["max", "largest"],
  ["min", "smallest"],
];

const labelled = (text, control) => element("label", {}, element("span", {}, text), control);

function menu(className) {
  const head = element("summary");
  const body = element("div", { className: "sheet" });
  const box = element("details", { className: `menu ${className}` }, head, body);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box.open) return;
    box.open = false;
    head.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!box.contains(event.target)) box.open = false;
  });
  return { box, head, body };
}

export class Toolbar {
  // on: change(part of the state), reset(), reload()
  constructor(on) {
    this.on = on;
    const set = (name, key = "value") => (event) => on.change({ [name]: event.target[key] });
    this.quantity = element("select", { id: "quantity", onchange: set("quantity") });
    this.statistic = element("select", { id: "statistic", onchange: set("statistic") });
    this.filter = element("input", {
      id: "filter",
      type: "search",
      placeholder: "regular expression",
      title: "Only layers whose path matches, such as conv|kernel$ (upper and lower case are the same)",
      spellcheck: false,
      autocomplete: "off",
      "aria-describedby": "filter-note",
      oninput: set("filter"),
    });
    this.note = element("span", { id: "filter-note", role: "status" });
    this.how = element("select", { id: "how", onchange: set("how") });
    this.log = element("input", { id: "log", type: "checkbox", onchange: set("log", "checked") });
    this.clip = element("input", { id: "clip", type: "checkbox", onchange: set("clip", "checked") });
    this.runs = menu("runs");
    this.marks = menu("marks");
    const options = menu("options");
    options.head.textContent = "Options";
    options.body.append(
      labelled("Pixels of several values show the", this.how),
      element("label", {}, this.log, "Logarithmic step axis"),
      element("label", {}, this.clip, "Colours leave out the most extreme 1 % at each end"),
    );
    this.reset = element("button", { id: "reset", type: "button", onclick: on.reset }, "Reset zoom");
    this.status = element("span", { id: "status", role: "status" });
    this.element = element(
      "div",
      { className: "toolbar", role: "toolbar", "aria-label": "What is shown" },
      labelled("Quantity", this.quantity),
      labelled("Statistic", this.statistic),
      labelled("Layers", this.filter),
      this.note,
      this.runs.box,
      this.marks.box,
      options.box,
      this.reset,
      this.status,
    );
  }

  // view: state, quantities, statistics, runs, shown, layers, matching, wrong, marks, zoomed
  draw(view) {
    const { state } = view;
    const named = (name) => (key) => [key, name(key)];
    choose(this.quantity, orderedQuantities(view.quantities).map(named(quantityName)), state.quantity);
    choose(this.statistic, orderedStatistics(view.statistics).map(named(statisticName)), state.statistic);
    choose(this.how, HOW, state.how);
    if (this.filter.value !== state.filter) this.filter.value = state.filter;
    this.filter.setAttribute("aria-invalid", String(Boolean(view.wrong)));
    this.note.className = view.wrong ? "wrong" : "";
    this.note.textContent = view.wrong ?? (state.filter ? `${view.matching} of ${view.layers}` : "all");
    this.log.checked = state.log;
    this.clip.checked = state.clip;
    this.reset.hidden = !view.zoomed;
    this.#drawRuns(view);
    this.#drawMarks(view);
  }

  #drawRuns({ runs, shown }) {
    this.runs.head.textContent = `Runs: ${shown.length} of ${runs.length}`;
    const rewritten = JSON.stringify([runs, shown]);
    if (this.runs.body.dataset.drawn === rewritten) return;
    this.runs.body.dataset.drawn = rewritten;
    const focused = document.activeElement?.value;
    const boxes = runs.map((run) =>
      element("input", {
        type: "checkbox",
        value: run,
        checked: shown.includes(run),
        onchange: () => this.on.change({ runs: boxes.filter((box) => box.checked).map((box) => box.value) }),
      }),
    );
    const all = (list, text) =>
      element("button", { type: "button", onclick: () => this.on.change({ runs: list }) }, text);
    this.runs.body.replaceChildren(
      element("div", { className: "both" }, all([...runs], "All"), all([], "None")),
      ...boxes.map((box) => element("label", {}, box, runName(box.value))),
    );
    boxes.find((box) => box.value === focused)?.focus();
  }

  #drawMarks({ marks }) {
    this.marks.box.hidden = marks.length === 0;
    this.marks.head.textContent = `${marks.length} ${marks.length === 1 ? "warning" : "warnings"}`;
    const rewritten = JSON.stringify(marks);
    if (this.marks.body.dataset.drawn === rewritten) return;
    this.marks.body.dataset.drawn = rewritten;
    this.marks.body.replaceChildren(
      ...marks.map(({ run, mark }) =>
        element(
          "button",
          {
            type: "button",
            className: "finding",
            onclick: () => {
              this.marks.box.open = false;
              if (mark.layer) this.on.change({ layer: mark.layer });
            },
          },
          icon(mark.kind),
          element("b", {}, `${mark.layer ?? "All layers"}`),
          element("span", {}, `${kindName(mark.kind)} since step ${whole(mark.since)} · ${runName(run)}`),
          element("small", {}, [mark.cause, mark.advice].filter(Boolean).join(" ")),
        ),
      ),
    );
  }
}

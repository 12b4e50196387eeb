// Names of the layers beside the heat maps: all of them, or as many as there is room for.

import { element } from "./dom.js";
import { abbreviated, commonPrefix } from "./labels.js";
import { ordinal, whole } from "./scale.js";

export const ROW = { least: 11, most: 26 }; // height with a name for each, in pixels
const SPARSE = 15; // distance of names where not each row has one

export class Names {
  constructor(width, onPick) {
    this.width = width;
    this.onPick = onPick;
    this.heading = element("div", { className: "prefix" });
    this.element = element("div", { className: "names" });
    this.ruler = document.createElement("canvas").getContext("2d");
  }

  // layers: all rows there are; names: those that match, of which first … last are in sight
  draw(layers, names, first, last, height, picked) {
    const size = height / (last - first);
    const every = size >= ROW.least ? 1 : Math.ceil(SPARSE / size);
    const prefix = commonPrefix(layers);
    this.ruler.font = getComputedStyle(this.element).font;
    const fits = (text) => this.ruler.measureText(text).width <= this.width - 22;
    const made = [];
    for (let row = first; row < last; row += every) {
      const name = names[row];
      const label = element(
        "button",
        {
          type: "button",
          tabIndex: -1, // by keys, the heat map itself is the way
          title: name,
          className: name === picked ? "picked" : "",
          onclick: () => this.onPick(name),
        },
        abbreviated(name.slice(prefix.length), fits),
      );
      label.dataset.layer = name;
      label.style.top = `${(row - first + 0.5) * size}px`;
      made.push(label);
    }
    this.element.style.height = `${height}px`;
    this.element.replaceChildren(...made);
    const count = `${whole(last - first)} ${last - first === 1 ? "layer" : "layers"}`;
    const named = every > 1 ? `every ${ordinal(every)} of ${count}` : count;
    this.heading.textContent = `${prefix} ${named}`.trim();
    this.heading.title = this.heading.textContent;
  }

  // Show which layer the pointer is on.
  point(layer) {
    for (const label of this.element.children) {
      label.classList.toggle("pointed", label.dataset.layer === layer);
    }
  }
}

// The box beside the pointer.

import { kindName } from "./marks.js";
import { exact, short, whole } from "./scale.js";

export class Tooltip {
  constructor(parent) {
    this.box = document.createElement("div");
    this.box.className = "tooltip";
    this.box.setAttribute("role", "tooltip");
    this.box.hidden = true;
    parent.append(this.box);
  }

  // lines: [kind of line (a CSS class), text]
  show(lines, x, y) {
    this.box.replaceChildren(
      ...lines.map(([kind, text]) => {
        const line = document.createElement("div");
        line.className = kind;
        line.textContent = text;
        return line;
      }),
    );
    this.box.hidden = false;
    const { width, height } = this.box.getBoundingClientRect();
    const left = x + 14 + width > innerWidth ? x - 14 - width : x + 14;
    const top = y + 14 + height > innerHeight ? y - 14 - height : y + 14;
    this.box.style.left = `${Math.max(4, left)}px`;
    this.box.style.top = `${Math.max(4, top)}px`;
  }

  hide() {
    this.box.hidden = true;
  }
}

// A cell in words: for the box, and for those who cannot see it.
export function cellLines(cell, statistic) {
  const value = cell.missing ? "not measured" : exact(cell.value);
  const lines = [
    ["name", cell.path],
    ["value", `${statistic} ${value}`],
    ["where", `step ${whole(cell.step)} · ${cell.run}`],
  ];
  const { count, least, most, bad } = cell.pixel;
  if (count > 1) {
    const range = least <= most ? `, ${short(least)} to ${short(most)}` : "";
    const broken = bad ? `, ${bad} of them NaN or infinite` : "";
    lines.push(["more", `this pixel: ${count} values${range}${broken}`]);
  }
  for (const mark of cell.marks) lines.push(...markLines(mark));
  return lines;
}

export function markLines(mark) {
  const lines = [["mark", `${kindName(mark.kind)} since step ${whole(mark.since)}`]];
  if (mark.cause) lines.push(["more", `Likely cause: ${mark.cause}`]);
  if (mark.advice) lines.push(["more", `Try: ${mark.advice}`]);
  return lines;
}

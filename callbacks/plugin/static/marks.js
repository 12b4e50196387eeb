// Marks of layers that stopped learning: their signs, in the picture and in the legend.

export const KINDS = {
  stalled: { name: "stalled", path: "M-4,-4H-1V4H-4Z M1,-4H4V4H1Z" },
  below_resolution: { name: "update below the weight's resolution", path: "M-5,-4H5L0,5Z" },
  saturated: { name: "accumulator saturated", path: "M-4,-4H4V4H-4Z" },
  dead: { name: "no gradient", path: "M-5,-3L-3,-5L0,-2L3,-5L5,-3L2,0L5,3L3,5L0,2L-3,5L-5,3L-2,0Z" },
  exploding: { name: "exploding", path: "M-5,4H5L0,-5Z" },
  nan: { name: "first NaN", path: "M0,-6L6,0L0,6L-6,0Z" },
};
const OTHER = "M0,-4A4,4 0 1 0 0.01,-4Z";

export const kindName = (kind) => KINDS[kind]?.name ?? kind.replaceAll("_", " ");
export const kindPath = (kind) => KINDS[kind]?.path ?? OTHER;

export function icon(kind) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "-8 -8 16 16");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", kindPath(kind));
  svg.append(path);
  return svg;
}

const paths = new Map();

// A sign at (x, y), white with a black rim: seen on every colour of the scale.
function drawSign(context, kind, x, y, size) {
  if (!paths.has(kind)) paths.set(kind, new Path2D(kindPath(kind)));
  context.save();
  context.translate(x, y);
  context.scale(size, size);
  context.lineWidth = 2.5;
  context.strokeStyle = "#000";
  context.fillStyle = "#fff";
  context.lineJoin = "round";
  context.stroke(paths.get(kind));
  context.fill(paths.get(kind));
  context.restore();
}

// Marks of one run. `place(mark)`: {x, y, height} in pixels, or null if it is out of sight; y is null
// for a mark of no layer.
export function drawMarks(context, marks, place, width, height) {
  const signs = [];
  for (const mark of marks) {
    const at = place(mark);
    if (!at) continue;
    const thin = at.y !== null && at.height < 6;
    for (const [colour, line] of [["#000", thin ? 0 : 3], ["#fff", thin ? 1 : 1.5]]) {
      if (line === 0) continue;
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.setLineDash(colour === "#fff" ? [3, 3] : []);
      context.beginPath();
      context.moveTo(at.x, at.y ?? 0);
      context.lineTo(at.y === null ? at.x : width, at.y ?? height);
      context.stroke();
    }
    signs.push([mark.kind, Math.max(7, Math.min(width - 7, at.x)), at.y ?? 8]);
  }
  context.setLineDash([]);
  for (const [kind, x, y] of signs) {
    drawSign(context, kind, x, Math.max(7, Math.min(height - 7, y)), 1);
  }
}

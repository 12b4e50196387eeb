// Readable names: of layers, which may be long paths, of quantities and of statistics.

// Segments, with a slash at the end, that all paths begin with.
export function commonPrefix(paths) {
  if (paths.length < 2) return "";
  let parts = paths[0].split("/").slice(0, -1);
  for (const path of paths) {
    const others = path.split("/").slice(0, -1);
    let same = 0;
    while (same < parts.length && parts[same] === others[same]) same++;
    parts = parts.slice(0, same);
    if (same === 0) return "";
  }
  return parts.map((part) => `${part}/`).join("");
}

// Shorten a path until fits(text) holds: first segments in the middle go, then letters.
export function abbreviated(path, fits) {
  if (fits(path)) return path;
  const parts = path.split("/");
  for (let gone = 1; gone <= parts.length - 2; gone++) {
    const text = [parts[0], "…", ...parts.slice(1 + gone)].join("/");
    if (fits(text)) return text;
  }
  const text = parts.length > 2 ? `…/${parts.slice(-2).join("/")}` : path;
  if (fits(text)) return text;
  for (let kept = text.length - 1; kept > 2; kept--) {
    const head = Math.ceil(kept / 2);
    const cut = `${text.slice(0, head)}…${text.slice(text.length - (kept - head))}`;
    if (fits(cut)) return cut;
  }
  return "…";
}

// The server's: callbacks/log_format.py has them.
let names = { quantities: {}, statistics: {} };

export function setNames(found) {
  names = found ?? names;
}

export function quantityName(quantity) {
  const [family, ...rest] = quantity.split("/");
  if (family === "accumulator") return `Accumulator: ${rest.join("/").replaceAll("_", " ")}`;
  return names.quantities[quantity] ?? quantity.replaceAll("_", " ");
}

export const statisticName = (statistic) => names.statistics[statistic] ?? statistic;

const order = (first, list) =>
  list.sort((a, b) => {
    const [i, j] = [first.indexOf(a), first.indexOf(b)];
    return (i < 0 ? first.length : i) - (j < 0 ? first.length : j) || (a < b ? -1 : 1);
  });

// The most telling first: it is what a new visitor sees.
export function orderedQuantities(list) {
  return order(["effective_learning_rate", "update_ratio", "update_norm"], list);
}

export function orderedStatistics(list) {
  return order(["p50", "value", "mean", "min", "p05", "p95", "max", "norm"], list);
}

export const runName = (run) => (run === "." ? "(top folder)" : run);

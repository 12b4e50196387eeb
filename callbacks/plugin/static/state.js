// What the user chose; it outlives a reload of the page.

const KEY = "tfadaopt.optimizer-tab";

const FRESH = {
  quantity: "",
  statistic: "",
  filter: "",
  runs: null, // null: the first few
  how: "mean",
  log: false,
  clip: true,
  layer: null, // whose curves are shown
  zoom: {}, // steps: [from, to], rows: [first, last)
};

export function remembered() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY)) ?? {};
    return { ...FRESH, ...kept, zoom: kept.zoom ?? {} };
  } catch {
    return { ...FRESH, zoom: {} };
  }
}

export function remember(state) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // Then not.
  }
}

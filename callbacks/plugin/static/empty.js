// What to do where there is nothing to show.

import { element } from "./dom.js";

const EXAMPLE = `from tfadaopt.callbacks import OptimizerMonitor

model.fit(x, y, callbacks=[OptimizerMonitor("LOGDIR/my-run")])`;

export function emptyPage(logdir) {
  return element(
    "div",
    { className: "empty" },
    element("h1", {}, "No optimizer was watched yet"),
    element(
      "p",
      {},
      "This tab shows the effective learning rate, the accumulators and the updates of every layer, " +
        "step by step. Add the callback to your training, with any Keras optimizer:",
    ),
    element("pre", {}, element("code", {}, EXAMPLE.replace("LOGDIR", logdir || "logs"))),
    element(
      "p",
      {},
      logdir ? "TensorBoard looks for runs in " : "",
      logdir ? element("code", {}, logdir) : "",
      logdir ? ". The picture appears here by itself, soon after the first snapshot." : "",
    ),
  );
}

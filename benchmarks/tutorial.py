"""The pictures and numbers of the tutorial, which ``docs/tutorial.md`` includes.

    python benchmarks/tutorial.py

Writes ``docs/measured/tutorial-*``, in some 12 seconds of processor time.
"""

import argparse

import keras
import numpy as np
import tensorflow as tf
from measured import write_figure, write_text

import tfadaopt
from tfadaopt.experiments.problems.surfaces import Surface, contours, surfaces, walk
from tfadaopt.experiments.problems.walks import walk as walk_at
from tfadaopt.experiments.reports.figures import Contours, Lines, Series, Trajectory
from tfadaopt.experiments.reports.pages import exact

CONDITION, STEPS = 100.0, 1000
METHODS = ("SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam")
PRODUCTS = (0.5, 1.9, 2.05)  # η times the largest curvature
RATES = np.geomspace(1e-4, 10, 31)
LARGE, SMALL, TURN = 10.0, 0.1, 100
MATRIX = (64, 32)


def height(surface: Surface):
    return lambda w: surface.f(w[:, 0], w[:, 1])


def rate_of_sgd(surface: Surface) -> None:
    """Three rates of SGD across a ravine: too small, almost too large, too large."""
    rates = [product / CONDITION for product in PRODUCTS]
    seen = walk_at("SGD", rates, surface.start, 40, loss=height(surface), record=["point", "loss"])
    paths = []
    for i, rate in enumerate(rates):
        x, y = seen["point"][:, i].T
        outside = np.abs(y) > surface.y_range[1]
        shown = int(np.argmax(outside)) if outside.any() else len(y)
        paths.append(Trajectory(f"SGD, η = {exact(rate)}", x[:shown], y[:shown]))
    x, y, f = contours(surface)
    title = f"SGD in a ravine that is {exact(CONDITION)} times as steep across as along"
    last = seen["loss"][-1] / seen["loss"][0]
    grown = [
        f"at η = {exact(rate)} the loss has {'grown' if share > 1 else 'fallen'} to "
        f"{exact(share, 2)} of the first"
        for rate, share in zip(rates, last, strict=True)
    ]
    caption = f"After 40 steps, {'; '.join(grown)}. The limit is η = 2/λ = {exact(2 / CONDITION)}."
    data = Contours(title, "along", "across", x, y, f, tuple(paths), apart=True, caption=caption)
    write_figure("tutorial-rate", data)


def best_walks(surface: Surface) -> dict[str, dict]:
    return {method: walk(surface, method, RATES.tolist(), STEPS) for method in METHODS}


def momentum(surface: Surface, best: dict[str, dict]) -> None:
    """The first steps of SGD, Momentum and Nesterov, each at its best rate."""
    x, y, f = contours(surface)
    paths = []
    for method in ("SGD", "Momentum", "Nesterov"):
        along, across, _ = np.transpose(best[method]["path"][:41])
        paths.append(Trajectory(method, along, across))
    caption = " ".join(
        f"{method} at η = {exact(best[method]['learning_rate'], 2)} needs "
        f"{exact(best[method]['steps_to_target'])} steps to a ten-thousandth of the loss."
        for method in ("SGD", "Momentum", "Nesterov")
    )
    title = "The first 40 steps of each at its best rate"
    data = Contours(title, "along", "across", x, y, f, tuple(paths), apart=True, caption=caption)
    write_figure("tutorial-momentum", data)


def rates_of_adagrad(surface: Surface, rate: float) -> None:
    """Adagrad's rate in the steep and in the flat coordinate."""
    seen = walk_at("Adagrad", rate, surface.start, 100, loss=height(surface), record=["rate"])[
        "rate"
    ][1:, 0]
    t = np.arange(1, 101)
    series = tuple(
        Series(f"{name} the ravine", t, seen[:, i]) for i, name in enumerate(("along", "across"))
    )
    ratio = seen[-1, 0] / seen[-1, 1]
    caption = f"In the end the flat coordinate has {exact(ratio, 3)} times the rate of the steep."
    title = f"Adagrad's effective learning rates, η = {exact(rate, 2)}"
    data = Lines(title, "step", "η / √(ε + Σg²)", series, y_log=True, caption=caption)
    write_figure("tutorial-adagrad", data)


def forgetting() -> None:
    """Rates of Adagrad and RMSprop under gradients that are large at first."""
    t = np.arange(1, 4 * TURN + 1)
    stream = tf.constant(np.where(t <= TURN, LARGE, SMALL)[:, np.newaxis, np.newaxis])
    rates = {
        method: walk_at(
            method,
            0.01,
            [0.0],
            len(t),
            gradient=lambda w, t: stream[t - 1],
            record=["rate"],
        )["rate"][1:, 0, 0]
        for method in ("Adagrad", "RMSprop")
    }
    ends = " ".join(
        f"{method}'s rate goes from {exact(rate[TURN - 1], 2)} at step {TURN} to "
        f"{exact(rate[-1], 2)} at the end."
        for method, rate in rates.items()
    )
    series = tuple(Series(method, t, rate) for method, rate in rates.items())
    title = f"Gradients of {exact(LARGE)} for {TURN} steps, then of {exact(SMALL)}"
    data = Lines(title, "step", "effective learning rate", series, y_log=True, caption=ends)
    write_figure("tutorial-forgetting", data)


def steps_table(flat: dict[str, dict], turned: dict[str, dict]) -> None:
    """Steps of each method in the ravine, along the axes and turned."""
    lines = [
        "| method | steps, ravine along the axes | at η | steps, turned by 30° | at η |",
        "|---|---|---|---|---|",
    ]
    for method in METHODS:
        cells = []
        for found in (flat[method], turned[method]):
            steps = found["steps_to_target"]
            cells += [
                f"more than {exact(STEPS)}" if steps is None else exact(steps),
                exact(found["learning_rate"], 2),
            ]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    ratio = turned["Adagrad"]["steps_to_target"] / flat["Adagrad"]["steps_to_target"]
    before, after = (found["SGD"]["steps_to_target"] for found in (flat, turned))
    lines += [
        "",
        f"Turned, Adagrad needs {exact(ratio, 2)} times as many steps. SGD needs {exact(after)}, "
        f"and {exact(before)} along the axes.",
    ]
    write_text("tutorial-steps", lines)


def singular_values() -> None:
    """Singular values of a gradient, and of the step that Muon makes of it."""
    random = np.random.default_rng(0)
    left, right = (np.linalg.qr(random.standard_normal((n, MATRIX[1])))[0] for n in MATRIX)
    before = np.geomspace(1, 0.01, MATRIX[1])
    gradient = (left * before) @ right.T
    w = keras.Variable(np.zeros(MATRIX), name="w")
    optimizer = tfadaopt.Muon(learning_rate=1.0, only_muon=[".*"])
    optimizer.apply([keras.ops.cast(gradient, "float32")], [w])
    after = np.linalg.svd(w.numpy(), compute_uv=False)
    place = np.arange(1, MATRIX[1] + 1)
    ratio = after[0] / after[-1]
    caption = (
        f"The largest is {exact(before[0] / before[-1], 3)} times the smallest in the gradient, "
        f"and {exact(ratio, 2)} times in the step."
    )
    series = (Series("gradient", place, before), Series("step of Muon ÷ η", place, after))
    data = Lines(
        f"Singular values of a kernel of {MATRIX[0]} × {MATRIX[1]}",
        "number of the singular value",
        "singular value",
        series,
        y_log=True,
        caption=caption,
    )
    write_figure("tutorial-muon", data)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    found = surfaces(CONDITION)
    ravine, turned = found["ravine"], found["rotated ravine"]
    flat = best_walks(ravine)
    rate_of_sgd(ravine)
    momentum(ravine, flat)
    rates_of_adagrad(ravine, flat["Adagrad"]["learning_rate"])
    forgetting()
    steps_table(flat, best_walks(turned))
    singular_values()


if __name__ == "__main__":
    main()

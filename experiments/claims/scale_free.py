"""2.10 "Adagrad adaptively scales the learning rate …": the unit of the loss plays no part."""

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial import claim

FACTORS, STEPS, START = np.logspace(-6, 6, 13), 500, (-0.5, 1.5)
KINDS = {
    "Adagrad, ε = 0": ("Adagrad", 0.5, {"epsilon": 0.0}),
    "Adagrad, ε = 1e-7": ("Adagrad", 0.5, {"epsilon": 1e-7}),
    "Adam, ε = 1e-8": ("Adam", 0.1, {"epsilon": 1e-8}),
    "SGD": ("SGD", 1e-4, {}),
}


def slope(w, t):
    x, y = w[:, :1], w[:, 1:]
    g = tf.concat([2 * (x - 1) - 400 * x * (y - x**2), 200 * (y - x**2)], axis=1)
    return FACTORS[:, np.newaxis] * g


def run(settings) -> claim.Finding:
    apart, series, failures = {}, [], []
    for kind, (method, rate, arguments) in KINDS.items():
        more = {"gradient": slope, "record": ["point"], **arguments}
        path = walk(method, rate, np.tile(START, (13, 1)), STEPS, **more)["point"]
        finite = np.isfinite(path).all(axis=(0, 2))
        distance = np.hypot(*np.moveaxis(path - path[:, [6]], 2, 0)).max(axis=0)
        apart[kind] = np.where(finite, distance, np.inf)
        failures.append(claim.Failure(f"{kind}: factors with which it diverged", sum(~finite), 13))
        series.append(Series(kind, FACTORS, np.clip(apart[kind], 1e-16, 1e3)))
    free = claim.within("ε = 0: distance, any c", apart["Adagrad, ε = 0"].max(), 0, absolute=1e-9)
    *_, last = small, *_ = apart["Adagrad, ε = 1e-7"]
    large = claim.within("ε = 1e-7: distance at c = 10⁶", last, 0, absolute=1e-6)
    numbers = (claim.Number("ε = 1e-7: distance at c = 10⁻⁶", small, key=True), free, large)
    words = "Paths on Rosenbrock's function times c", "c", "largest distance to the path of c = 1"
    figure = Lines(*words, tuple(series), x_log=True, y_log=True, caption=CAPTION)
    word = "refuted" if not free.agrees else "confirmed" if small < 1e-9 else "depends"
    return claim.Finding(word, CONDITION, numbers, (figure,), MEANING, tuple(failures))


CAPTION = "At rounding for ε = 0, of order 1 for SGD, which diverges for large c."
CONDITION = "So with ε = 0; with ε = 1e-7 only where slopes are far above √ε = 3·10⁻⁴."
MEANING = "Scaling the loss, or a layer's units, changes SGD's best rate, but not Adagrad's."
CLAIM = claim.Claim(
    "claim-scale-free",
    __doc__,
    "Free of scale",
    hypothesis="Replacing f by c·f changes no step of Adagrad.",
    measure=f"Largest distance of paths, {STEPS} steps on Rosenbrock, c from 10⁻⁶ to 10⁶, float64.",
    acceptance="Confirmed if < 1e-9 also with ε = 1e-7, depends if only with ε = 0, else refuted.",
    theory="g/√r does not change if all slopes are multiplied by c; with an ε it does.",
    source="Z. Zhuang et al. (2022), arXiv 2202.00089, on scale-freeness.",
    run=run,
)

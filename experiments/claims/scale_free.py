"""2.10 "Adagrad adaptively scales the learning rate …": the unit of the loss plays no part."""

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Claim, Failure, Finding, Lines, Number, Series, within
from tfadaopt.experiments.claims.walks import walk

FACTORS = np.logspace(-6, 6, 13)
STEPS, START = 500, (-0.5, 1.5)
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


def run(settings) -> Finding:
    apart, series, failures = {}, [], []
    for kind, (method, rate, arguments) in KINDS.items():
        start = np.tile(START, (len(FACTORS), 1))
        more = {"gradient": slope, "record": ["point"], **arguments}
        path = walk(method, rate, start, STEPS, **more)["point"]
        finite = np.isfinite(path).all(axis=(0, 2))
        distance = np.linalg.norm(path - path[:, [6]], axis=2).max(axis=0)
        apart[kind] = np.where(finite, distance, np.inf)
        failures.append(Failure(f"{kind}: factors with which it diverged", sum(~finite), 13))
        series.append(Series(kind, FACTORS, np.clip(apart[kind], 1e-16, 1e3)))
    free = within("Adagrad, ε = 0: any c", apart["Adagrad, ε = 0"].max(), 0, absolute=1e-9)
    with_epsilon = apart["Adagrad, ε = 1e-7"]
    large = within("Adagrad, ε = 1e-7: c = 10⁶", with_epsilon[-1], 0, absolute=1e-6)
    small = Number("Adagrad, ε = 1e-7: c = 10⁻⁶", with_epsilon[0], key=True)
    figure = Lines(
        *("Paths on Rosenbrock's function times c", "c", "largest distance to the path of c = 1"),
        tuple(series),
        **{"x_log": True, "y_log": True, "caption": "At rounding for ε = 0, of order 1 for SGD."},
    )
    condition = (
        "Exactly so with ε = 0. With ε = 1e-7 it is so where slopes are far above √ε = 3·10⁻⁴: "
        f"paths stay within {large.measured:.1g} for c = 10⁶, but part by {small.measured:.2g} "
        "for c = 10⁻⁶."
    )
    meaning = "Scaling the loss, or a layer's units, changes SGD's best rate, but not Adagrad's."
    verdict = "refuted" if not free.agrees else "confirmed" if small.measured < 1e-9 else "depends"
    return Finding(verdict, condition, (free, large, small), (figure,), meaning, tuple(failures))


CLAIM = Claim(
    name="claim-scale-free",
    heading=__doc__,
    title="Free of scale",
    hypothesis="Replacing f by c·f changes no step of Adagrad.",
    measure=f"Largest distance of paths, {STEPS} steps on Rosenbrock, c from 10⁻⁶ to 10⁶, float64.",
    acceptance="Confirmed if < 1e-9 also with ε = 1e-7, depends if only with ε = 0, else refuted.",
    theory="g/√r does not change if all slopes are multiplied by c; with an ε it does.",
    source='Z. Zhuang et al., "Understanding AdamW through … scale-freeness", TMLR 2022.',
    run=run,
)

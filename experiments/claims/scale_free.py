"""2.10 "Adagrad adaptively scales the learning rate …": whatever the unit of the loss. """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Claim, Failure, Finding, Lines, Series, between, within
from tfadaopt.experiments.claims.walks import walk

FACTORS = np.logspace(-6, 6, 13)
STEPS, START = 500, [-0.5, 1.5]
KINDS = (("Adagrad", 0.5, 0.0), ("Adagrad", 0.5, 1e-7), ("Adam", 0.1, 0.0), ("Adam", 0.1, 1e-8), ("SGD", 0.001, None))


def rosenbrock(w):
    x, y = w[:, 0], w[:, 1]
    slope = tf.stack([2 * (x - 1) - 400 * x * (y - x**2), 200 * (y - x**2)], axis=1)
    return FACTORS[:, np.newaxis] * slope


def run(settings) -> Finding:
    deviations, series = {}, []
    for method, rate, epsilon in KINDS:
        path = walk(
            *(method, rate, np.tile(START, (13, 1)), STEPS),
            **{"gradient": lambda w, t: rosenbrock(w), "record": ["point"]},
            **({} if epsilon is None else {"epsilon": epsilon}),
        )["point"]
        apart = np.linalg.norm(path - path[:, [6]], axis=2).max(axis=0)
        deviations[method, epsilon] = np.where(np.isfinite(path).all((0, 2)), apart, np.inf)
        label = method if epsilon is None else f"{method}, ε = {epsilon:g}"
        series.append(Series(label, FACTORS, np.maximum(deviations[method, epsilon], 1e-16)))

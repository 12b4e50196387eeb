"""2.15 "RMSProp", "Adam": to forget old gradients does no harm on convex problems."""

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Finding, Series, between, within
from tfadaopt.experiments.claims.walks import walk

ROUNDS = 30_000


def play(method, c, **arguments) -> np.ndarray:
    """Points x₁, …, x_T in [−1, 1] against slopes c, −1, −1, c, … from x₁ = 1."""
    slope = lambda w, t: tf.where(t % 3 == 1, np.float64(c), -1.0) * tf.ones_like(w)  # noqa: E731
    rate = 0.5 * c / np.sqrt(1 + c**2)
    more = {"gradient": slope, "project": lambda w: tf.clip_by_value(w, -1, 1), **arguments}
    if method != "Adagrad":  # its sum already makes η/√t
        more["schedule"] = tf.math.rsqrt
    return walk(method, rate, [1.0], ROUNDS, record=["point"], **more)["point"][:-1, 0, 0]


def run(settings) -> Finding:
    numbers, series, t = [], [], np.arange(1, ROUNDS + 1)
    shown = np.unique(np.logspace(0, np.log10(ROUNDS), 60).astype(int)) - 1
    for c in (3, 10):
        forgets = {"beta_1": 0.0, "beta_2": 1 / (1 + c**2)}
        cases = {
            "RMSprop": ("RMSprop", {"rho": forgets["beta_2"], "epsilon": 0.0}),
            "Adam": ("Adam", {**forgets, "epsilon": 0.0}),
            "AMSGrad": ("AMSGrad", {**forgets, "epsilon": 0.0}),
            "ADOPT": ("ADOPT", forgets),
            "ADOPT, no clip": ("ADOPT", {**forgets, "clip": False}),
            "Adagrad": ("Adagrad", {}),
            "SGD": ("SGD", {}),
        }
        for label, (method, arguments) in cases.items():
            x = play(method, c, **arguments)
            regret = np.cumsum(np.where(t % 3 == 1, c, -1.0) * (x + 1)) / t
            text, theory = f"C = {c}, {label}: average regret", (2 * c - 4) / 3
            if label in ("RMSprop", "Adam"):
                more = {"relative": 0.01, "key": c == 3 and label == "Adam"}
                numbers.append(within(text, regret[-1], theory, **more))
            else:
                numbers.append(between(text, regret[-1], 0, 0.05, theory=0.0))
            if c == 3:
                series.append(Series(label, t[shown], regret[shown]))

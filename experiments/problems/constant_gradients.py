"""Adagrad under gradients that do not change: how its rate falls."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk

RATE = 0.1
GRADIENTS = np.array([1e-5, 1e-4, 1e-2, 1.0])
HORIZONS = (100, 10_000, 1_000_000)
MANY, LONG = HORIZONS[:2]
# ε and r₀: of the lecture, of Keras, and of the paper's analysis.
KINDS = {"ε = 1e-7": (1e-7, 0.0), "r₀ = 0.1 (Keras)": (1e-7, 0.1), "ε → 0": (0.0, 0.0)}
AT = np.unique(np.logspace(0, 6, 61).round().astype(int))


@dataclass(frozen=True)
class Falls:
    """How many times the rate has fallen at the steps ``AT``, by kind [steps, gradients].

    Since before the first step; with ε → 0, where that rate is infinite, since the first step.
    """

    falls: dict[str, np.ndarray]

    def after(self, kind: str, steps: int) -> np.ndarray:
        """Return the fall after as many steps [gradients]."""
        fall: np.ndarray = self.falls[kind][int(np.flatnonzero(np.isin(AT, steps))[0])]
        return fall

    def start(self, kind: str) -> float:
        """Return ε + r₀."""
        return sum(KINDS[kind])


def falls() -> Falls:
    """Return the falls of the rate of Adagrad, by kind.

    A stretch of n equal gradients g is one gradient √n · g: its square is the same.
    """
    gradients = tf.constant(np.sqrt(np.diff(AT, prepend=0))[:, np.newaxis, np.newaxis] * GRADIENTS)
    found = {}
    for kind, (epsilon, initial) in KINDS.items():
        rates = walk(
            "Adagrad",
            RATE,
            np.zeros(len(GRADIENTS)),
            len(AT),
            gradient=lambda w, t: gradients[t - 1],
            record=["rate"],
            epsilon=epsilon,
            initial_accumulator_value=initial,
        )["rate"][:, 0]
        first = rates[0] if epsilon + initial else rates[1]
        found[kind] = first / rates[1:]
    return Falls(found)

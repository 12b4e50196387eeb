"""2.17 "Learning rate may become too small due to the accumulation." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding, within

RATE, CLIFF, DISTANCE, STEEP, FLAT = 0.1, 100, 5.0, np.float64(100), np.float64(0.1)
K = np.arange(1, 600_001)  # steps on the plateau


def way(method, cliff=CLIFF, steps=3000, **arguments) -> np.ndarray:
    slope = lambda w, t: tf.where(t <= cliff, STEEP, FLAT) * tf.ones_like(w)  # noqa: E731
    more = {"gradient": slope, "record": ["point"], **arguments}
    w = walk(method, RATE, [0.0], cliff + steps, **more)["point"][cliff:, 0, 0]
    return w[0] - w


def mean(share, steep, flat) -> np.ndarray:  # a running mean, on the plateau
    return share**K * steep * (1 - share**CLIFF) + (1 - share**K) * flat


def run(settings) -> Finding:
    exact, v = {"epsilon": 0.0}, mean(0.999, STEEP**2, FLAT**2) / (1 - 0.999 ** (CLIFF + K))
    m = mean(0.9, STEEP, FLAT) / (1 - 0.9 ** (CLIFF + K))
    cases = {  # the way, and the steps that theory predicts
        "Adagrad": (way("Adagrad", steps=600_000, **exact), FLAT / np.sqrt(1e6 + FLAT**2 * K)),
        "Adagrad, r reset": (way("Adagrad", cliff=0, **exact), 1 / np.sqrt(K)),
        "RMSprop": (way("RMSprop", **exact), FLAT / np.sqrt(mean(0.9, STEEP**2, FLAT**2))),
        "Adam": (way("Adam", steps=20_000, **exact), m / np.sqrt(v)),
        "SGD": (way("SGD"), FLAT + 0 * K),
    }
    numbers, series, steps = [], [], {}
    for name, (measured, theory) in cases.items():
        steps[name] = (measured < DISTANCE).sum() if measured[-1] >= DISTANCE else np.inf
        expected = 1 + (np.cumsum(RATE * theory) < DISTANCE).sum()
        more = {"unit": "steps", "key": name == "Adagrad", "absolute": 1}
        numbers.append(within(f"{name}: steps over the plateau", steps[name], expected, **more))
        shown = np.unique(np.logspace(0, np.log10(len(measured) - 1), 60).astype(int))
        series.append(Series(name, shown, measured[shown]))
    words = "The way on a plateau after a cliff", "steps on the plateau", "way", tuple(series)
    figure = Lines(*words, x_log=True, y_log=True, caption=CAPTION)
    slower = steps["Adagrad"] / steps["Adagrad, r reset"]
    word = "confirmed" if slower >= 100 and numbers[0].agrees else "refuted"
    condition = f"After 100 steep steps Adagrad takes {slower:.0f} times the steps of one reset."
    return Finding(word, condition, tuple(numbers), (figure,), MEANING)


CAPTION = "Adagrad arrives hundreds of times later than with its sum reset."
MEANING = "Large gradients at the start, as before normalization settles, cost Adagrad the run."
CLAIM = Claim(
    "claim-plateau",
    __doc__,
    "A plateau after a cliff",
    hypothesis="Adagrad's sum over a cliff keeps it slow ever after; resetting the sum cures it.",
    measure=f"{CLIFF} steps of slope 100, then slope 0.1 over a way of {DISTANCE:g}; η = {RATE}.",
    acceptance="Confirmed if the count is as predicted, and ≥ 100 times that with r reset to 0.",
    theory="Roughly way · √r/(ηg) = 500,000; with the plateau's own squares in r, 500,625.",
    source="Computed here.",
    run=run,
)

"""2.17 "Learning rate may become too small due to the accumulation." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Claim, Finding, Lines, Series, within
from tfadaopt.experiments.claims.walks import walk

RATE, CLIFF, DISTANCE = 0.1, 100, 5.0
STEEP, FLAT = np.float64(100), np.float64(0.1)
K = np.arange(1, 600_001)


def way(method, cliff=CLIFF, steps=3000, **arguments) -> np.ndarray:
    """Way on the plateau after 0, 1, … steps on it."""
    slope = lambda w, t: tf.where(t <= cliff, STEEP, FLAT) * tf.ones_like(w)  # noqa: E731
    more = {"gradient": slope, "record": ["point"], **arguments}
    w = walk(method, RATE, [0.0], cliff + steps, **more)["point"][cliff:, 0, 0]
    return w[0] - w


def predicted(share_m, share_v) -> np.ndarray:
    """Way of a method of running means, which start as those of the cliff."""
    kept, v_kept = share_m**K, share_v**K
    m = kept * STEEP * (1 - share_m**CLIFF) + (1 - kept) * FLAT
    v = v_kept * STEEP**2 * (1 - share_v**CLIFF) + (1 - v_kept) * FLAT**2
    if share_m:
        m, v = m / (1 - share_m ** (CLIFF + K)), v / (1 - share_v ** (CLIFF + K))
    return np.cumsum(RATE * m / np.sqrt(v))


def run(settings) -> Finding:
    summed, exact = CLIFF * STEEP**2 + FLAT**2 * K, {"epsilon": 0.0}
    cases = {
        "Adagrad": (way("Adagrad", steps=len(K), **exact), RATE * FLAT * np.cumsum(summed**-0.5)),
        "Adagrad, r reset": (way("Adagrad", cliff=0, **exact), RATE * np.cumsum(K**-0.5)),
        "RMSprop": (way("RMSprop", rho=0.9, **exact), predicted(0, 0.9)),
        "Adam": (way("Adam", steps=20_000, **exact), predicted(0.9, 0.999)),
        "SGD": (way("SGD"), RATE * FLAT * K),
    }
    numbers, series, steps = [], [], {}
    for name, (measured, theory) in cases.items():
        steps[name] = (measured < DISTANCE).sum() if measured[-1] >= DISTANCE else np.inf
        more = {"unit": "steps", "key": name == "Adagrad", "absolute": 1}
        expected = 1 + (theory < DISTANCE).sum()
        numbers.append(within(f"{name}: steps over the plateau", steps[name], expected, **more))
        shown = np.unique(np.logspace(0, np.log10(len(measured) - 1), 60).astype(int))
        series.append(Series(name, shown, measured[shown]))
    figure = Lines(
        *("The way on a plateau after a cliff", "steps on the plateau", "way", tuple(series)),
        **{"x_log": True, "y_log": True, "caption": "Adagrad is 1000 times later than its reset."},
    )
    slower = steps["Adagrad"] / steps["Adagrad, r reset"]
    condition = f"After 100 steep steps Adagrad takes {slower:.0f} times the steps of one reset."
    meaning = "Large gradients at the start, as before normalization settles, cost Adagrad the run."
    verdict = "confirmed" if slower >= 100 and numbers[0].agrees else "refuted"
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning)


CLAIM = Claim(
    name="claim-plateau",
    heading=__doc__,
    title="A plateau after a cliff",
    hypothesis="Adagrad's sum over a cliff keeps it slow ever after; resetting the sum cures it.",
    measure=f"{CLIFF} steps of slope 100, then slope 0.1 over a way of {DISTANCE:g}; η = {RATE}.",
    acceptance="Confirmed if the count is as predicted, and ≥ 100 times that with r reset to 0.",
    theory="Roughly way · √r/(ηg) = 500,000; with the plateau's own squares in r, 500,625.",
    source="Computed here.",
    run=run,
)

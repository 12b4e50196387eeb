"""After a cliff, Adagrad's sum keeps it slow on a plateau; resetting the sum cures it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, within

RATE, CLIFF, DISTANCE, STEEP, FLAT = 0.1, 100, 5.0, 100.0, 0.1
K = np.arange(1, 600_001)  # steps on the plateau
RESET = "Adagrad, r reset"


@dataclass(frozen=True)
class Seen:
    """Distance on the plateau after each of its steps, by method."""

    distance: dict[str, np.ndarray]

    def steps(self, name: str) -> float:
        """Return the steps over the plateau; infinity: it was not crossed."""
        distance = self.distance[name]
        return float((distance < DISTANCE).sum()) if distance[-1] >= DISTANCE else np.inf

    @property
    def slower(self) -> float:
        return self.steps("Adagrad") / self.steps(RESET)


def crossed(method: str, cliff: int = CLIFF, steps: int = 3000, **arguments: Any) -> np.ndarray:
    """Return the distance on the plateau [1 + steps], after some steps of the cliff."""
    w = walk(
        method,
        RATE,
        [0.0],
        cliff + steps,
        gradient=lambda w, t: tf.where(t <= cliff, np.float64(STEEP), FLAT) * tf.ones_like(w),
        record=["point"],
        **arguments,
    )["point"][cliff:, 0, 0]
    distance: np.ndarray = w[0] - w
    return distance


def observe(settings: Claims) -> Seen:
    return Seen(
        {
            "Adagrad": crossed("Adagrad", steps=len(K), epsilon=0.0),
            RESET: crossed("Adagrad", cliff=0, epsilon=0.0),
            "RMSprop": crossed("RMSprop", epsilon=0.0),
            "Adam": crossed("Adam", steps=20_000, epsilon=0.0),
            "SGD": crossed("SGD"),
        }
    )


def predicted() -> dict[str, int]:
    """Return the steps over the plateau by theory: steps of each method, summed up."""

    def mean(share: float, steep: float, flat: float) -> np.ndarray:  # a running mean
        return share**K * steep * (1 - share**CLIFF) + (1 - share**K) * flat

    v = mean(0.999, STEEP**2, FLAT**2) / (1 - 0.999 ** (CLIFF + K))
    m = mean(0.9, STEEP, FLAT) / (1 - 0.9 ** (CLIFF + K))
    lengths = {
        "Adagrad": FLAT / np.sqrt(CLIFF * STEEP**2 + FLAT**2 * K),
        RESET: 1 / np.sqrt(K),
        "RMSprop": FLAT / np.sqrt(mean(0.9, STEEP**2, FLAT**2)),
        "Adam": m / np.sqrt(v),
        "SGD": FLAT + 0 * K,
    }
    return {name: 1 + int((np.cumsum(RATE * x) < DISTANCE).sum()) for name, x in lengths.items()}


def decide(seen: Seen, limits: Limits) -> Verdict:
    if seen.slower >= limits["times the steps"]:
        return "confirmed"
    return "depends" if seen.slower > limits["slower at all"] else "refuted"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    slower = exact(seen.slower, 3)
    numbers = [
        Number(
            "Adagrad's steps over those with r reset to 0",
            seen.slower,
            unit="×",
            agrees=seen.slower >= limits["times the steps"],
            allowed=f"≥ {limits['times the steps']:g}",
            key=True,
        )
    ]
    series = []
    for name, theory in predicted().items():
        label = f"{name}: steps over the plateau"
        numbers.append(within(label, seen.steps(name), theory, absolute=1, unit="steps"))
        distance = seen.distance[name]
        shown = np.unique(np.logspace(0, np.log10(len(distance) - 1), 60).astype(int))
        series.append(Series(name, shown, distance[shown]))
    others = ", ".join(
        f"{name} {exact(seen.steps(name), 3)}" for name in ("RMSprop", "Adam", "SGD")
    )
    count = (
        f"After {CLIFF} steep steps Adagrad takes {exact(seen.steps('Adagrad'))} steps over the "
    )
    count += f"plateau, {slower} times those with its sum reset; {others}."
    condition = {
        "confirmed": f"The sum is what makes it slow. {count}",
        "depends": f"The sum makes it slower, by less than was asked for. {count}",
        "refuted": f"The sum does not make it slower. {count}",
    }[verdict]
    meaning = {
        "confirmed": "Large gradients at the start, as before normalization settles, cost Adagrad "
        "the run: warm up, or clip.",
        "depends": "Large early gradients cost some steps: clip them if the loss flattens.",
        "refuted": "Large early gradients do no lasting harm here.",
    }[verdict]
    figure = Lines(
        "Distance on a plateau after a cliff",
        "steps on the plateau",
        "distance",
        tuple(series),
        x_log=True,
        y_log=True,
        caption=f"Adagrad takes {slower} times the steps of Adagrad with its sum reset.",
    )
    fails = "the harm is smaller than was asked for" if verdict == "depends" else ""
    fails = "the method tried" if verdict == "refuted" else fails
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-plateau",
    reading=__doc__,
    title="A plateau after a cliff",
    kind="by theorem",
    hypothesis="Adagrad needs many times the steps over a plateau after a cliff that it needs with "
    "its sum reset there.",
    measure=f"{CLIFF} steps of gradient {STEEP:g}, then gradient {FLAT} over a distance of "
    f"{DISTANCE:g}; η = {RATE}, ε = 0.",
    acceptance="Confirmed if Adagrad's steps are at least the first multiple of those with r reset "
    "to 0; depends if at least more than the second; else refuted.",
    theory="Steps of η·g/√(10⁶ + g²k): 500,625 until they sum up to 5, where r = 10⁶ alone would "
    "give distance · √r/(ηg) = 500,000. Reset: Σ η/√k = 5 after 661.",
    source="Summed here from the definitions of the methods; the idea: I. Goodfellow, Y. Bengio "
    "and "
    "A. Courville, Deep Learning (2016), 8.5.2.",
    dated="2026-11-29",
    limits={"times the steps": 100.0, "slower at all": 1.5},
    observe=observe,
    decide=decide,
    tell=tell,
)

"""In bfloat16, steps below half the spacing of numbers are lost, so training stops."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.bfloat16 import bfloat16_walk
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all, within

RATE, STEPS = 0.01, 400
SPACINGS = {1.5: 2.0**-7, 0.9: 2.0**-8}  # of bfloat16 numbers below a weight
NEAREST, RANDOM = "rounded to nearest (Keras)", "rounded at random (tfadaopt)"


@dataclass(frozen=True)
class Seen:
    """Distances of weights, by start rounded to nearest, and the mean of those at random."""

    nearest: dict[float, np.ndarray]
    random: np.ndarray
    r: dict[str, float]
    last_growth: float

    def growth(self) -> dict[str, float]:
        """Return what the second half of the steps adds, as a share of the first half's."""
        half = STEPS // 2
        walked = {NEAREST: self.nearest[1.5], RANDOM: self.random}
        return {name: float(d[-1] / d[half] - 1) for name, d in walked.items()}

    def last_move(self, start: float) -> int:
        return last_change(self.nearest[start])


def last_change(values: np.ndarray) -> int:
    return int(np.flatnonzero(np.diff(values)).max(initial=-1)) + 1


def observe(settings: Claims) -> Seen:
    keras.utils.set_random_seed(settings.seed)
    nearest, r = {}, {}
    for start in SPACINGS:
        rounding = keras.optimizers.Adagrad(RATE, initial_accumulator_value=0.0)
        distance, r[NEAREST] = bfloat16_walk(rounding, start, STEPS)
        nearest[start] = distance[:, 0]
    distance, r[RANDOM] = bfloat16_walk(tfadaopt.Adagrad(RATE), 1.5, STEPS)
    grows = walk(
        "Adagrad",
        RATE,
        [0.0],
        2000,
        gradient=lambda w, t: tf.ones_like(w),
        dtype="float32",
        record=["accumulator"],
        initial_accumulator_value=2.0**24 - 1000,
    )["accumulator"][:, 0, 0]
    return Seen(nearest, distance.mean(axis=1), r, last_change(grows))


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(g <= limits["growth in the second half"] for g in seen.growth().values())


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    most, growth, numbers = limits["growth in the second half"], seen.growth(), []
    for name, found in growth.items():
        numbers.append(
            Number(
                f"{name}: what steps {STEPS // 2} to {STEPS} add to the distance before",
                found,
                agrees=found <= most,
                allowed=f"≤ {most:g}",
                key=name == NEAREST,
            )
        )
    for start, spacing in SPACINGS.items():
        stop = float(np.floor((2 * RATE / spacing) ** 2))
        label = f"{NEAREST}, w ≈ {start}: last step that moves w"
        numbers.append(within(label, seen.last_move(start), stop, absolute=1, unit="steps"))
    t = np.arange(STEPS + 1)
    theory = 2 * RATE * np.sqrt(t) - 1.4604 * RATE * (t > 0)
    numbers += [
        Number(f"{RANDOM}: mean distance in {STEPS} steps", seen.random[-1], theory=theory[-1]),
        Number(f"{NEAREST}: r after {STEPS} gradients of 1", seen.r[NEAREST], theory=256.0),
        Number(f"{RANDOM}: r after {STEPS} gradients of 1", seen.r[RANDOM], theory=float(STEPS)),
        Number("float32 r from 2²⁴ − 1000: last step it grows", seen.last_growth, theory=1000.0),
    ]
    series = [Series(f"Keras, from {start}", t, d) for start, d in seen.nearest.items()]
    series += [
        Series("tfadaopt, mean", t, seen.random),
        Series("tfadaopt, mean: 2η√t − 1.46η", t, theory, style="theory", of="tfadaopt, mean"),
    ]
    stopped = [name for name, found in growth.items() if found <= most]
    goes_on = [name for name in growth if name not in stopped]
    each = ", ".join(f"{name} {found:.0%}" for name, found in growth.items())
    moves = " and ".join(f"{seen.last_move(s)} (from {s})" for s in SPACINGS)
    condition = {
        "confirmed": f"Both stop. The second half of the steps adds to the distance: {each}.",
        "depends": f"Weights {' and '.join(stopped)} stop, those {' and '.join(goes_on)} go on. "
        "The "
        f"second half of the steps adds to the distance: {each}. Rounded to nearest, the last step "
        f"that moves a weight is {moves}.",
        "refuted": f"Neither stops. The second half of the steps adds to the distance: {each}.",
    }[verdict]
    meaning = {
        "confirmed": "Keep a float32 copy of bfloat16 weights.",
        "depends": "Train bfloat16 weights with random rounding, or keep a float32 copy of them.",
        "refuted": "bfloat16 weights may be trained as they are.",
    }[verdict]
    figure = Lines(
        "bfloat16 weights under gradients of 1",
        "step t",
        "distance",
        tuple(series),
        caption=f"The second half adds: {each}.",
    )
    fails = "; ".join(goes_on)
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-low-precision",
    reading=__doc__,
    title="Stopping by rounding",
    kind="by theorem",
    hypothesis="bfloat16 weights under a constant gradient come to rest, however they are rounded.",
    measure=f"Adagrad of Keras (to nearest) and of tfadaopt (at random, mean of 256 copies), η = "
    f"{RATE}, gradients of 1, {STEPS} steps from 1.5 and 0.9. At rest: the second half of the "
    "steps adds next to nothing to the distance. Beside it: r near 2²⁴ in float32.",
    acceptance="At rest is at most the given growth in the second half. Confirmed if both ways of "
    "rounding come to rest, depends if one does, refuted if none.",
    theory="To nearest, a step below half the spacing s is lost: from t = (2η/s)² on, 6 or 26. At "
    "random it is right in the mean: 2η√t − 1.46η. r + 1 = r from 256 on in bfloat16, from 2²⁴ on "
    "in float32.",
    source="IEEE 754-2019, 4.3.1; random rounding: S. Gupta et al., ICML 2015, arXiv 1502.02551, "
    "section 3.",
    dated="2026-11-29",
    limits={"growth in the second half": 0.05},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)

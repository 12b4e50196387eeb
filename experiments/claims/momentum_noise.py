"""At equal η, the weights wander less under the noise of mini-batches with momentum."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.reports.intervals import Interval, interval
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict

ETA, STEPS, SETTLED, CHAINS = 0.01, 8000, 2000, 100
MOMENTA = (0.9, 0.99)


def stationary(eta: float, mu: float) -> float:
    """Return the variance of w under g = w + N(0, 1), in the long run."""
    return eta * (1 + mu) / ((1 - mu) * (2 * (1 + mu) - eta))


@dataclass(frozen=True)
class Seen:
    """Variance of w of each seed, by (μ, η)."""

    variance: dict[tuple[float, float], np.ndarray]

    def ratio(self, mu: float, eta: float) -> Interval:
        """Return the variance over that without momentum at ETA, seed by seed."""
        return interval(self.variance[mu, eta] / self.variance[0.0, ETA])


def fair(mu: float) -> float:
    """Return the η with which η/(1 − μ) is ETA."""
    return round(ETA * (1 - mu), 12)


def observe(settings: Claims) -> Seen:
    def noisy(w: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        shape = [w.shape[0], CHAINS]
        return w + tf.random.stateless_normal(shape, [t, settings.seed], dtype=w.dtype)

    variance = {}
    for mu in (0.0, *MOMENTA):
        etas = [ETA] if mu == 0 else [ETA, fair(mu)]
        walked = walk(
            "Momentum",
            np.repeat(etas, settings.seeds),
            np.zeros(CHAINS),
            STEPS,
            gradient=noisy,
            record=["point"],
            every=20,
            momentum=mu,
        )
        settled = walked["point"][walked["step"] > SETTLED]
        per_seed = np.mean(settled**2, axis=(0, 2)).reshape(len(etas), settings.seeds)
        variance.update({(mu, eta): sample for eta, sample in zip(etas, per_seed, strict=True)})
    return Seen(variance)


def decide(seen: Seen, limits: Limits) -> Verdict:
    ratios = [seen.ratio(mu, ETA) for mu in MOMENTA]
    if all(ratio.high < limits["noise over that of SGD"] for ratio in ratios):
        return "confirmed"
    more = all(ratio.low > limits["noise over that of SGD"] for ratio in ratios)
    return "refuted" if more else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    most, numbers, rows = limits["noise over that of SGD"], [], []
    for mu in MOMENTA:
        for name, eta in (("equal η", ETA), ("equal η/(1 − μ)", fair(mu))):
            ratio = seen.ratio(mu, eta)
            numbers.append(
                Number(
                    f"variance with μ = {mu} over that without, at {name}",
                    ratio.value,
                    theory=stationary(eta, mu) / stationary(ETA, 0.0),
                    unit="×",
                    agrees=ratio.high < most if eta == ETA else None,
                    allowed=f"interval below {most:g}" if eta == ETA else "",
                    key=(mu, eta) == (0.9, ETA),
                    **ratio.ends,
                )
            )
    for (mu, eta), sample in seen.variance.items():
        found, theory = interval(sample), stationary(eta, mu)
        label = f"μ = {mu}, η = {eta:g}"
        numbers.append(Number(f"variance of w, {label}", found.value, theory=theory, **found.ends))
        rows.append((label, found.value, found.low, found.high, theory))
    labels, values, lows, highs, theories = zip(*rows, strict=True)
    same = " and ".join(f"{exact(seen.ratio(mu, ETA).value, 3)} (μ = {mu})" for mu in MOMENTA)
    equal = " and ".join(exact(seen.ratio(mu, fair(mu)).value, 3) for mu in MOMENTA)
    fact = f"At equal η the variance is {same} times that without momentum; at equal η/(1 − μ) it "
    fact += f"is {equal} times."
    condition = {
        "confirmed": f"They wander less. {fact}",
        "depends": f"Not with each μ. {fact}",
        "refuted": f"They wander more. {fact}",
    }[verdict]
    meaning = {
        "confirmed": "Momentum at the same η quiets the end of training.",
        "depends": "Try how μ changes the flicker of the loss before you change η.",
        "refuted": "Compare methods at equal η/(1 − μ), not at equal η. If the loss flickers late "
        "in training, lower η: more momentum makes it worse.",
    }[verdict]
    bars = Bars(
        "Where the weights settle under noise",
        "variance of w",
        labels,
        values,
        lows,
        highs,
        theories,
        y_log=True,
        caption=fact,
    )
    fails = {
        "confirmed": "",
        "depends": ", ".join(f"μ = {m}" for m in MOMENTA if seen.ratio(m, ETA).high >= most),
        "refuted": "equal η",
    }[verdict]
    return Finding(verdict, condition, tuple(numbers), (bars,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-momentum-noise",
    reading=__doc__,
    title="The price of momentum under noise",
    kind="by theorem",
    hypothesis="The variance of the weights is smaller with momentum than without, at equal η.",
    measure=f"½w² with g = w + N(0, 1): {CHAINS} chains for each seed, {STEPS} steps from 0; mean "
    f"of w² after step {SETTLED}, over that without momentum, seed by seed; η = {ETA}, "
    f"μ ∈ {MOMENTA}.",
    acceptance="Confirmed if the interval of the quotient lies below the given value for both μ, "
    "refuted if above it for both, else it depends.",
    theory="Var w = ησ²(1+μ) / (λ(1−μ)(2(1+μ) − ηλ)), the stationary solution of the linear "
    "recurrence of w and its velocity: 10 and 100 times at equal η, 1 at equal η/(1 − μ).",
    source="Solved here from the recurrence (Lyapunov's equation); S. Mandt, M. Hoffman and "
    "D. Blei, JMLR 18 (2017), arXiv 1704.04289, on momentum, in continuous time.",
    dated="2026-11-29",
    limits={"noise over that of SGD": 1.0},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)

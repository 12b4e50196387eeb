"""While gradients keep their size σ, Adagrad's rate is η/(σ√t)."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import Interval, interval, intervals
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all, within

RATE, STEPS, SIZES = 1.0, 10_000, (0.01, 1.0, 100.0)


@dataclass(frozen=True)
class Seen:
    """Distance along a constant gradient, and rates [steps, seeds] under noise, by size σ."""

    distance: float
    rates: dict[float, np.ndarray]

    def share(self, size: float) -> Interval:
        """rate · σ√t / η at the end."""
        return interval(self.rates[size][-1] * size * np.sqrt(STEPS) / RATE)

    def exponent(self, size: float) -> Interval:
        t = np.arange(101, STEPS + 1)
        return interval(np.polyfit(np.log(t), np.log(self.rates[size][100:]), 1)[0])


def observe(settings: Claims) -> Seen:
    distance = -walk(
        "Adagrad",
        RATE,
        [0.0],
        STEPS,
        gradient=lambda w, t: 3.0 * tf.ones_like(w),
        record=["point"],
        epsilon=0.0,
    )["point"][-1, 0, 0]
    shape = (STEPS, settings.seeds, len(SIZES))
    noise = tf.constant(SIZES * np.random.default_rng(settings.seed).standard_normal(shape))
    rates = walk(
        "Adagrad",
        RATE,
        np.zeros(shape[1:]),
        STEPS,
        gradient=lambda w, t: noise[t - 1],
        record=["rate"],
        epsilon=0.0,
    )["rate"][1:]
    return Seen(float(distance), {size: rates[..., i] for i, size in enumerate(SIZES)})


def checks(seen: Seen, limits: Limits) -> list[Number]:
    most, numbers = limits["deviation"], []
    for size in SIZES:
        share, exponent = seen.share(size), seen.exponent(size)
        label = f"rate · σ√t / η at t = {STEPS}, σ = {size:g}"
        numbers.append(within(label, share.value, 1, absolute=most, **share.ends))
        label = f"exponent of the rate in t, σ = {size:g}"
        more = {"key": size == 1} | share.ends | exponent.ends
        numbers.append(within(label, exponent.value, -0.5, absolute=most, **more))
    return numbers


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(bool(n.agrees) for n in checks(seen, limits))


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    theory = 2 * np.sqrt(STEPS) - 1.4603545
    numbers = [*checks(seen, limits)]
    numbers.append(
        within("distance along a constant gradient / η", seen.distance, theory, absolute=0.01)
    )
    t, series = np.arange(1, STEPS + 1), []
    shown = np.unique(np.logspace(0, np.log10(STEPS), 25).astype(int)) - 1
    for size, rates in seen.rates.items():
        label, line = f"noise, σ = {size:g}", RATE / size / np.sqrt(t[shown])
        series.append(Series(label, t[shown], *intervals(rates[shown].T)))
        series.append(Series(f"{label}: η/(σ√t)", t[shown], line, style="theory", of=label))
    found = ", ".join(f"{exact(seen.exponent(s).value, 3)} (σ = {s:g})" for s in SIZES)
    off = [n.label for n in checks(seen, limits) if not n.agrees]
    condition = {
        "confirmed": f"The rate falls as t to the power {found}, whatever the size, and the "
        f"distance along a constant gradient is {exact(seen.distance, 5)} η after {STEPS} steps.",
        "depends": f"Not in all of it: the exponents of t are {found}; off: {'; '.join(off)}.",
        "refuted": f"The rate does not fall so: the exponents of t are {found}.",
    }[verdict]
    hundred = 100 ** -seen.exponent(1.0).value
    numbers.append(
        Number("steps are shorter after 100 times as many, σ = 1, by", hundred, unit="×")
    )
    meaning = {
        "confirmed": f"After 100 times as many batches a step is {exact(hundred, 3)} times "
        "shorter: a schedule is built in.",
        "depends": "Do not take the schedule for granted: log the rates.",
        "refuted": "This method has no such schedule built in.",
    }[verdict]
    figure = Lines(
        "Adagrad's rate under noise of a steady size",
        "step t",
        "rate",
        tuple(series),
        x_log=True,
        y_log=True,
        caption=f"Exponents of t: {found}. Bands: 95 % intervals over seeds.",
    )
    fails = "; ".join(off)
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-root-of-time",
    reading=__doc__,
    title="Steps shrink as 1/√t",
    kind="by theorem",
    hypothesis="Under gradients of a steady size σ the rate is η/(σ√t).",
    measure=f"Adagrad, η = {RATE:g}, {STEPS} steps: rates under N(0, σ²), σ ∈ {SIZES}, seeds, and "
    "their exponent in t after 100 steps; the distance along a constant gradient.",
    acceptance="For each σ, the rate over η/(σ√t) is 1 and the exponent −½, within the tolerance. "
    "Confirmed if all of that holds, depends if some, refuted if nothing.",
    theory="r grows as σ²t (law of large numbers). Σ 1/√t = 2√T + ζ(½) + …, ζ(½) = −1.4604: a "
    "distance of 198.54 η after 10,000 steps.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Figure 1; the sum: Euler and "
    "Maclaurin.",
    dated="2026-11-29",
    limits={"deviation": 0.02},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)

"""2.12 "Adagrad's step size falls as 1/√t." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Claim, Finding, Lines, Series, verdict, within
from tfadaopt.experiments.claims.walks import walk
from tfadaopt.experiments.statistics import interval

RATE, STEPS = 1.0, 10_000
SIZES = (0.01, 1.0, 100.0)


def run(settings) -> Finding:
    path = walk(
        *("Adagrad", RATE, [0.0], STEPS),
        **{"gradient": lambda w, t: 3.0 * tf.ones_like(w), "record": ["point"], "epsilon": 0.0},
    )["point"][:, 0, 0]
    theory = 2 * np.sqrt(STEPS) - 1.4603545
    numbers = [within("way along a constant slope / η", -path[-1], theory, absolute=0.01, key=True)]
    rng = np.random.default_rng(0)
    noise = tf.constant(SIZES * rng.standard_normal((STEPS, settings.seeds, len(SIZES))))
    rates = walk(
        *("Adagrad", RATE, np.zeros((settings.seeds, len(SIZES))), STEPS),
        **{"gradient": lambda w, t: noise[t - 1], "record": ["rate"], "epsilon": 0.0},
    )["rate"][1:]
    t, series = np.arange(1, STEPS + 1), []
    shown = np.unique(np.logspace(0, np.log10(STEPS), 25).astype(int)) - 1
    late = t > 100
    for i, size in enumerate(SIZES):
        share = rates[..., i] * size * np.sqrt(t)[:, np.newaxis] / RATE
        last = interval(share[-1])
        label = f"rate · σ√t / η at t = {STEPS}, noise of σ = {size:g}"
        numbers.append(within(label, last.value, 1.0, absolute=0.02, low=last.low, high=last.high))
        slopes = [np.polyfit(np.log(t[late]), np.log(r[late]), 1)[0] for r in rates[..., i].T]
        middle = interval(slopes)
        numbers.append(
            within(
                f"slope of log rate over log t, σ = {size:g}",
                middle.value,
                -0.5,
                absolute=0.02,
                low=middle.low,
                high=middle.high,
            )
        )
        bands = [interval(rates[k, :, i]) for k in shown]
        columns = zip(*((b.value, b.low, b.high) for b in bands), strict=True)
        series += [
            Series(f"noise, σ = {size:g}", t[shown], *columns),
            Series(
                f"η/(σ√t), σ = {size:g}", t[shown], RATE / size / np.sqrt(t[shown]), style="theory"
            ),
        ]
    figure = Lines(
        *("Adagrad's rate under noise of a steady size", "step t", "rate", tuple(series)),
        **{"x_log": True, "y_log": True, "caption": "All fall along 1/√t, whatever their size."},
    )
    condition = "While slopes keep their size σ; the rate is η/(σ√t), and the way grows as 2η√t."
    meaning = "After 100 times as many batches a step is 10 times smaller: a schedule is built in."
    return Finding(verdict(numbers), condition, tuple(numbers), (figure,), meaning)


CLAIM = Claim(
    name="claim-root-of-time",
    heading=__doc__,
    title="Steps shrink as 1/√t",
    hypothesis="Under slopes of a steady size σ the rate is η/(σ√t).",
    measure=f"Adagrad, {STEPS} steps: the way along a constant slope; rates under N(0, σ²), seeds.",
    acceptance="Confirmed if the way is 198.54 η ± 0.01 and median shares are 1 ± 0.02, slopes −½.",
    theory="Σ 1/√t = 2√T + ζ(½) + …, ζ(½) = −1.4604; r grows as σ²t (law of large numbers).",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011).",
    run=run,
    deterministic=False,
)

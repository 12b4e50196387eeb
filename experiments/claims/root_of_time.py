"""2.12 "Adagrad's step size falls as 1/√t." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import interval, intervals
from tfadaopt.experiments.trial.claim import Claim, Finding, verdict, within

RATE, STEPS, SIZES = 1.0, 10_000, (0.01, 1.0, 100.0)


def run(settings) -> Finding:
    more = {"gradient": lambda w, t: 3.0 * tf.ones_like(w), "record": ["point"], "epsilon": 0.0}
    way = -walk("Adagrad", RATE, [0.0], STEPS, **more)["point"][-1, 0, 0]
    theory = 2 * np.sqrt(STEPS) - 1.4603545
    numbers = [within("way along a constant slope / η", way, theory, absolute=0.01, key=True)]
    shape = (STEPS, settings.seeds, len(SIZES))
    noise = tf.constant(SIZES * np.random.default_rng(0).standard_normal(shape))
    more |= {"gradient": lambda w, t: noise[t - 1], "record": ["rate"]}
    rates = walk("Adagrad", RATE, np.zeros(shape[1:]), STEPS, **more)["rate"][1:]
    t, series = np.arange(1, STEPS + 1), []
    shown = np.unique(np.logspace(0, np.log10(STEPS), 25).astype(int)) - 1
    for size, rate in zip(SIZES, np.moveaxis(rates, 2, 0), strict=True):
        share = interval(rate[-1] * size * np.sqrt(STEPS) / RATE)
        label = f"rate · σ√t / η at t = {STEPS}, noise of σ = {size:g}"
        numbers.append(within(label, share.value, 1.0, absolute=0.02, **share.ends))
        slopes = np.polyfit(np.log(t[100:]), np.log(rate[100:]), 1)[0]
        label, slope = f"slope of log rate over log t, σ = {size:g}", interval(slopes)
        numbers.append(within(label, slope.value, -0.5, absolute=0.02, **slope.ends))
        series.append(Series(f"noise, σ = {size:g}", t[shown], *intervals(rate[shown].T)))
        line = RATE / size / np.sqrt(t[shown])
        series.append(Series(f"η/(σ√t), σ = {size:g}", t[shown], line, style="theory"))
    words = "Adagrad's rate under noise of a steady size", "step t", "rate"
    figure = Lines(*words, tuple(series), x_log=True, y_log=True, caption=CAPTION)
    return Finding(verdict(numbers), CONDITION, tuple(numbers), (figure,), MEANING)


CAPTION = "All fall along 1/√t, whatever their size."
CONDITION = "While slopes keep their size σ: the rate is η/(σ√t), and the way grows as 2η√t."
MEANING = "After 100 times as many batches a step is 10 times smaller: a schedule is built in."
CLAIM = Claim(
    "claim-root-of-time",
    __doc__,
    "Steps shrink as 1/√t",
    hypothesis="Under slopes of a steady size σ the rate is η/(σ√t).",
    measure=f"Adagrad, {STEPS} steps: the way along a constant slope; rates under N(0, σ²), seeds.",
    acceptance="Confirmed if the way is 198.54 η ± 0.01 and median shares are 1 ± 0.02, slopes −½.",
    theory="Σ 1/√t = 2√T + ζ(½) + …, ζ(½) = −1.4604; r grows as σ²t (law of large numbers).",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011).",
    run=run,
    deterministic=False,
)

"""2.8 "The algorithm uses same learning rate for all dimensions." """

import numpy as np

from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding, verdict, within

CURVATURES = np.logspace(-3, 0, 50)
STEPS = 100
ONE_RATE = ("SGD", "Momentum", "Nesterov")
OWN_RATES = ("Adagrad", "RMSprop", "Adam")


def run(settings) -> Finding:
    numbers, series = [], []
    for method in ONE_RATE + OWN_RATES:
        arguments = {} if method in ONE_RATE else {"epsilon": 0.0}
        rates = walk(
            method,
            0.01,
            np.ones(50),
            STEPS,
            **{"gradient": lambda w, t: CURVATURES * w, "record": ["rate"], **arguments},
        )["rate"][1:, 0]
        ratio = rates.max(axis=1) / rates.min(axis=1)
        if method in ONE_RATE:
            label = f"{method}: largest rate over smallest, at most, in {STEPS} steps"
            numbers.append(within(label, ratio.max(), 1.0, unit="×", key=method == "SGD"))
        else:
            label = f"{method}: largest rate over smallest after one step"
            numbers.append(within(label, ratio[0], 1000.0, relative=1e-12, unit="×"))
        series.append(Series(method, np.arange(1, STEPS + 1), ratio))
    figure = Lines(
        "Largest rate over smallest",
        "step t",
        "ratio of rates",
        tuple(series),
        y_log=True,
        caption="SGD and both momenta stay at 1; Adagrad and its heirs not.",
    )
    condition = (
        "By construction: the effective rate of SGD, Momentum and Nesterov is one number. Adagrad, "
        "RMSProp and Adam give the flattest direction a rate larger by the ratio of the slopes."
    )
    meaning = (
        "With SGD, the layer with the steepest loss decides how fast all layers may go; watch the "
        "size of the updates of each layer to see which are left behind."
    )
    return Finding(verdict(numbers), condition, tuple(numbers), (figure,), meaning)


CLAIM = Claim(
    name="claim-one-rate",
    heading=__doc__,
    title="One rate for all dimensions",
    hypothesis="At every step, all coordinates of SGD, Momentum and Nesterov have the same rate.",
    measure=f"Largest over smallest effective rate, {STEPS} steps on ½Σλw², λ from 0.001 to 1.",
    acceptance="Confirmed if it is exactly 1 for these three, and 1000 for Adagrad's first step.",
    theory="Their rate is η. Adagrad's first one is η/|gᵢ|: its ratio is that of the slopes, 1000.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Figure 1.",
    run=run,
)

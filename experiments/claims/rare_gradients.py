"""2.15 "RMSProp", "Adam": where these fail, the methods made after them do not."""

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.online import into_box
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.trial.claim import Claim, Finding, Number, between

ROUNDS, PERIOD, MEMORY = 200_000, 101, 0.99
BEFORE = {"SGD": {}, "Momentum": {}, "Nesterov": {}, "Adagrad": {"schedule": None}}
FAILING = {"RMSprop": {"rho": MEMORY}, "Adam": {"beta_2": MEMORY}}
AFTER = {
    **{"Adadelta": {"rho": MEMORY}, "AMSGrad": {"beta_2": MEMORY}, "Adamax": {}},
    **{name: {"beta_2": MEMORY} for name in ("Nadam", "RAdam", "AdaBelief", "Yogi", "ADOPT")},
    "ADOPT, no clip": {"beta_2": MEMORY, "clip": False},
}


def play(method, **arguments) -> tuple[float, float]:
    """Mean point of the last ten periods, and the average regret, from x = 0 in [−1, 1]."""
    slope = lambda w, t: tf.where(t % PERIOD == 1, np.float64(1010), -10.0) * tf.ones_like(w)  # noqa: E731
    more = {"gradient": slope, "project": into_box}
    more |= {"schedule": tf.math.rsqrt, "record": ["point"], **arguments}
    x = walk(method, 0.5, [0.0], ROUNDS, **more)["point"][:, 0, 0]
    loss = np.where(np.arange(ROUNDS) % PERIOD == 0, 1010.0, -10.0) * (x[:-1] + 1)
    return float(x[-10 * PERIOD :].mean()), float(loss.mean())


def run(settings) -> Finding:
    numbers, ends = [], {}
    for label, arguments in (BEFORE | FAILING | AFTER).items():
        ends[label], regret = play(label.partition(",")[0], **arguments)
        more = {"note": f"average regret {regret:.3g}", "key": label == "Adam"}
        if label in FAILING:
            numbers.append(between(f"{label}: end", ends[label], 0.9, 1, **more))
        else:
            numbers.append(Number(f"{label}: end", ends[label], **more))
    shown = {"labels": tuple(ends), "values": tuple(ends.values())}
    caption = "At 1, the worst point, end those that divide by a mean of recent squares."
    figure = Bars("Slopes 1010, then −10 a hundred times", "end; best −1", **shown, caption=caption)
    alike = [label for label in AFTER if ends[label] > 0.9]
    right = [label for label in AFTER if ends[label] < 0]
    condition = f"{', '.join(alike)} end where Adam does; {', '.join(right)} go the right way."
    word = "confirmed" if len(right) == len(AFTER) else "depends" if right else "refuted"
    return Finding(word, condition, tuple(numbers), (figure,), MEANING)


MEANING = "With rare large gradients, only a memory that never shrinks (or clips none) is safe."
CLAIM = Claim(
    "claim-rare-gradients",
    __doc__,
    "Rare large gradients",
    hypothesis="The methods made after Adam move towards the best point, −1.",
    measure=f"{ROUNDS} rounds in [−1, 1], β₂ = {MEMORY}, α = 0.5/√t (Adagrad: 0.5). One rate each.",
    acceptance="Confirmed if all those end below 0, depends if some do, else refuted.",
    theory="A mean over 1/(1−β₂) = 100 rounds forgets 1010 before it has paid for the −10s.",
    source="S. Reddi, S. Kale and S. Kumar, ICLR 2018, section 5.",
    run=run,
)

"""Where Adam fails on rare large gradients, the methods made after it do not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.online import into_box
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all

ROUNDS, PERIOD, MEMORY = 200_000, 101, 0.99
BEFORE: dict[str, dict] = {"SGD": {}, "Momentum": {}, "Nesterov": {}, "Adagrad": {"schedule": None}}
FAILING: dict[str, dict] = {"RMSprop": {"rho": MEMORY}, "Adam": {"beta_2": MEMORY}}
AFTER: dict[str, dict] = {
    **{"Adadelta": {"rho": MEMORY}, "AMSGrad": {"beta_2": MEMORY}, "Adamax": {}},
    **{name: {"beta_2": MEMORY} for name in ("Nadam", "RAdam", "AdaBelief", "Yogi", "ADOPT")},
    "ADOPT (no clip)": {"beta_2": MEMORY, "clip": False},
}


@dataclass(frozen=True)
class Seen:
    """Mean point of the last ten periods, and average regret, by case."""

    end: dict[str, float]
    regret: dict[str, float]

    def right(self) -> list[str]:
        """Return the methods made after Adam that go towards the best point."""
        return [case for case in AFTER if self.end[case] < 0]


def play(method: str, **arguments: Any) -> tuple[float, float]:
    """Return mean point of the last ten periods, and average regret, from x = 0 in [−1, 1]."""
    more: dict[str, Any] = {"schedule": tf.math.rsqrt, **arguments}
    x = walk(
        method,
        0.5,
        [0.0],
        ROUNDS,
        gradient=lambda w, t: tf.where(t % PERIOD == 1, np.float64(1010), -10.0) * tf.ones_like(w),
        project=into_box,
        record=["point"],
        **more,
    )["point"][:, 0, 0]
    loss = np.where(np.arange(ROUNDS) % PERIOD == 0, 1010.0, -10.0) * (x[:-1] + 1)
    return float(x[-10 * PERIOD :].mean()), float(loss.mean())


def observe(settings: Claims) -> Seen:
    end, regret = {}, {}
    for case, arguments in (BEFORE | FAILING | AFTER).items():
        end[case], regret[case] = play(case.partition(" (")[0], **arguments)
    return Seen(end, regret)


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(case in seen.right() for case in AFTER)


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers = tuple(
        Number(
            f"{case}: end",
            end,
            agrees=end < 0 if case in AFTER else None,
            allowed="< 0" if case in AFTER else "",
            note=f"average regret {seen.regret[case]:.3g}",
            key=case == "Adam",
        )
        for case, end in seen.end.items()
    )
    right = seen.right()
    wrong = [case for case in AFTER if case not in right]
    adam = f"Adam itself ends at {exact(seen.end['Adam'], 3)}; best is −1."
    condition = {
        "confirmed": f"All {len(AFTER)} go the right way. {adam}",
        "depends": f"{', '.join(right)} go the right way; {', '.join(wrong)} end on the wrong "
        "side. "
        f"{adam}",
        "refuted": f"None goes the right way. {adam}",
    }[verdict]
    meaning = {
        "confirmed": "With rare large gradients any method made after Adam will do.",
        "depends": "That a method is newer is no help by itself: with rare large gradients take "
        "one "
        f"of {', '.join(right)}.",
        "refuted": "With rare large gradients take a longer memory, or SGD.",
    }[verdict]
    ends = ", ".join(f"{case} {exact(seen.end[case], 2)}" for case in AFTER)
    figure = Bars(
        "Gradients 1010, then −10 a hundred times",
        "end; best −1",
        tuple(seen.end),
        tuple(seen.end.values()),
        caption=f"Ends of the methods after Adam: {ends}.",
    )
    numbers += (Number("methods after Adam that go the right way", len(right)),)
    fails = ", ".join(wrong)
    return Finding(verdict, condition, numbers, (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-rare-gradients",
    reading=__doc__,
    title="Rare large gradients",
    kind="measured",
    hypothesis="The methods made after Adam move towards the best point, −1.",
    measure=f"{ROUNDS} rounds in [−1, 1] from 0, gradients 1010, then −10 a hundred times; "
    f"β₂ = {MEMORY}, α = 0.5/√t (Adagrad: 0.5). One rate each. Mean point of the last 10 periods.",
    acceptance="Confirmed if all of those end below 0, depends if some do, refuted if none does.",
    theory="A mean of squares over 1/(1−β₂) = 100 rounds has forgotten the 1010 before the −10s "
    "are "
    "paid for. A maximum (AMSGrad) does not forget; Adamax's and Yogi's state shrinks slowly, and "
    "ADOPT divides by the state before the gradient, and clips: no theorem says where those end.",
    source="S. Reddi, S. Kale and S. Kumar, ICLR 2018, arXiv 1904.09237, section 5 (the sequence); "
    "M. Zaheer et al., NeurIPS 2018 (Yogi); S. Taniguchi et al., NeurIPS 2024, arXiv 2411.02853.",
    dated="2026-11-29",
    limits={},
    observe=observe,
    decide=decide,
    tell=tell,
)

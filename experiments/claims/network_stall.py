"""After large early gradients Adagrad's sum makes a network stall; setting it back cures that."""

from dataclasses import dataclass

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.networks import Phase, image_sets, runs, seeds_of
from tfadaopt.experiments.reports.figures import Lines
from tfadaopt.experiments.reports.intervals import Interval, interval
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict
from tfadaopt.experiments.trial.samples import line

BEFORE, AFTER, SCALE = 2, 4, 100.0
LOUD, QUIET, RESET = Phase(BEFORE, SCALE), Phase(AFTER), Phase(AFTER, forget=True)
STALLED, CURED, NEVER, FORGETS = (
    "Adagrad",
    "Adagrad, r := 0 at the switch",
    "Adagrad, loss never scaled",
    "RMSprop",
)
ARMS = {
    STALLED: ("Adagrad", 0.01, LOUD, QUIET),
    CURED: ("Adagrad", 0.01, LOUD, RESET),
    NEVER: ("Adagrad", 0.01, Phase(BEFORE), QUIET),
    FORGETS: ("RMSprop", 0.002, LOUD, QUIET),
}


@dataclass(frozen=True)
class Seen:
    """Losses [seeds, epochs] by arm, and Adagrad's rate at the switch, scaled over never scaled."""

    images: str
    losses: dict[str, np.ndarray]
    rate: np.ndarray

    def fall(self, arm: str) -> np.ndarray:
        loss = self.losses[arm]
        fall: np.ndarray = loss[:, BEFORE - 1] - loss[:, -1]
        return fall

    def share(self, arm: str) -> Interval:
        """Fall of the loss after the switch over that of the control, seed by seed."""
        return interval(self.fall(arm) / self.fall(CURED))


def observe(settings: Claims) -> Seen:
    (images,) = image_sets()
    traces = {
        arm: runs(method, rate, seeds_of(settings), *phases, curve=True, images=images)
        for arm, (method, rate, *phases) in ARMS.items()
    }
    rates = {arm: np.array([trace.rates for trace in found]) for arm, found in traces.items()}
    switch = rates[STALLED].shape[1] * BEFORE // (BEFORE + AFTER) - 1
    return Seen(
        images,
        {arm: np.array([trace.loss for trace in found]) for arm, found in traces.items()},
        np.median(rates[STALLED][:, switch] / rates[NEVER][:, switch], axis=1),
    )


def decide(seen: Seen, limits: Limits) -> Verdict:
    if not seen.share(STALLED).value <= limits["share of the control's fall"]:
        return "refuted"
    goes_on = seen.share(FORGETS).value >= limits["share of a method that forgets"]
    return "confirmed" if goes_on else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    most, least = limits["share of the control's fall"], limits["share of a method that forgets"]
    stalled, forgets, rate = seen.share(STALLED), seen.share(FORGETS), interval(seen.rate)
    numbers = (
        Number(
            "fall of the loss after the switch, Adagrad ÷ Adagrad with r := 0",
            stalled.value,
            agrees=stalled.value <= most,
            allowed=f"median ≤ {most:g}",
            key=True,
            **stalled.ends,
        ),
        Number(
            "fall of the loss after the switch, RMSprop ÷ Adagrad with r := 0",
            forgets.value,
            agrees=forgets.value >= least,
            allowed=f"median ≥ {least:g}",
            **forgets.ends,
        ),
        Number(
            "Adagrad's rate at the switch, scaled ÷ never scaled",
            rate.value,
            theory=1 / SCALE,
            **rate.ends,
        ),
    )
    fact = f"After the switch Adagrad's loss falls by {stalled.value:.0%} of what it falls by with "
    fact += f"r := 0 there, all else equal, and RMSprop's by {forgets.value:.0%} ({seen.images})."
    condition = {
        "confirmed": f"The sum is the cause. {fact} Its rate is {exact(rate.value, 2)} of that "
        "without large gradients.",
        "depends": f"The sum slows it down, but a method that forgets does not go on either. "
        f"{fact}",
        "refuted": f"The sum does not make it stall. {fact}",
    }[verdict]
    meaning = {
        "confirmed": "Warm up, or clip, so that the first gradients do not fix Adagrad's rate for "
        "good.",
        "depends": "Warm up, and lower η after the switch: more than the sum is at work.",
        "refuted": "Look for another cause of a stall than Adagrad's sum.",
    }[verdict]
    epochs = np.arange(1, BEFORE + AFTER + 1)
    figure = Lines(
        f"After large early gradients: {seen.images}",
        "epoch",
        "training loss (not scaled)",
        tuple(line(arm, epochs, loss) for arm, loss in seen.losses.items()),
        y_log=True,
        caption=f"Loss × {SCALE:g} in epochs 1 and {BEFORE}, then × 1: Adagrad falls by "
        f"{stalled.value:.0%} of its control. Bands: 95 % intervals over seeds.",
    )
    fails = {
        "confirmed": "",
        "depends": "RMSprop does not go on either",
        "refuted": "the network tried",
    }[verdict]
    return Finding(verdict, condition, numbers, (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-network-stall",
    reading=__doc__,
    title="A network stalls after large early gradients",
    kind="measured",
    hypothesis="Once early gradients were large, Adagrad's loss falls far less than with its sum "
    "set back, while that of a method that forgets goes on.",
    measure=f"CNN, {BEFORE} epochs with loss × {SCALE:g}, {AFTER} with × 1; η 0.01 for Adagrad, "
    "0.002 for RMSprop; training loss at the ends of epochs; control: r := 0 at the switch; seeds.",
    acceptance="Refuted if the median fall of Adagrad's loss is more than the first share of its "
    "control's; confirmed if it is not and RMSprop's is at least the second share; else it "
    "depends.",
    theory="r is 10⁴ times as large, so the rate 1/100, until Σ g² has caught up.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Figure 1; T. Tieleman and G. Hinton, "
    "Neural Networks for Machine Learning, Lecture 6e (2012).",
    dated="2026-11-29",
    limits={"share of the control's fall": 0.25, "share of a method that forgets": 0.5},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)

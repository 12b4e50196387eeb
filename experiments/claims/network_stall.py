"""2.17 "The learning rate may become too small due to the accumulation": in a network."""

import numpy as np

from tfadaopt.experiments.problems.networks import Phase, image_sets, runs
from tfadaopt.experiments.reports.figures import Lines
from tfadaopt.experiments.trial.claim import Claim, Finding, verdict
from tfadaopt.experiments.trial.samples import line, number

BEFORE, AFTER, SCALE = 2, 4, 100.0
LOUD, QUIET, RESET = Phase(BEFORE, SCALE), Phase(AFTER), Phase(AFTER, forget=True)
ARMS = {
    "Adagrad": ("Adagrad", 0.01, LOUD, QUIET),
    "Adagrad, r := 0 at the switch": ("Adagrad", 0.01, LOUD, RESET),
    "Adagrad, loss never scaled": ("Adagrad", 0.01, Phase(BEFORE), QUIET),
    "RMSprop": ("RMSprop", 0.002, LOUD, QUIET),
}


def run(settings) -> Finding:
    numbers, figures = [], []
    for images in image_sets():
        more = {"curve": True, "images": images}
        traces = [runs(m, eta, settings.seeds, *p, **more) for m, eta, *p in ARMS.values()]
        losses = np.array([[t.loss for t in arm] for arm in traces])  # [arms, seeds, epochs]
        stalled, reset, _, forgets = losses[..., BEFORE - 1] - losses[..., -1]
        label = f"{images}: fall of the loss after the switch, {{}} ÷ Adagrad with r := 0"
        part = number(label.format("Adagrad"), stalled / reset, (-np.inf, 0.25), unit="×", key=True)
        goes_on = number(label.format("RMSprop"), forgets / reset, (0.5, np.inf), unit="×")
        rates = np.array([[t.rates for t in arm] for arm in traces])
        switch = rates.shape[2] * BEFORE // (BEFORE + AFTER) - 1
        loud, _, never, _ = rates[:, :, switch]
        label = f"{images}: Adagrad's rate at the switch, scaled ÷ never scaled"
        sample, bounds = np.median(loud / never, axis=1), (0.8 / SCALE, 1.25 / SCALE)
        numbers += [part, goes_on, number(label, sample, bounds, theory=1 / SCALE)]
        epochs, arms = np.arange(1, BEFORE + AFTER + 1), zip(ARMS, losses, strict=True)
        series = [line(arm, epochs, loss) for arm, loss in arms]
        words = (f"After large early gradients: {images}", "epoch", "training loss (not scaled)")
        caption = f"Loss × {SCALE:g} in epochs 1 and 2, then × 1. Medians, 95 % intervals."
        figures.append(Lines(*words, series, y_log=True, caption=caption))
    keys = [n for n in numbers if n.key]
    word = verdict(numbers, "depends" if any(n.agrees for n in keys) else "refuted")
    shares = ", ".join(f"{100 * n.measured:.0f} % ({n.label.split(':')[0]})" for n in keys)
    condition = (
        f"After the switch Adagrad's loss falls by {shares} of what it falls by with r := 0 there, "
        "all else equal: the accumulator is the cause. It slows down; it does not stop."
    )
    meaning = "Warm up, or clip, so that the first gradients do not fix Adagrad's rate for good."
    return Finding(word, condition, numbers, figures, meaning)


CLAIM = Claim(
    "claim-network-stall",
    __doc__,
    "A network stalls after large early gradients",
    hypothesis="Adagrad stalls once early gradients were large, because of r and of nothing else.",
    measure=f"CNN, {BEFORE} epochs with loss × {SCALE:g}, {AFTER} with × 1; η 0.01 for Adagrad, "
    "0.002 for RMSprop; training loss at the ends of epochs; control: r := 0 at the switch.",
    acceptance="Confirmed if the median fall is ≤ ¼ of the control's, RMSprop's ≥ ½ of it, and the "
    "rate at the switch 1/100 (0.8 to 1.25); refuted if Adagrad's is > ¼; else depends.",
    theory="r is 10⁴ times as large, so the rate 1/100, until Σ g² has caught up.",
    source="Duchi, Hazan & Singer (2011); Tieleman & Hinton, Lecture 6e (2012).",
    run=run,
    deterministic=False,
)

"""2.17 "The learning rate may become too small due to the accumulation": in a network."""

import numpy as np

from tfadaopt.experiments.claims.claim import Claim, Finding, Lines, Number, Series, between
from tfadaopt.experiments.networks import Phase, image_sets, network
from tfadaopt.experiments.statistics import interval

BEFORE, AFTER, SCALE = 2, 4, 100.0
LOUD, QUIET, RESET = Phase(BEFORE, SCALE), Phase(AFTER), Phase(AFTER, forget=True)
ARMS = {
    "Adagrad": ("Adagrad", 0.01, (LOUD, QUIET)),
    "Adagrad, r := 0 at the switch": ("Adagrad", 0.01, (LOUD, RESET)),
    "Adagrad, loss never scaled": ("Adagrad", 0.01, (Phase(BEFORE), QUIET)),
    "RMSprop": ("RMSprop", 0.002, (LOUD, QUIET)),
}


def run(settings) -> Finding:
    numbers, figures = [], []
    for images in image_sets():
        traces = {
            arm: [network(m, images=images).train(rate, s, phases) for s in range(settings.seeds)]
            for arm, (m, rate, phases) in ARMS.items()
        }
        losses = {arm: np.array([t.loss for t in runs]) for arm, runs in traces.items()}
        fall = {arm: loss[:, BEFORE - 1] - loss[:, -1] for arm, loss in losses.items()}
        stalled, reset, free, forgets = fall.values()
        for arm, part, low, high in (
            ("Adagrad", stalled / reset, -np.inf, 0.25),
            ("RMSprop", forgets / reset, 0.5, np.inf),
        ):
            share = interval(part)
            label = f"{images}: fall of the loss after the switch, {arm} ÷ Adagrad with r := 0"
            ends = {"low": share.low, "high": share.high, "key": arm == "Adagrad"}
            number = between(label, share.value, low, high, **ends, unit="×")
            numbers.append(number)
        loud, calm = (
            np.array(
                [t.rates[: len(t.rates) * BEFORE // (BEFORE + AFTER)][-1] for t in traces[arm]]
            )
            for arm in ("Adagrad", "Adagrad, loss never scaled")
        )
        ratio = interval(np.median(loud / calm, axis=1))
        ends = {"low": ratio.low, "high": ratio.high, "theory": 1 / SCALE}
        label = f"{images}: Adagrad's rate at the switch, scaled ÷ never scaled"
        numbers.append(between(label, ratio.value, 0.8 / SCALE, 1.25 / SCALE, **ends))
        epochs = np.arange(1, BEFORE + AFTER + 1)
        series = []
        for arm, loss in losses.items():
            bands = [interval(column) for column in loss.T]
            ends = ([b.low for b in bands], [b.high for b in bands])
            series.append(Series(arm, epochs, [b.value for b in bands], *ends))
        caption = f"The loss is multiplied by {SCALE:g} in epochs 1 and 2. Medians, 95 % intervals."
        words = (f"After large early gradients: {images}", "epoch", "training loss (not scaled)")
        figures.append(Lines(*words, series, False, True, caption))
    verdict = "confirmed" if all(n.agrees for n in numbers) else "depends"
    verdict = "refuted" if any(n.key and not n.agrees for n in numbers) else verdict
    shares = " and ".join(
        f"{100 * n.measured:.0f} % ({n.label.split(':')[0]})" for n in numbers if n.key
    )
    condition = (
        f"After the switch Adagrad's loss falls by {shares} of what it falls by when r is set to 0 "
        "there: the accumulator is the cause. RMSprop, which forgets, goes on."
    )
    meaning = (
        "A warm-up, or clipping, keeps the first gradients from fixing Adagrad's rate for good."
    )
    return Finding(verdict, condition, numbers, figures, meaning)


CLAIM = Claim(
    *("claim-network-stall", __doc__, "A network stalls after large early gradients"),
    hypothesis="Adagrad stalls once early gradients were large, because of r and of nothing else.",
    measure=f"CNN on 3,500 images: loss × {SCALE:g} for {BEFORE} epochs, then × 1 for {AFTER}; η 0.01 "
    "for Adagrad, 0.002 for RMSprop; control: r := 0 at the switch, all else the same.",
    acceptance="Confirmed if the loss falls by less than ¼ of the control's, RMSprop's by more than "
    "½ of it, and the rate at the switch is 1/100; refuted if Adagrad's falls by more than ¼.",
    theory="r is 10⁴ times as large, so the rate 1/100, until Σg² has caught up: 10⁴ epochs.",
    source="Duchi, Hazan & Singer (2011); Tieleman & Hinton, Lecture 6e (2012).",
    run=run,
    deterministic=False,
)

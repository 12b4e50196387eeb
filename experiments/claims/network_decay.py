"""In the layers of a network, Adagrad's rate falls as t^−½ or slower."""

from dataclasses import dataclass

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.networks import Phase, image_sets, network, runs, seeds_of
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import Interval, interval
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all
from tfadaopt.experiments.trial.samples import line

RATES = (0.003, 0.01, 0.03)
PHASE, TUNING_SEED = Phase(10), 999


@dataclass(frozen=True)
class Seen:
    """Steps, layers, rates [seeds, readings, layers] by η, and the η chosen on validation."""

    images: str
    t: np.ndarray
    layers: tuple[str, ...]
    rates: dict[float, np.ndarray]
    chosen: float

    @property
    def late(self) -> np.ndarray:
        """The last decade of the steps."""
        return self.t >= self.t[-1] / 10

    def exponent(self, rate: float, layer: int) -> Interval:
        late = self.late
        return interval([exponent(self.t[late], r[late, layer]) for r in self.rates[rate]])


def exponent(t: np.ndarray, rates: np.ndarray) -> float:
    """Return the exponent of the rate in t, each stretch of log t weighing the same."""
    at = np.linspace(np.log(t[0]), np.log(t[-1]), 50)
    return float(np.polyfit(at, np.interp(at, np.log(t), np.log(rates)), 1)[0])


def observe(settings: Claims) -> Seen:
    (images,) = image_sets()
    seed = 1000 * settings.seed + TUNING_SEED
    tried = [network("Adagrad", images=images).train(rate, seed, [PHASE]) for rate in RATES]
    chosen = RATES[int(np.nanargmin([trace.validation_loss for trace in tried]))]
    rates = {}
    for rate in RATES:
        traces = runs("Adagrad", rate, seeds_of(settings), PHASE, images=images)
        rates[rate] = np.array([trace.rates for trace in traces])
    return Seen(images, tried[0].rate_steps, tried[0].layers, rates, chosen)


def holds(seen: Seen, limits: Limits, rate: float) -> list[bool]:
    lowest = -0.5 - limits["faster than −½ by"]
    found = [seen.exponent(rate, i) for i in range(len(seen.layers))]
    return [lowest <= e.low and e.high <= 0 for e in found]


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(holds(seen, limits, seen.chosen))


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    lowest, numbers = -0.5 - limits["faster than −½ by"], []
    for rate in RATES:
        for i, layer in enumerate(seen.layers):
            found = seen.exponent(rate, i)
            numbers.append(
                Number(
                    f"exponent of the rate in t: {layer}, {seen.images}, η = {rate}",
                    found.value,
                    theory=-0.5,
                    agrees=holds(seen, limits, rate)[i],
                    allowed=f"interval from {lowest:g} to 0",
                    note="η chosen on validation" if rate == seen.chosen else "",
                    key=(rate, i) == (seen.chosen, 0),
                    **found.ends,
                )
            )
    counts = {rate: sum(holds(seen, limits, rate)) for rate in RATES}
    total = len(seen.layers)
    numbers += [
        Number(f"layers of {total} so, η = {rate}", count) for rate, count in counts.items()
    ]
    span = [seen.exponent(seen.chosen, i).value for i in range(total)]
    range_ = f"exponents {exact(min(span), 3)} to {exact(max(span), 3)}"
    others = ", ".join(f"{counts[rate]} with η = {rate}" for rate in RATES if rate != seen.chosen)
    beside = (
        f"Of {total} layers so: {counts[seen.chosen]} with the chosen η = {seen.chosen}, {others}."
    )
    condition = {
        "confirmed": f"At the chosen η all layers surely do ({range_}). {beside}",
        "depends": f"At the chosen η some layers surely do ({range_}). {beside}",
        "refuted": f"At the chosen η no layer surely does ({range_}). {beside}",
    }[verdict]
    fewer = 1 - 4 ** min(span)
    numbers.append(
        Number("share of its rate that the fastest layer loses in 4 times the steps", fewer)
    )
    meaning = {
        "confirmed": f"Four times as many steps cost a layer at most {fewer:.0%} of its rate.",
        "depends": f"Four times as many steps cost some layer {fewer:.0%} of its rate: log the "
        "rates of each.",
        "refuted": f"Rates fall faster than as 1/√t: {fewer:.0%} in four times the steps.",
    }[verdict]
    drawn = seen.rates[seen.chosen]
    series = [line(layer, seen.t, drawn[..., i]) for i, layer in enumerate(seen.layers)]
    late = seen.t[seen.late]
    guide = np.median(drawn[:, seen.late][:, 0]) * (late / late[0]) ** -0.5
    series.append(Series("t^−½", late, guide, style="theory"))
    figure = Lines(
        f"Adagrad's median rate in each layer: {seen.images}, η = {seen.chosen}",
        "step",
        "effective learning rate",
        tuple(series),
        x_log=True,
        y_log=True,
        caption=f"In the last decade of the steps: {range_}. Bands: 95 % intervals over seeds.",
    )
    off = [
        layer
        for layer, ok in zip(seen.layers, holds(seen, limits, seen.chosen), strict=True)
        if not ok
    ]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=", ".join(off))


CLAIM = Claim(
    name="claim-network-decay",
    reading=__doc__,
    title="The rate falls as t^−½ or slower in a network",
    kind="measured",
    hypothesis="Each layer's median effective rate falls as a power of t between −½ and 0.",
    measure=f"Exponent over the last decade of {PHASE.epochs} epochs, CNN; η in {RATES}, chosen by "
    "the validation loss of a seed of its own; seeds.",
    acceptance="At the chosen η a layer does so if the interval of its exponent lies between −½ "
    "less the tolerance and 0. Confirmed if all do, depends if some, refuted if none.",
    theory="r = Σ g² grows as t while gradients keep their size, slower when they vanish (exponent "
    "above −½), and faster while they grow (below −½).",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Figure 1.",
    dated="2026-11-29",
    limits={"faster than −½ by": 0.05},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)

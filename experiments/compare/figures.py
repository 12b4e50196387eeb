"""The figures of a comparison: rates, curves, and the rates of the layers."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tfadaopt.experiments.compare import results
from tfadaopt.experiments.compare.results import Contender
from tfadaopt.experiments.compare.trials import Reading
from tfadaopt.experiments.reports.figures import Lines, Series

# Lines that a figure of layers can hold.
_MOST_LAYERS = 6
# mypy does not see the arguments of Pydantic's classes where their decorator has a name.
_series: Callable[..., Series] = Series
_lines: Callable[..., Lines] = Lines


def figures(reading: Reading, found: Sequence[Contender]) -> Iterator[tuple[str, Lines]]:
    """Yield name and data of each figure for which there are results."""
    yield from _sensitivity(reading, found)
    yield from _curves(reading)
    yield from _rates_of_layers(reading)


def _sensitivity(reading: Reading, found: Sequence[Contender]) -> Iterator[tuple[str, Lines]]:
    config = reading.config
    name, seeds = config.objective, config.tuning_seeds
    as_loss = not config.larger_is_better and all(v > 0 for c in found for v in c.values)
    band = f"median of {seeds} tuning seeds, band from the lowest to the highest"
    tried = []
    for c in found:
        if any(map(math.isfinite, c.values)):
            y, low, high = (_gaps(values) for values in (c.values, c.lows, c.highs))
            tried.append(_series(c.label, c.rates, y, low, high))
    if tried:
        decay = " At the weight decay that was chosen." if config.weight_decays else ""
        yield (
            "sensitivity",
            _lines(
                f"What the learning rate does to the {name}",
                "learning rate η",
                f"validation {name}",
                tuple(tried),
                True,
                as_loss,
                caption=f"After the same budget: {band if seeds > 1 else 'one tuning seed'}. A gap "
                f"is a rate that failed.{decay}",
            ),
        )


def _curves(reading: Reading) -> Iterator[tuple[str, Lines]]:
    config = reading.config
    name = config.objective
    over = {arm.arm.label: results.curves(arm) for arm in reading.arms}
    over = {label: table for label, table in over.items() if "step" in table}
    for key in dict.fromkeys((f"val_{name}", "loss")):
        lines = [
            _series(label, t["step"], *(t[key, part] for part in ("median", "low", "high")))
            for label, t in over.items()
            if (key, "median") in t
        ]
        if lines:
            what = f"validation {name}" if key.startswith("val_") else "training loss"
            positive = all(value > 0 for s in lines for value in s.y)
            words = (f"{what[0].upper()}{what[1:]} at the chosen rates", "step", what)
            caption = f"Median of {config.seeds} seeds, band from the lowest to the highest."
            log = positive and not (key.startswith("val_") and config.larger_is_better)
            yield key, _lines(*words, tuple(lines), False, log, caption)


def _rates_of_layers(reading: Reading) -> Iterator[tuple[str, Lines]]:
    for arm in reading.arms:
        rates, label = results.layer_rates(reading, arm), arm.arm.label
        if len({value for _, values in rates.values() for value in values}) > 1:
            paths = list(rates)
            spread = np.linspace(0, len(paths) - 1, min(_MOST_LAYERS, len(paths))).round()
            lines = tuple(_series(paths[int(i)], *rates[paths[int(i)]]) for i in spread)
            caption = "The median coordinate of each kernel, in the first reported run."
            title = f"{label}: effective learning rate of the layers, η = {arm.chosen.best:g}"
            words = (title, "step", "effective learning rate")
            yield f"rates_{label}", _lines(*words, lines, True, True, caption)


def _gaps(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(v if math.isfinite(v) else math.nan for v in values)

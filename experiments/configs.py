"""Settings: each experiment has a named function that returns its frozen configuration."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import AfterValidator, Field

from tfadaopt.catalog import METHODS


class ConfigError(ValueError):
    """A name or setting that does not exist, or a value that is not allowed."""


def nearest(name: str, known: Sequence[str]) -> str:
    """Say which names are known, and which one was probably meant."""
    close = {k.lower(): k for k in known}
    match = difflib.get_close_matches(name.lower(), close, n=1)
    hint = f" Did you mean {close[match[0]]!r}?" if match else ""
    return f"{hint} Known: {', '.join(known)}."


def _known_method(name: str) -> str:
    known = [method.name for method in METHODS]
    if name not in known:
        raise ValueError(f"Unknown method {name!r}.{nearest(name, known)}")
    return name


def _each_once(values: tuple) -> tuple:
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is given twice; give each value once")
    return values


def _float32(rate: float) -> float:
    if not 1e-37 <= rate <= 1e38:
        raise ValueError("float32 holds rates from 1e-37 to 1e38; others become 0 or infinite")
    return rate


def _rising(values: tuple) -> tuple:
    return tuple(sorted(_each_once(values)))


# No run of so many parts ends; larger numbers would fail in stranger ways, or fill the memory.
MOST = 1_000_000_000
MOST_SEEDS = 1_000
MOST_RATES = 1_000
Count = Annotated[int, Field(ge=1, le=MOST)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_float32)]
TimeLimit = Annotated[float, Field(gt=0, le=MOST)]
Strategy = Literal["mirrored"]
MethodName = Annotated[str, AfterValidator(_known_method)]
OneOrMore = Field(min_length=1, max_length=MOST_RATES)
Once = AfterValidator(_each_once)
# One validator: of two, Pydantic 2.8 forgets the first.
OnceAndRising = AfterValidator(_rising)


@pydantic.dataclasses.dataclass(frozen=True, config={"extra": "forbid"})
class Lecture:
    """Settings of the experiment ``lecture``.

    Attributes:
        methods: Optimizers to compare.
        learning_rates: Grid from which each method's rate is chosen, on the validation split.
        epochs: Passes over the training split, in every run.
        batch_size: Examples per step.
        seeds: Runs per method at the chosen rate, each with its own weights and order of batches.
        train_size: Digits to train on, of 5,000.
        validation_size: Digits to choose rates on; the rest is the test split.
        split_seed: Seed of the split.
        every: Steps between two snapshots of the effective learning rates.
        condition_number: Curvature of the ravine across, relative to that along it.
        surface_steps: Steps on each surface.
        surface_learning_rates: Grid for the surfaces.
        time_limit: Seconds after which a training run ends, with what it has reached; or None.
        strategy: "mirrored": train on all devices of this machine at once; None: on one.
    """

    methods: Annotated[tuple[MethodName, ...], OneOrMore, Once] = (
        "SGD",
        "Momentum",
        "Nesterov",
        "Adagrad",
        "RMSprop",
    )
    learning_rates: Annotated[tuple[Rate, ...], OneOrMore, Once] = (
        0.001,
        0.003,
        0.01,
        0.03,
        0.1,
        0.3,
        1.0,
    )
    epochs: Count = 5
    batch_size: Count = 64
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] = 5
    train_size: Annotated[int, Field(ge=10, le=4980)] = 3500
    validation_size: Annotated[int, Field(ge=10, le=4980)] = 750
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    every: Count = 10
    condition_number: Annotated[float, Field(ge=1, le=1e12, allow_inf_nan=False)] = 100.0
    surface_steps: Annotated[int, Field(ge=1, le=10_000_000)] = 1000
    surface_learning_rates: Annotated[tuple[Rate, ...], OneOrMore, Once] = tuple(
        round(10 ** (exponent / 8), 5) for exponent in range(-24, 9)
    )
    time_limit: TimeLimit | None = None
    strategy: Strategy | None = None

    def __post_init__(self):
        if self.train_size + self.validation_size > 4990:
            raise ValueError(
                f"train_size={self.train_size} and validation_size={self.validation_size} leave "
                "fewer than 10 of the 5,000 digits to test on; make one of them smaller."
            )


def lecture() -> Lecture:
    """The lecture's five methods on a ravine, on a saddle, and training a CNN on real digits."""
    return Lecture()


@pydantic.dataclasses.dataclass(frozen=True, config={"extra": "forbid"})
class Claims:
    """Settings of the claims.

    Attributes:
        seeds: Runs of every stochastic measurement, each with data and noise of its own.
        seed: Where all that is drawn at random begins: another seed, other data and noise.
        other_seeds: Further seeds, those after ``seed``, under which each verdict is tried; each
            takes as long as the run.
        learning_rates: Grid from which each method's rate is chosen: the same budget for each.
    """

    seeds: Annotated[int, Field(ge=3, le=MOST_SEEDS)] = 10
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    other_seeds: Annotated[int, Field(ge=0, le=MOST_SEEDS)] = 0
    learning_rates: Annotated[tuple[Rate, ...], OneOrMore, OnceAndRising] = tuple(
        float(f"{10 ** (exponent / 4):.5g}") for exponent in range(-20, 5)
    )


def claims() -> Claims:
    """Every sentence of the lecture, measured, with a verdict."""
    return Claims()


def network_claims() -> Claims:
    """The claims about networks, on real images: some minutes, left out of ``claims``."""
    return Claims()


def override(config, settings: Mapping[str, str]):
    """Return ``config`` with some settings replaced by values given as text.

    Args:
        config: A configuration, such as ``lecture()``.
        settings: Text by name: ``{"epochs": "2", "methods": "SGD,Adagrad"}``.

    Raises:
        ConfigError: A setting does not exist, or its value is not allowed.
    """
    known = {field.name: getattr(config, field.name) for field in fields(config)}
    values: dict[str, object] = dict(known)
    for name, text in settings.items():
        if name not in known:
            raise ConfigError(f"Unknown setting {name!r}.{nearest(name, list(known))}")
        is_list = isinstance(known[name], tuple)
        values[name] = tuple(x.strip() for x in text.split(",") if x.strip()) if is_list else text
    try:
        return type(config)(**values)
    except pydantic.ValidationError as error:
        raise ConfigError(_problems(error)) from None


def settings_of(run: Mapping, kind: type, folder: Path):
    """Return the settings that the ``run.json`` of a folder says, checked as those of a command.

    Args:
        run: What it says.
        kind: Class of the settings.
        folder: Result folder, for the message.

    Raises:
        ConfigError: They are none that a command could have had.
    """
    names = {field.name for field in fields(kind)}
    try:
        return kind(**{name: v for name, v in run["settings"].items() if name in names})
    except pydantic.ValidationError as error:
        raise ConfigError(f"{folder / 'run.json'}: settings: {_problems(error)}") from None


def _problems(error: pydantic.ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in e['loc']) or 'settings'}: {e['msg']}"
        f" (received {_short(e['input'])})"
        for e in error.errors()
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"

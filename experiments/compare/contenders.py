"""What a comparison can name: methods, those of Keras, that of the model, and schedules."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tfadaopt.catalog import METHODS
from tfadaopt.experiments.configs import ConfigError, nearest

KERAS, COMPILED = "keras.", "compiled"
CONSTANT, COSINE, OWN = "constant", "cosine", "own"
SCHEDULES = (CONSTANT, COSINE)
# Share of the steps in which the rate of a cosine schedule rises, at least one step.
WARM_UP = 0.05


@dataclass(frozen=True)
class Arm:
    """What is tuned, trained and ranked: a method with a schedule.

    Attributes:
        method: Name of the method, canonical.
        schedule: "constant", "cosine", or "own" for that of the model's optimizer.
    """

    method: str
    schedule: str = CONSTANT

    @property
    def label(self) -> str:
        """Its name in reports."""
        return f"{self.method} {COSINE}" if self.schedule == COSINE else self.method


def canonical(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of methods as they are written, whatever case they were given in.

    Names of Keras' own are checked only where Keras is imported, by ``maker``.

    Raises:
        ConfigError: One is unknown or given twice, or there is none.

    Example:
        >>> canonical(["adam", "keras.Adam", "compiled"])
        ('Adam', 'keras.Adam', 'compiled')
    """
    ours = {method.name.lower(): method.name for method in METHODS}
    found: list[str] = []
    for name in (name.strip() for name in names):
        if name.lower() not in ours and not name.startswith(KERAS) and name != COMPILED:
            raise ConfigError(
                f"Unknown method {name!r}.{nearest(name, list(ours.values()))} Keras' own have a "
                f"prefix, such as keras.Adam; {COMPILED!r} is the optimizer that the model is "
                "compiled with."
            )
        found.append(ours.get(name.lower(), name))
    check_once("--methods", found, "Adagrad,keras.Adam")
    return tuple(found)


def schedules(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of schedules.

    Raises:
        ConfigError: One is unknown or given twice, or there is none.
    """
    found = [name.strip() for name in names]
    for name in found:
        if name not in SCHEDULES:
            raise ConfigError(f"--schedules: unknown {name!r}.{nearest(name, SCHEDULES)}")
    check_once("--schedules", found, ",".join(SCHEDULES))
    return tuple(found)


def check_once(option: str, values: Sequence[object], example: str) -> None:
    """Check that an option has at least one value, and each once.

    Raises:
        ConfigError: It has none, or one twice.
    """
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if not values or twice:
        said = f"{', '.join(twice)} twice" if twice else "nothing"
        raise ConfigError(f"{option} names {said}; give each value once: {example}.")


def arms(methods: Sequence[str], of_schedules: Sequence[str]) -> tuple[Arm, ...]:
    """Return each method with each schedule; the model's own optimizer keeps its own.

    Example:
        >>> [arm.label for arm in arms(["Adam", "compiled"], ["constant", "cosine"])]
        ['Adam', 'Adam cosine', 'compiled']
    """
    return tuple(
        Arm(method, schedule)
        for method in methods
        for schedule in ((OWN,) if method == COMPILED else of_schedules)
    )


def maker(name: str) -> tuple[Callable[..., Any], float]:
    """Return the class of a method, and its default rate.

    Args:
        name: Name of one of ours or of Keras' own.

    Raises:
        ConfigError: Keras has no such optimizer.
    """
    import keras

    if name.startswith(KERAS):
        known = {
            key: value
            for key, value in vars(keras.optimizers).items()
            if inspect.isclass(value)
            and issubclass(value, keras.optimizers.Optimizer)
            and "learning_rate" in inspect.signature(value).parameters
            and value is not keras.optimizers.Optimizer
        }
        if name.removeprefix(KERAS) not in known:
            names = [KERAS + key for key in sorted(known)]
            raise ConfigError(f"Keras has no optimizer {name!r}.{nearest(name, names)}")
        cls: Any = known[name.removeprefix(KERAS)]
    else:
        cls = next(method.cls for method in METHODS if method.name == name)
    return cls, float(inspect.signature(cls).parameters["learning_rate"].default)

"""The methods that a comparison can name: ours, Keras' own, and what the model is compiled with."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from tfadaopt.catalog import METHODS
from tfadaopt.experiments.configs import ConfigError, nearest

KERAS, COMPILED = "keras.", "compiled"
_ANY_RATE = 0.001


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
    twice = {name for name in found if found.count(name) > 1}
    if not found or twice:
        problem = f"{', '.join(sorted(twice))} twice" if twice else "none"
        raise ConfigError(f"--methods names {problem}; give each method once: Adagrad,keras.Adam.")
    return tuple(found)


def maker(name: str, compiled=None) -> tuple[Callable[[float], object], float]:
    """Return a function from a rate to a new optimizer, and the default rate of the method.

    Args:
        name: Name of a method, canonical.
        compiled: The optimizer that the user's model is compiled with.

    Raises:
        ConfigError: Keras has no such optimizer.
    """
    import keras

    if name == COMPILED:
        return _like(compiled)
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
    default = inspect.signature(cls).parameters["learning_rate"].default
    return lambda rate: cls(learning_rate=rate), float(default)


def _like(optimizer) -> tuple[Callable[[float], object], float]:
    """Make optimizers as the given one, with all its arguments but the rate."""
    import keras

    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    config = optimizer.get_config()
    given = config.get("learning_rate")
    default = float(given) if isinstance(given, int | float) and given > 0 else _ANY_RATE
    return lambda rate: type(optimizer).from_config({**config, "learning_rate": rate}), default

"""One optimizer class per file: ``from tfadaopt.optimizers import Adagrad``, as of ``tfadaopt``."""

from typing import Any

import keras  # noqa: F401  before any of the classes, which register themselves when it is there

from tfadaopt.catalog import METHODS
from tfadaopt.lazy import load

__all__ = ["Optimizer", *(method.name for method in METHODS)]

_MODULE_OF = {"Optimizer": "tfadaopt.optimizers.base"}
_MODULE_OF |= {method.name: method.module for method in METHODS}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return load(__name__, name, _MODULE_OF[name])
    known = sorted(__all__)
    raise AttributeError(f"module 'tfadaopt.optimizers' has no attribute {name!r}; it has {known}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""The public names, and the page of the reference that each has."""

import importlib
from types import ModuleType
from typing import Any

import tfadaopt

METHODS = {method.name: method for method in tfadaopt.methods()}
# Public beside what the packages list: what users read back, get, or build on.
BESIDES = (
    "tfadaopt.callbacks.history.History",
    "tfadaopt.callbacks.history.read",
    "tfadaopt.callbacks.marks.Mark",
    "tfadaopt.callbacks.tables.Table",
    "tfadaopt.experiments.compare_methods",
    "tfadaopt.experiments.results",
    "tfadaopt.experiments.run_experiment",
    "tfadaopt.experiments.sweep",
    "tfadaopt.experiments.tune",
    "tfadaopt.optimizers.Optimizer",
)
_WATCH = ("watch", "run_dir")
# What users call of a class, beside its constructor and what Keras' classes have.
MEMBERS = {
    "tfadaopt.GradientTransform": ("__call__", "takes"),
    "tfadaopt.Method": ("cls",),
    "tfadaopt.Muon": ("routes",),
    "tfadaopt.RateSweep": ("save",),
    "tfadaopt.SharpnessAware": ("cost",),
    "tfadaopt.callbacks.AccumulatorMagnitude": _WATCH,
    "tfadaopt.callbacks.EffectiveLearningRate": _WATCH,
    "tfadaopt.callbacks.OptimizerMonitor": (*_WATCH, "plot"),
    "tfadaopt.callbacks.StallWarning": _WATCH,
    "tfadaopt.callbacks.UpdateRatio": _WATCH,
    "tfadaopt.callbacks.history.History": ("steps",),
    "tfadaopt.optimizers.Optimizer": (
        *("slots", "scale", "advance", "direction", "update", "decay_and_update", "shared"),
        *("terms", "combine", "exclude_from_weight_decay"),
    ),
}


def public() -> dict[str, Any]:
    """Every public class and function by its full name, as users import it."""
    found = {}
    for name in tfadaopt.__all__:
        thing = getattr(tfadaopt, name)
        if not isinstance(thing, ModuleType):
            found[f"tfadaopt.{name}"] = thing
        elif thing is not tfadaopt.optimizers:  # whose names are those of tfadaopt
            names = getattr(thing, "__all__", ())
            found |= {f"tfadaopt.{name}.{own}": getattr(thing, own) for own in names}
    for name in BESIDES:
        module, _, own = name.rpartition(".")
        found[name] = getattr(importlib.import_module(module), own)
    return {name: thing for name, thing in found.items() if callable(thing)}


def page_of(name: str) -> str:
    """The page of a public name, from the folder of the site."""
    short = name.removeprefix("tfadaopt.")
    return f"reference/{'methods/' if short in METHODS else ''}{short}"

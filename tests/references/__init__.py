"""Slow, obvious float64 twins of the optimizers, one parameter array each, written from the papers.

Every twin has the name, the arguments and the defaults of the public class, and

    step(theta, g)            the new theta; t counts from 1
    effective_learning_rate   the elementwise rate of the last step (None before the first, and of a
                              method or an array that has no such rate)
    direction                 what that rate multiplied: theta_old - theta_new = rate * direction
    accumulators              Keras' slot name -> array (scalars before the first step)

`learning_rate` is a number or a function of the 0-based step. Methods that need all arrays at once
are of the kind of ``joint.Joint``; ``tfadaopt.testing.twins.Twins``
steps several arrays of either kind.
"""

import importlib

from tfadaopt.catalog import METHODS

# The file of a twin has the name of the class in small letters.
REFERENCES = {
    method.name: getattr(importlib.import_module(f".{method.name.lower()}", __name__), method.name)
    for method in METHODS
}


def __getattr__(name: str):
    """``from tests.references import Adagrad``."""
    if name in REFERENCES:
        return REFERENCES[name]
    raise AttributeError(f"there is no twin {name!r}")

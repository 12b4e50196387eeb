"""The one table of the tests: every method, with every setting that changes what it computes.

A new method is new rows here (and a twin in ``references``); each contract then covers it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np
import pytest

import tfadaopt

from .references import REFERENCES

# Keras keeps the rate in float32, even for float64 variables: the twins get it rounded too.
RATE = float(np.float32(0.01))


@dataclass(frozen=True)
class Case:
    """One method with one setting.

    Attributes:
        id: Short name, as in ``pytest -k adagrad-epsilon``.
        name: Name of the class, in ``tfadaopt`` and among the twins.
        arguments: What the constructor gets, besides the rate.
    """

    id: str
    name: str
    arguments: Mapping = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.id

    def make(self, **common) -> keras.optimizers.Optimizer:
        """The optimizer, with further keywords that all optimizers take."""
        return getattr(tfadaopt, self.name)(**{"learning_rate": RATE, **self.arguments, **common})

    def twin(self, learning_rate=RATE):
        """The float64 twin of one array; the rate may be a function of the 0-based step."""
        return REFERENCES[self.name](**{**self.arguments, "learning_rate": learning_rate})


# The last row of a method is the one with the most state: it stands for the method where running
# every row would cost more than it shows.
CASES = (
    Case("sgd", "SGD"),
    Case("momentum-0.5", "Momentum", {"momentum": 0.5}),
    Case("momentum", "Momentum"),
    Case("nesterov-0.5", "Nesterov", {"momentum": 0.5}),
    Case("nesterov", "Nesterov"),
    Case("adagrad-zero-epsilon", "Adagrad", {"epsilon": 0.0}),
    Case("adagrad-initial", "Adagrad", {"initial_accumulator_value": 0.1}),
    Case("adagrad-epsilon", "Adagrad", {"epsilon": 1e-2}),
    Case("adagrad", "Adagrad"),
    Case("rmsprop", "RMSprop"),
    Case("rmsprop-rho", "RMSprop", {"rho": 0.99}),
    Case("rmsprop-zero-epsilon", "RMSprop", {"epsilon": 0.0}),
    Case("rmsprop-momentum", "RMSprop", {"momentum": 0.9}),
    Case("rmsprop-centered", "RMSprop", {"centered": True, "epsilon": 1e-4}),
    Case(
        "rmsprop-centered-momentum",
        "RMSprop",
        {"centered": True, "epsilon": 1e-4, "momentum": 0.9, "rho": 0.95},
    ),
    Case("adadelta", "Adadelta"),
    Case("adadelta-rho", "Adadelta", {"rho": 0.9, "epsilon": 1e-3}),
    Case("adam-zero-epsilon", "Adam", {"epsilon": 0.0}),
    Case("adam-betas", "Adam", {"beta_1": 0.5, "beta_2": 0.75, "epsilon": 1e-3}),
    Case("adam", "Adam"),
    Case("adamax-epsilon", "Adamax", {"epsilon": 1e-7}),
    Case("adamax", "Adamax"),
    Case("nadam-constant", "Nadam", {"psi": None}),
    Case("nadam", "Nadam"),
    Case("amsgrad-corrected", "AMSGrad", {"bias_correction": True}),
    Case("amsgrad", "AMSGrad"),
    Case("yogi-corrected", "Yogi", {"bias_correction": True}),
    Case("yogi", "Yogi"),
    Case("adamw-heavy", "AdamW", {"weight_decay": 0.5}),
    Case("adamw", "AdamW"),
    Case("radam-threshold", "RAdam", {"threshold": 5.0}),
    Case("radam", "RAdam"),
    Case("adabelief-epsilon", "AdaBelief", {"epsilon": 1e-8}),
    Case("adabelief", "AdaBelief"),
    Case("nadamw-scheduled", "NadamW", {"psi": 0.004}),
    Case("nadamw", "NadamW"),
)

BY_ID = {case.id: case for case in CASES}
FULLEST = tuple({case.name: case for case in CASES}.values())

every_case = pytest.mark.parametrize("case", CASES, ids=str)
each_method = pytest.mark.parametrize("case", FULLEST, ids=str)


def quick(case: Case, *parameters, only: bool = True):
    """A row of ``parametrize`` that is quick for the row that stands for a method, else slow."""
    marks = () if only and case in FULLEST else pytest.mark.slow
    return pytest.param(case, *parameters, id="-".join(map(str, (case, *parameters))), marks=marks)

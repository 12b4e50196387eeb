"""The one table of the tests: every method, with every setting that changes what it computes.

A new method is new rows here (and a twin in ``references``); each contract then covers it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np
import pytest

import tfadaopt
from tfadaopt.testing.trajectories import slots_of as slots_of
from tfadaopt.testing.twins import Twins

from .references import REFERENCES

# Keras keeps the rate in float32, even for float64 variables: the twins get it rounded too.
RATE = float(np.float32(0.01))


METHODS = {method.name: method for method in tfadaopt.methods()}


@dataclass(frozen=True)
class Case:
    """One method with one setting.

    Attributes:
        id: Short name, as in ``pytest -k adagrad-epsilon``.
        name: Name of the class, in ``tfadaopt`` and among the twins.
        arguments: What the constructor gets, besides the rate.
        rate: The rate.
        downhill: Whether the problem begins with a slope that keeps its sign.
    """

    id: str
    name: str
    arguments: Mapping = field(default_factory=dict, hash=False)
    rate: float = RATE
    downhill: bool = False

    def __str__(self) -> str:
        return self.id

    def make(self, **common) -> keras.optimizers.Optimizer:
        """The optimizer, with further keywords that all optimizers take."""
        return getattr(tfadaopt, self.name)(
            **{"learning_rate": self.rate, **self.arguments, **common}
        )

    def twin(self, learning_rate=None):
        """The float64 twin of one array; the rate may be a function of the 0-based step."""
        learning_rate = self.rate if learning_rate is None else learning_rate
        return REFERENCES[self.name](**{**self.arguments, "learning_rate": learning_rate})

    def twins(self, count: int, learning_rate=None) -> Twins:
        """The twins of so many arrays."""
        return Twins(lambda: self.twin(learning_rate), count)

    @property
    def has_rate(self) -> bool:
        """Whether there is an effective learning rate to read."""
        return METHODS[self.name].has_rate

    @property
    def tolerance(self) -> Mapping[str, float]:
        """How far displacements may be from the twin's, by dtype."""
        # Matrices in float32 know their small eigenvalues, which count the most, to 1e-7 of the
        # largest: with ε = 1e-4 and sums of 1e3, to a percent. Muon takes no roots of matrices.
        exact = self.has_rate or self.name == "Muon"
        return {"float32": 1e-5 if exact else 1e-2, "float64": 1e-10}


# Settings of several arguments.
WARMING = {"alpha_warmup_steps": 50, "beta_3_warmup_steps": 80, "beta_3": 0.99}
STRENGTHS = {
    "initial_accumulator_value": 0.1,
    "l1_regularization_strength": 0.1,
    "l2_regularization_strength": 0.2,
    "l2_shrinkage_regularization_strength": 0.1,
    "beta": 0.5,
}
BOUNDS = {"initial_step": 0.5, "increase": 1.5, "decrease": 0.25, "smallest": 0.02, "largest": 2.0}
PLAIN = {"relative_step": False, "scale_parameter": False, "clip_threshold": 0.5}

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
    Case("adan-decay", "Adan", {"weight_decay": 0.5}),
    Case("adan-uncorrected", "Adan", {"bias_correction": False}),
    Case("adan", "Adan"),
    Case("adopt-unclipped", "ADOPT", {"clip": False}),
    Case("adopt", "ADOPT"),
    Case("lars-decay", "LARS", {"trust_coefficient": 1.0, "weight_decay": 0.5}),
    Case("lars-vectors", "LARS", {"trust_coefficient": 1.0, "skip_vectors": True}),
    Case("lars", "LARS", {"trust_coefficient": 1.0}),
    Case("lamb-decay", "LAMB", {"weight_decay": 0.5}),
    Case("lamb-vectors", "LAMB", {"skip_vectors": True}),
    Case("lamb", "LAMB"),
    Case("adagradnorm-initial", "AdaGradNorm", {"initial_accumulator_value": 100.0}),
    Case("adagradnorm", "AdaGradNorm"),
    Case("sm3-plain", "SM3", {"momentum": 0.0}),
    Case("sm3-epsilon", "SM3", {"epsilon": 1e-2}),
    Case("sm3", "SM3"),
    Case("madgrad-plain", "MADGRAD", {"momentum": 0.0}),
    Case("madgrad", "MADGRAD"),
    Case("schedulefreesgd-warmup", "ScheduleFreeSGD", {"warmup_steps": 50}),
    Case("schedulefreesgd-decay", "ScheduleFreeSGD", {"weight_decay": 0.5, "beta": 0.5}),
    Case("schedulefreesgd", "ScheduleFreeSGD"),
    Case("schedulefreeadamw-warmup", "ScheduleFreeAdamW", {"warmup_steps": 50}),
    Case("schedulefreeadamw-decay", "ScheduleFreeAdamW", {"weight_decay": 0.5}),
    Case("schedulefreeadamw", "ScheduleFreeAdamW"),
    # The methods without a rate of their own begin at a distance that moves them under RATE.
    Case("dog-grows", "DoG", {"initial_distance": 1e-3, "averaging": None}, 1.0, downhill=True),
    Case("dog", "DoG", {"initial_distance": 1.0}),
    Case("dowg-grows", "DoWG", {}, 1.0, downhill=True),
    Case("dowg", "DoWG", {"initial_distance": 1.0}),
    Case("dadaptadam-corrected", "DAdaptAdam", {"initial_distance": 0.5, "bias_correction": True}),
    Case("dadaptadam-grows", "DAdaptAdam", {"initial_distance": 1e-3}, 1.0, downhill=True),
    Case(
        "dadaptadam-limited",
        "DAdaptAdam",
        {"initial_distance": 1e-3, "growth_rate": 1.02},
        1.0,
        downhill=True,
    ),
    Case("dadaptadam-decay", "DAdaptAdam", {"initial_distance": 1.0, "weight_decay": 0.5}),
    Case("dadaptadam", "DAdaptAdam", {"initial_distance": 1.0}),
    Case("prodigy-corrected", "Prodigy", {"initial_distance": 0.5, "bias_correction": True}),
    Case(
        "prodigy-grows",
        "Prodigy",
        {"initial_distance": 1e-3, "distance_coefficient": 0.5},
        1.0,
        downhill=True,
    ),
    Case(
        "prodigy-limited",
        "Prodigy",
        {"initial_distance": 1e-3, "growth_rate": 1.02},
        1.0,
        downhill=True,
    ),
    Case("prodigy-safe", "Prodigy", {"initial_distance": 1.0, "safeguard_warmup": True}),
    Case("prodigy-decay", "Prodigy", {"initial_distance": 1.0, "weight_decay": 0.5}),
    Case("prodigy", "Prodigy", {"initial_distance": 1.0}),
    Case("lion-betas", "Lion", {"beta_1": 0.5, "beta_2": 0.75}),
    Case("lion-decay", "Lion", {"weight_decay": 0.5}),
    Case("lion", "Lion"),
    Case("signum-0.5", "Signum", {"momentum": 0.5}),
    Case("signum", "Signum"),
    Case("stableadamw-decay", "StableAdamW", {"weight_decay": 0.5}),
    Case("stableadamw-epsilon", "StableAdamW", {"epsilon": 1e-2}),
    # Without the decay, which is apart from rate and direction, by the rate of each variable.
    Case("stableadamw", "StableAdamW", {"weight_decay": None}),
    Case("ademamix-warmup", "AdEMAMix", WARMING),
    Case("ademamix-decay", "AdEMAMix", {"alpha": 2.0, "weight_decay": 0.5}),
    Case("ademamix", "AdEMAMix"),
    Case("adabound-published", "AdaBound", {"as_published": True}),
    Case("adabound-narrow", "AdaBound", {"gamma": 0.1, "final_rate": 1.0}),
    Case("adabound", "AdaBound"),
    Case("adabound-amsbound", "AdaBound", {"amsbound": True}),
    Case("novograd-averaging", "NovoGrad", {"grad_averaging": True, "weight_decay": 0.5}),
    Case("novograd-decay", "NovoGrad"),
    Case("novograd", "NovoGrad", {"weight_decay": None}),
    Case("sgdp-nesterov", "SGDP", {"nesterov": True, "cosine": 0.5}),
    Case("sgdp-decay", "SGDP", {"cosine": 2.0, "weight_decay": 0.5, "wd_ratio": 0.2}),
    Case("sgdp", "SGDP"),
    Case("adamp-nesterov", "AdamP", {"nesterov": True, "cosine": 1.0}),
    Case("adamp-decay", "AdamP", {"cosine": 2.0, "weight_decay": 0.5, "wd_ratio": 0.2}),
    Case("adamp", "AdamP"),
    Case("mars-first", "MARS", {"first_difference": True, "gamma": 0.5}),
    Case("mars-vectors", "MARS", {"skip_vectors": True}),
    Case("mars-decay", "MARS", {"weight_decay": 0.5}),
    Case("mars", "MARS"),
    Case("ftrl-keras", "Ftrl", {"initial_accumulator_value": 0.1}),
    Case("ftrl-power", "Ftrl", {"learning_rate_power": -0.25}),
    Case("ftrl", "Ftrl"),
    # Without shrinkage, it is by chance that a coordinate without gradient stays to the last bit.
    Case("ftrl-strengths", "Ftrl", STRENGTHS),
    Case("rprop-bounds", "Rprop", BOUNDS, 0.5),
    Case("rprop", "Rprop"),
    Case("adafactor-plain", "Adafactor", PLAIN, 0.5),
    Case("adafactor-unfactored", "Adafactor", {"min_dim_size_to_factor": 128}),
    Case("adafactor-fast", "Adafactor", {"beta_2_decay": -0.5, "epsilon_2": 0.1}, 0.5),
    Case("adafactor", "Adafactor"),
    Case("adafactor-momentum", "Adafactor", {"beta_1": 0.9}),
    Case("shampoo-diagonal", "Shampoo", {"max_dimension": 5}),
    Case("shampoo-refresh", "Shampoo", {"refresh_every": 7}),
    Case("shampoo", "Shampoo"),
    Case("muon-rms", "Muon", {"scale": "match_rms", "nesterov": False, "steps": 3}),
    Case("muon-spectral", "Muon", {"scale": "spectral", "adamw_beta_1": 0.5, "adamw_ratio": 0.5}),
    Case("muon-sgd", "Muon", {"muon_weight": 0.25, "sgd_weight": 0.5, "weight_decay": 0.5}),
    Case("muon", "Muon", {"weight_decay": 0.5}),
    Case("muon-neurons", "Muon", {"normalize": "neurons", "beta_2": 0.75}),
    Case("soap-diagonal", "SOAP", {"max_dimension": 5}),
    Case("soap-refresh", "SOAP", {"refresh_every": 1, "weight_decay": None}),
    Case("soap", "SOAP"),
)

BY_ID = {case.id: case for case in CASES}
FULLEST = tuple({case.name: case for case in CASES}.values())

# What the quick suite runs; the other methods meet most contracts in the slow one.
QUICK = {"SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam"}


def quick(case: Case, *parameters, only: bool = True):
    """A row of ``parametrize``: slow, but for rows that stand for a method of the quick suite."""
    marks = () if only and case in FULLEST and case.name in QUICK else pytest.mark.slow
    return pytest.param(case, *parameters, id="-".join(map(str, (case, *parameters))), marks=marks)


def rows(cases):
    """Rows of ``parametrize``, those of methods outside the quick suite marked slow."""
    slow = [() if case.name in QUICK else pytest.mark.slow for case in cases]
    return [pytest.param(case, id=str(case), marks=m) for case, m in zip(cases, slow, strict=True)]


# Where a contract does not depend on the settings, other methods are tried with their fullest row.
SOME = tuple(case for case in CASES if case in FULLEST or case.name in QUICK)

# One method for each shape of hooks, with what it stands for: what the base class, the engine or
# Keras decides is tried with these. tests/test_catalog.py holds that no hook is missing.
SHAPE_OF = {
    "SGD": "no state, a kernel",
    "Momentum": "one slot, moves without gradient",
    "Adagrad": "one slot, stays without gradient",
    "RMSprop": "delta",
    "Adadelta": "update",
    "AdamW": "two slots, decay by default",
    "LAMB": "norms of a variable, a decay of its own",
    "SM3": "state of another shape",
    "Adan": "decay and direction of its own",
    "ScheduleFreeSGD": "a start, an average",
    "DoG": "numbers that all variables share",
    "Prodigy": "sums of signs, decay by what is shared",
    "SOAP": "all variables at once, matrices, no rate",
}
SHAPES = tuple(case for case in FULLEST if case.name in SHAPE_OF)
# Where even the shape does not matter: one that is simple, one that shares, one without a rate.
THREE = tuple(case for case in SHAPES if case.name in ("Momentum", "DoG", "SOAP"))

each_method = pytest.mark.parametrize("case", rows(FULLEST))
each_shape = pytest.mark.parametrize("case", rows(SHAPES))
each_shape_with_a_rate = pytest.mark.parametrize("case", rows([c for c in SHAPES if c.has_rate]))
three_methods = pytest.mark.parametrize("case", THREE, ids=str)
# Of those that have an effective learning rate; tests/test_effective.py holds what the others say.
each_method_with_a_rate = pytest.mark.parametrize("case", rows([c for c in FULLEST if c.has_rate]))

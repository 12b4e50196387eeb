"""The checks must be able to fail: each broken variant of a method is caught by them."""

import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.optimizers.pieces.moments import inverse_root

from .audit import FAULTS
from .cases import BY_ID, FULLEST, METHODS, QUICK, RATE, each_method_with_a_rate
from .trajectories import (
    ONE,
    SHAPES,
    STEPS,
    check_readings,
    check_updates,
    follow,
    problem_of,
    train,
)

TOLERANCE = 1e-5  # as in test_updates, in float32


@dataclass(frozen=True)
class Mutant:
    """One case with some of its class's methods replaced.

    Attributes:
        case: The row that is broken.
        fault: What is wrong.
        methods: Replacements by name.
        schedule: Whether only a changing rate can tell.
    """

    case: str
    fault: str
    methods: Mapping
    schedule: bool = False

    def __str__(self) -> str:
        return f"{self.case}: {self.fault}"

    def make(self, learning_rate):
        case = BY_ID[self.case]
        broken = type("Mutant", (getattr(tfadaopt, case.name),), dict(self.methods))
        return broken(**{"learning_rate": learning_rate, **case.arguments})


@dataclass(frozen=True)
class Edit:
    """One case with one place in the source of its method replaced.

    Attributes:
        case: The row that is broken.
        fault: What is wrong.
        right: Text in the module of the class, or in ``module``.
        wrong: What stands there instead.
        module: Module of ``tfadaopt.optimizers`` whose functions the class uses.
        schedule: Whether only a changing rate can tell.
        shapes: Of the variables, where one of thirty coordinates cannot tell.
    """

    case: str
    fault: str
    right: str
    wrong: str
    module: str = ""
    schedule: bool = False
    shapes: tuple = ONE

    def __str__(self) -> str:
        return f"{self.case}: {self.fault}"

    def make(self, learning_rate):
        case = BY_ID[self.case]
        name = METHODS[case.name].module
        names = {}
        for module in (name, f"tfadaopt.optimizers.pieces.{self.module}" if self.module else None):
            if module:
                source = inspect.getsource(importlib.import_module(module))
                if module == name:
                    source = re.sub("@keras.saving.*", "", source)  # the right class stays known
                if module != name or not self.module:
                    assert source.count(self.right) >= 1, "the source has changed: edit the mutant"
                    source = source.replace(self.right, self.wrong)
                exec(compile(source, module, "exec"), names)
        return names[case.name](**{"learning_rate": learning_rate, **case.arguments})


def half(x):
    return tf.cast(tf.cast(x, "float16"), x.dtype)


def momentum_mutants(case, right):
    """Faults that Momentum and Nesterov share; ``right`` is the direction from b and g."""
    mu = BY_ID[case].arguments.get("momentum", 0.9)

    def buffer(rule):
        return {"advance": lambda self, state, g, t: {"momentum": rule(state["momentum"], g)}}

    def direction(rule):
        return {"direction": lambda self, state, g, t: rule(state["momentum"], g)}

    return [
        Mutant(case, "wrong sign of the momentum", buffer(lambda b, g: g - mu * b)),
        Mutant(case, "momentum dampened", buffer(lambda b, g: mu * b + (1 - mu) * g)),
        Mutant(case, "buffer without decay", buffer(lambda b, g: b + g)),
        Mutant(case, "momentum 1 % off", buffer(lambda b, g: 0.99 * mu * b + g)),
        Mutant(case, "gradient enters decayed", buffer(lambda b, g: mu * (b + g))),
        Mutant(case, "buffer in half precision", buffer(lambda b, g: half(mu * b + g))),
        Mutant(case, "momentum forgotten", direction(lambda b, g: g)),
        Mutant(case, "buffer of the step before", direction(lambda b, g: right((b - g) / mu, g))),
        Mutant(case, "gradient counted twice", direction(lambda b, g: right(b, g) + g)),
        Mutant(
            case,
            "buffer corrected for its start",
            {"direction": lambda self, s, g, t: right(s["momentum"], g) / (1 - mu**t)},
        ),
        Mutant(
            case,
            "η inside the buffer",
            {
                "advance": lambda self, state, g, t: {
                    "momentum": mu * state["momentum"] + self._learning_rate(t - 1) * g
                },
                "delta": lambda self, s, g, t, eta: right(s["momentum"], eta * g),
            },
            schedule=True,
        ),
    ]


def adagrad_mutants():
    def accumulator(rule):
        return {"advance": lambda self, s, g, t: {"accumulator": rule(s["accumulator"], g)}}

    def scale(rule):
        return {"scale": lambda self, s, t: rule(s["accumulator"], self.epsilon)}

    return [
        Mutant("adagrad", "g instead of g²", accumulator(lambda r, g: r + g)),
        Mutant("adagrad", "|g| instead of g²", accumulator(lambda r, g: r + tf.abs(g))),
        Mutant("adagrad", "nothing accumulates", accumulator(lambda r, g: tf.square(g))),
        Mutant("adagrad", "running mean", accumulator(lambda r, g: 0.9 * r + 0.1 * g**2)),
        Mutant("adagrad", "largest square", accumulator(lambda r, g: tf.maximum(r, g**2))),
        Mutant("adagrad", "state in half precision", accumulator(lambda r, g: half(r + g**2))),
        Mutant(
            "adagrad",
            "one rate for all coordinates",
            accumulator(lambda r, g: r + tf.reduce_sum(g**2)),
        ),
        Mutant("adagrad", "ε outside the root", scale(lambda r, e: 1 / (e + tf.sqrt(r)))),
        Mutant("adagrad", "ε squared", scale(lambda r, e: inverse_root(e**2 + r))),
        Mutant("adagrad-epsilon", "ε added twice", scale(lambda r, e: inverse_root(2 * e + r))),
        Mutant("adagrad", "ε forgotten", scale(lambda r, e: inverse_root(r))),
        Mutant("adagrad", "root forgotten", scale(lambda r, e: 1 / (e + r))),
        Mutant("adagrad", "cube root", scale(lambda r, e: (e + r) ** (-1 / 3))),
        Mutant("adagrad-zero-epsilon", "0/0", scale(lambda r, e: tf.math.rsqrt(r + e))),
        Mutant(
            "adagrad",
            "mean of the squares",
            {"scale": lambda self, s, t: inverse_root(self.epsilon + s["accumulator"] / t)},
        ),
        Mutant(
            "adagrad",
            "r of the step before",
            {
                "delta": lambda self, s, g, t, eta: (
                    eta * inverse_root(self.epsilon + s["accumulator"] - g**2) * g
                )
            },
        ),
        Mutant(
            "adagrad-initial", "starts at 0", {"slots": lambda self, shape: {"accumulator": 0.0}}
        ),
        Mutant(
            "adagrad", "starts at Keras' 0.1", {"slots": lambda self, shape: {"accumulator": 0.1}}
        ),
    ]


def rmsprop_mutants():
    def velocity(rule):
        return {"advance": lambda self, s, g, t: {"velocity": rule(s["velocity"], g, self.rho)}}

    def scale(rule):
        return {"scale": lambda self, s, t: rule(s["velocity"], self.epsilon)}

    def centered_scale(rule):
        return {
            "scale": lambda self, s, t: inverse_root(
                self.epsilon + rule(s["velocity"], s["average_gradient"])
            )
        }

    def average(rule):
        return {
            "advance": lambda self, s, g, t: {
                "velocity": self.rho * s["velocity"] + (1 - self.rho) * g**2,
                "average_gradient": rule(s["average_gradient"], g, self.rho),
            }
        }

    def buffer(rule):
        def advance(self, s, g, t):
            new = {"velocity": self.rho * s["velocity"] + (1 - self.rho) * g**2}
            scaled = self.scale(new, t) * g
            return {**new, "momentum": rule(s["momentum"], scaled, g, self._learning_rate, t)}

        return {"advance": advance}

    def step(rule):
        """What is subtracted, by ``rule(self, new state, g, t, η)``."""

        def update(self, theta, state, g, t, eta):
            new = self.advance(state, g, t)
            return new, rule(self, new, g, t, eta)

        return {"update": update}

    plain, centered, momentum = "rmsprop", "rmsprop-centered", "rmsprop-momentum"
    return [
        Mutant(plain, "ρ and 1 − ρ swapped", velocity(lambda v, g, p: (1 - p) * v + p * g**2)),
        Mutant(plain, "1 − ρ forgotten", velocity(lambda v, g, p: p * v + g**2)),
        Mutant(plain, "ρ forgotten", velocity(lambda v, g, p: v + (1 - p) * g**2)),
        Mutant(plain, "|g|", velocity(lambda v, g, p: p * v + (1 - p) * tf.abs(g))),
        Mutant(plain, "ρ 1 % off", velocity(lambda v, g, p: 0.99 * p * v + (1 - p) * g**2)),
        Mutant(plain, "half precision", velocity(lambda v, g, p: half(p * v + (1 - p) * g**2))),
        Mutant("rmsprop-rho", "ρ fixed", velocity(lambda v, g, p: 0.9 * v + 0.1 * g**2)),
        Mutant(plain, "ε outside the root", scale(lambda v, e: 1 / (e + tf.sqrt(v)))),
        Mutant(plain, "ε forgotten", scale(lambda v, e: inverse_root(v))),
        Mutant(plain, "root forgotten", scale(lambda v, e: 1 / (e + v))),
        Mutant("rmsprop-zero-epsilon", "0/0", scale(lambda v, e: tf.math.rsqrt(v + e))),
        Mutant(
            plain,
            "corrected for its start",
            {
                "scale": lambda self, s, t: inverse_root(
                    self.epsilon + s["velocity"] / (1 - self.rho**t)
                )
            },
        ),
        Mutant(
            plain,
            "v of the step before",
            {
                "delta": lambda self, s, g, t, eta: (
                    eta * inverse_root(self.epsilon + (s["velocity"] - 0.1 * g**2) / self.rho) * g
                )
            },
        ),
        Mutant(centered, "not centered", centered_scale(lambda v, a: v)),
        Mutant(centered, "square of a forgotten", centered_scale(lambda v, a: tf.nn.relu(v - a))),
        Mutant(centered, "a² added", centered_scale(lambda v, a: v + a**2)),
        Mutant(centered, "1 − ρ of a forgotten", average(lambda a, g, p: p * a + g)),
        Mutant(centered, "ρ of a swapped", average(lambda a, g, p: (1 - p) * a + p * g)),
        Mutant(centered, "a of |g|", average(lambda a, g, p: p * a + (1 - p) * tf.abs(g))),
        Mutant(
            momentum,
            "momentum forgotten",
            step(lambda self, s, g, t, eta: self.rate(s, t, eta) * g),
        ),
        Mutant(
            momentum,
            "Nesterov's momentum",
            step(lambda self, s, g, t, eta: eta * (0.9 * s["momentum"] + self.scale(s, t) * g)),
        ),
        Mutant(momentum, "wrong sign", buffer(lambda b, scaled, g, eta, t: scaled - 0.9 * b)),
        Mutant(momentum, "dampened", buffer(lambda b, scaled, g, eta, t: 0.9 * b + 0.1 * scaled)),
        Mutant(
            momentum,
            "scaled after the buffer",
            {
                **buffer(lambda b, scaled, g, eta, t: 0.9 * b + g),
                **step(lambda self, s, g, t, eta: self.rate(s, t, eta) * s["momentum"]),
            },
        ),
        Mutant(
            momentum,
            "η inside the buffer",
            {
                **buffer(lambda b, scaled, g, eta, t: 0.9 * b + eta(t - 1) * scaled),
                "delta": lambda self, s, g, t, eta: s["momentum"],
            },
            schedule=True,
        ),
    ]


def moments(rule_1, rule_2):
    """An ``advance`` with rules (old, g, β) for m and for v."""
    return {
        "advance": lambda self, s, g, t: {
            **s,
            "momentum": rule_1(s["momentum"], g, self.beta_1),
            "velocity": rule_2(s["velocity"], g, self.beta_2),
        }
    }


def mean(old, g, beta):
    return beta * old + (1 - beta) * g


def mean_square(old, g, beta):
    return beta * old + (1 - beta) * g**2


def moment_mutants(case):
    """Faults of the running means that Adam and its kin share."""
    return [
        Mutant(case, "β₁ swapped", moments(lambda m, g, b: (1 - b) * m + b * g, mean_square)),
        Mutant(case, "1 − β₁ forgotten", moments(lambda m, g, b: b * m + g, mean_square)),
        Mutant(case, "no momentum", moments(lambda m, g, b: g, mean_square)),
        Mutant(case, "m of half precision", moments(lambda *x: half(mean(*x)), mean_square)),
        Mutant(case, "β₂ swapped", moments(mean, lambda v, g, b: (1 - b) * v + b * g**2)),
        Mutant(case, "1 − β₂ forgotten", moments(mean, lambda v, g, b: b * v + g**2)),
        Mutant(case, "|g| instead of g²", moments(mean, lambda v, g, b: mean(v, tf.abs(g), b))),
        Mutant(case, "sum of squares", moments(mean, lambda v, g, b: v + g**2)),
    ]


def scale_mutant(case, fault, rule):
    """A scale of state, t and the optimizer itself."""
    return Mutant(case, fault, {"scale": lambda self, s, t: rule(s, t, self)})


def corrected(s, t, o):
    return tf.sqrt(s["velocity"] / (1 - o.beta_2**t))


def family_mutants():
    adam, adadelta, amsgrad = tfadaopt.Adam, tfadaopt.Adadelta, tfadaopt.AMSGrad
    return [
        *(mutant for case in ("adam", "nadam", "radam") for mutant in moment_mutants(case)),
        scale_mutant(
            "adam",
            "v not corrected",
            lambda s, t, o: 1 / ((1 - o.beta_1**t) * (tf.sqrt(s["velocity"]) + o.epsilon)),
        ),
        scale_mutant("adam", "m not corrected", lambda s, t, o: 1 / (corrected(s, t, o) + 1e-8)),
        scale_mutant(
            "adam-betas",
            "Keras' ε̂",
            lambda s, t, o: (
                tf.sqrt(1 - o.beta_2**t)
                / ((1 - o.beta_1**t) * (tf.sqrt(s["velocity"]) + o.epsilon))
            ),
        ),
        scale_mutant(
            "adam-betas",
            "ε inside the root",
            lambda s, t, o: 1 / ((1 - o.beta_1**t) * tf.sqrt(corrected(s, t, o) ** 2 + o.epsilon)),
        ),
        scale_mutant(
            "adam-zero-epsilon", "0/0", lambda s, t, o: 1 / ((1 - o.beta_1**t) * corrected(s, t, o))
        ),
        scale_mutant("adam", "corrected in half", lambda s, t, o: adam.scale(o, s, half(t + 0.01))),
        scale_mutant(
            "amsgrad",
            "v instead of its maximum",
            lambda s, t, o: amsgrad.scale(o, {"velocity_hat": s["velocity"]}, t),
        ),
        scale_mutant(
            "amsgrad-corrected",
            "not corrected",
            lambda s, t, o: 1 / (tf.sqrt(s["velocity_hat"]) + o.epsilon),
        ),
        scale_mutant("adamax-epsilon", "not corrected", lambda s, t, o: 1 / (s["norm"] + 1e-7)),
        Mutant(
            "adamax",
            "sum instead of maximum",
            {
                "advance": lambda self, s, g, t: {
                    "momentum": mean(s["momentum"], g, 0.9),
                    "norm": 0.999 * s["norm"] + tf.abs(g),
                }
            },
        ),
        Mutant(
            "nadam",
            "no look-ahead",
            {"direction": lambda self, s, g, t: s["momentum"] / (1 - s["momentum_product"])},
        ),
        Mutant(
            "nadam", "Keras' ψ", {"mu": lambda self, t: self.beta_1 * (1 - 0.5 * tf.pow(0.96, t))}
        ),
        Mutant("nadam-constant", "scheduled", {"mu": lambda self, t: 0.45 + 0.0 * t}),
        Mutant(
            "radam",
            "threshold 5",
            {
                "scale": lambda self, s, t: tf.where(
                    t < 6, 1 / (1 - 0.9**t), tfadaopt.RAdam.scale(self, s, t)
                )
            },
        ),
        Mutant("radam", "never rectified", {"rectification": lambda self, t: 0.0 * t}),
        Mutant("radam", "always full", {"rectification": lambda self, t: 0.0 * t + 1}),
        Mutant(
            "adabelief",
            "m of the step before",
            {
                "advance": lambda self, s, g, t: {
                    "momentum": mean(s["momentum"], g, 0.9),
                    "belief": mean_square(s["belief"], g - s["momentum"], 0.999) + 1e-16,
                }
            },
        ),
        Mutant(
            "adabelief-epsilon",
            "ε not kept in s",
            {
                "advance": lambda self, s, g, t: {
                    "momentum": mean(s["momentum"], g, 0.9),
                    "belief": mean_square(s["belief"], g - mean(s["momentum"], g, 0.9), 0.999),
                }
            },
        ),
        Mutant("yogi", "is Adam's v", moments(mean, mean_square)),
        Mutant(
            "yogi",
            "wrong sign",
            moments(mean, lambda v, g, b: v - (1 - b) * tf.sign(g**2 - v) * g**2),
        ),
        Mutant(
            "yogi-corrected",
            "not corrected",
            {"scale": lambda self, s, t: 1 / (tf.sqrt(s["velocity"]) + self.epsilon)},
        ),
        Mutant(
            "adadelta",
            "E_x of this step",
            {
                "update": lambda self, theta, s, g, t, eta: (
                    (new := self.advance(s, g, t)),
                    self.delta(new, g, t, eta),
                )
            },
        ),
        Mutant(
            "adadelta",
            "ε only below",
            {
                "scale": lambda self, s, t: (
                    (tf.sqrt(s["accumulated_delta_var"]) + 1e-3)
                    * adadelta.scale(self, {**s, "accumulated_delta_var": 0.0}, t)
                    * 1e3
                )
            },
        ),
        Mutant("adamw-heavy", "no decay", {"decay_now": lambda self, state, decay: 0.0}),
        Mutant("nadamw", "no decay", {"decay_now": lambda self, state, decay: 0.0}),
    ]


def common_mutants(case):
    """Faults that any method may have in what it subtracts."""
    right = getattr(tfadaopt, case.name).decay_and_update

    def delta(rule):
        def decay_and_update(self, theta, s, g, t, eta, decay):
            new, step = right(self, theta, s, g, t, eta, decay)
            return new, rule(step, eta, t)

        return {"decay_and_update": decay_and_update}

    subtle = [
        Mutant(case.id, "0.01 % too fast", delta(lambda d, eta, t: 1.0001 * d)),
        Mutant(case.id, "half precision", delta(lambda d, eta, t: half(d))),
        Mutant(
            case.id,
            "stops at step 150",
            delta(lambda d, eta, t: tf.cast(t < 150, d.dtype) * d),
        ),
    ]
    if case.name not in QUICK:  # what is caught above is caught below
        return subtle
    return [
        *subtle,
        Mutant(case.id, "10 % too slow", delta(lambda d, eta, t: 0.9 * d)),
        Mutant(case.id, "uphill", delta(lambda d, eta, t: -d)),
        Mutant(case.id, "warms up", delta(lambda d, eta, t: (1 - 0.5**t) * d)),
        Mutant(case.id, "η squared", delta(lambda d, eta, t: eta * d)),
    ]


EDITS = [
    Edit(
        "adan",
        "first difference is g",
        'tf.where(is_first(state), tf.zeros_like(g), g - state["previous_gradient"])',
        'g - state["previous_gradient"]',
    ),
    Edit("adan", "Optax' weight of v", "m + self.beta_2 * self", "m + (1 - self.beta_2) * self"),
    Edit("adan", "n of g alone", "tf.square(ahead)", "tf.square(g)"),
    Edit("adan", "not corrected", "if self.bias_correction", "if False"),
    Edit("adan-uncorrected", "corrected", "if self.bias_correction", "if True"),
    Edit(
        "adan-decay",
        "decay multiplied",
        "(step + decay * eta * theta) / (1",
        "(step + decay * eta * theta) * (1",
    ),
    Edit("adopt", "clip at √k", "tf.pow(k, 0.25)", "tf.sqrt(k)"),
    Edit("adopt", "clip at (k + 1)^¼", "tf.pow(k, 0.25)", "tf.pow(k + 1, 0.25)"),
    Edit("adopt-unclipped", "clipped", "if self.clip", "if True"),
    Edit(
        "adopt-unclipped",
        "moves at first",
        "tf.where(is_first(state), tf.zeros_like(root), reciprocal(root))",
        "reciprocal(root)",
    ),
    Edit("adopt", "v₁ scaled", "tf.where(is_first(state), tf.square(g), running", "(running"),
    Edit("lars", "squared norm", "norm(theta), norm(g)", "norm(theta) ** 2, norm(g)"),
    Edit(
        "lars",
        "ratio of g to θ",
        "trust_ratio(self.trust_coefficient * of_theta, below)",
        "trust_ratio(below, of_theta)",
    ),
    Edit("lars-decay", "Optax' norm", "of_g + decay * of_theta", "tf.norm(g + decay * theta)"),
    Edit("lars-decay", "decay outside", "ratio * (g + decay * theta)", "ratio * g + decay * theta"),
    Edit("lamb", "inverted", "norm(theta), norm(r)", "norm(r), norm(theta)"),
    Edit("lamb", "norm of m", "norm(r))", 'norm(new["momentum"]))'),
    Edit("lamb-decay", "Keras' decay", "norm(r))", "norm(r - decay * theta))"),
    Edit(
        "adagradnorm",
        "norm, not squared",
        '+ sums["squares"]',
        '+ sums["squares"] ** 0.5',
    ),
    Edit(
        "adagradnorm-initial",
        "b₀",
        "self.initial_accumulator_value}",
        "self.initial_accumulator_value**0.5}",
    ),
    Edit("sm3", "maximum of slices", "tf.minimum, spread", "tf.maximum, spread"),
    Edit("sm3", "sum over slices", "tf.reduce_max(nu", "tf.reduce_sum(nu"),
    Edit("sm3", "ν of before", "inverse_root(nu +", "inverse_root(self.bound(state) +"),
    Edit(
        "sm3-epsilon",
        "ε outside",
        "inverse_root(nu + self.epsilon) * g",
        "g / (tf.sqrt(nu) + self.epsilon)",
    ),
    Edit("madgrad", "square root", "tf.pow(v, 1 / 3)", "tf.sqrt(v)"),
    Edit("madgrad", "λ = η", "weight = eta * tf.sqrt(t)", "weight = eta"),
    Edit("madgrad", "from θ", "z = start", "z = theta"),
    Edit("madgrad", "t + 1", "weight = eta * tf.sqrt(t)", "weight = eta * tf.sqrt(t + 1)"),
    Edit("schedulefreesgd-warmup", "no warm-up", "eta * warmup(t, self.warmup_steps)", "eta"),
    Edit("schedulefreesgd-decay", "no decay", "(g + decay * theta)", "g"),
    Edit(
        "schedulefreesgd-warmup",
        "Keras' 1 / t",
        "tf.square(gamma), weight_sum",
        'tf.ones_like(gamma), state["updates"] + 1',
        "averaging",
    ),
    Edit("schedulefreesgd", "wrong sign", "+ beta * step)", "- beta * step)", "averaging"),
    Edit("schedulefreesgd", "y is z", "(1 - beta) * step +", "step +", "averaging"),
    Edit(
        "schedulefreeadamw",
        "v not corrected",
        'state["velocity"] / weight_so_far(self.beta_2, t)',
        'state["velocity"]',
    ),
    Edit(
        "schedulefreeadamw-decay",
        "decay of z",
        "gamma * decay * theta",
        'gamma * decay * state["z"]',
    ),
    Edit(
        "schedulefreeadamw",
        "keeps the old v",
        '"velocity": v}, delta',
        '"velocity": state["velocity"]}, delta',
    ),
    Edit("dog-grows", "distance forgotten", "tf.maximum(r, distance)", "r"),
    Edit(
        "dog",
        "no root",
        'inverse_root(state["gradient_sum"] + self.epsilon)',
        '1 / (state["gradient_sum"] + self.epsilon)',
    ),
    Edit("dog", "‖θ₀‖ forgotten", "(1 + distance)", "1.1"),
    Edit("dowg-grows", "is DoG", 'r2 * sums["squares"]', 'sums["squares"]'),
    Edit("dowg", "r not squared", "self.initial_distance**2", "self.initial_distance * 1.1"),
    Edit("dowg-grows", "distance forgotten", "tf.maximum(shared", "(lambda a, b: a)(shared"),
    Edit("dadaptadam-grows", "1 − q forgotten", '(1 - q) * sums["norm"]', 'sums["norm"]'),
    Edit(
        "dadaptadam",
        "η outside m",
        'running_mean(state["momentum"], rate * g',
        'running_mean(state["momentum"], g',
    ),
    Edit("dadaptadam-limited", "no limit", "self.growth_rate)\n", "None)\n"),
    Edit("dadaptadam-decay", "η λ θ", "rate * decay * theta", "eta * 1.01 * decay * theta"),
    Edit("dadaptadam-corrected", "not corrected", "on = self.bias_correction", "on = False"),
    Edit("prodigy-grows", "d stays", "distances.grown(d, estimate, self.growth_rate)", "d"),
    Edit("prodigy-grows", "v without d", "tf.square(d * g)", "tf.square(g)"),
    Edit("prodigy-grows", "c forgotten", "self.distance_coefficient * tf", "tf"),
    Edit("prodigy-decay", "no decay", "self.gamma(t, eta) * d * decay", "0 * decay"),
    Edit("prodigy-corrected", "not corrected", "on = self.bias_correction", "on = False"),
    Edit("lion", "β₁ for m", "g, self.beta_2)", "g, self.beta_1)"),
    Edit("lion", "β₂ in the direction", "g, self.beta_1)", "g, self.beta_2)"),
    Edit("lion", "no sign", "tf.sign(c)", "c"),
    Edit("lion", "sign of the new m", "tf.sign(c)", "tf.sign(m)"),
    Edit("lion", "sign of g", "tf.sign(c)", "tf.sign(g)"),
    Edit("signum", "sign of g", 'tf.sign(state["momentum"])', "tf.sign(g)"),
    Edit("signum", "no sign", 'tf.sign(state["momentum"])', 'state["momentum"]'),
    Edit("signum-0.5", "β fixed", "g, self.momentum)", "g, 0.9)"),
    Edit("stableadamw", "is AdamW", 'tf.maximum(state["step_rms"], 1)', "1"),
    Edit("stableadamw", "steps grow, too", 'tf.maximum(state["step_rms"], 1)', 'state["step_rms"]'),
    Edit("stableadamw", "v not corrected", "/ weight_so_far(self.beta_2, t)", ""),
    Edit(
        "stableadamw-epsilon",
        "no ε in the mean",
        "tf.maximum(tf.sqrt(v_hat), self.epsilon)",
        "tf.sqrt(v_hat)",
    ),
    Edit(
        "stableadamw-epsilon",
        "ε added in the mean",
        "tf.maximum(tf.sqrt(v_hat), self.epsilon)",
        "tf.sqrt(v_hat) + self.epsilon",
    ),
    Edit("stableadamw-decay", "decay of η", 'eta / tf.maximum(new["step_rms"], 1)', "eta"),
    Edit(
        "ademamix",
        "m₂ corrected",
        'alpha * state["slow_momentum"]',
        'alpha * state["slow_momentum"] / weight_so_far(self.beta_3, t)',
    ),
    Edit("ademamix", "m₁ not corrected", "/ weight_so_far(self.beta_1, t)", ""),
    Edit("ademamix", "α forgotten", "alpha * state", "state"),
    Edit("ademamix", "v not corrected", "/ weight_so_far(self.beta_2, t)", ""),
    Edit("ademamix", "β₁ for m₂", "s / math.log(self.beta_3)", "s / math.log(self.beta_1)"),
    Edit("ademamix-warmup", "α at once", "self.alpha * warmup", "self.alpha + 0 * warmup"),
    Edit("ademamix-warmup", "α a step late", "warmup(t, self.alpha", "warmup(t - 1, self.alpha"),
    Edit(
        "ademamix-warmup", "β₃ at once", "s = warmup(t, self.beta_3_warmup_steps or 0)", "s = 1.0"
    ),
    Edit(
        "ademamix-warmup",
        "ln β₃ linear",
        "1 / ((1 - s) * begin + s / math.log(self.beta_3))",
        "(1 - s) / begin + s * math.log(self.beta_3)",
    ),
    Edit("adabound", "no lower bound", "lower, upper)", "0.0, upper)"),
    Edit("adabound", "no upper bound", "lower, upper)", "lower, 1e30)"),
    Edit("adabound-narrow", "f of before", "tf.constant(self.final_rate, t.dtype)", "0.1"),
    Edit("adabound-narrow", "γ forgotten", "speed = self.gamma * t", "speed = 0.001 * t"),
    Edit("adabound-narrow", "lower bound of before", "speed / (speed + 1)", "(1 - 1 / speed)"),
    Edit("adabound-narrow", "upper bound of before", "(speed + 1) / speed", "(speed + 2) / speed"),
    Edit(
        "adabound",
        "not corrected",
        "return correction * reciprocal(root)",
        "return reciprocal(root)",
    ),
    Edit("adabound", "corrected m alone", "tf.sqrt(weight_so_far(self.beta_2, t))", "1.0"),
    Edit(
        "adabound-amsbound",
        "v instead of its maximum",
        '"velocity_hat" if self.amsbound else "velocity"',
        '"velocity"',
    ),
    Edit("adabound-published", "no 1/√t", "clipped / tf.sqrt(t) if self", "clipped if self"),
    Edit("adabound-published", "corrected", "if self.as_published:", "if False:"),
    Edit("novograd", "v starts at 0", "is_first(state)", "tf.constant(False)"),
    Edit("novograd", "norm, not squared", "n = total(tf.square(g))", "n = tf.norm(g)"),
    Edit("novograd", "largest coordinate", "n = total(tf.square(g))", "n = tf.reduce_max(g * g)"),
    Edit("novograd", "β₂ for m", "self.beta_1 * state", "self.beta_2 * state"),
    Edit("novograd-decay", "no decay", "+ decay * theta\n", "\n"),
    Edit("novograd-averaging", "weight 1", "1 - self.beta_1 if", "1.0 if"),
    Edit(
        "novograd-averaging",
        "decay not averaged",
        "weight * d",
        "weight * d + (1 - weight) * decay * theta",
    ),
    Edit("novograd", "averaged", "if self.grad_averaging", "if True"),
    Edit("sgdp", "no projection", "eta * (q", "eta * (p"),
    Edit("sgdp-nesterov", "no look-ahead", "if self.nesterov", "if False"),
    Edit("sgdp-decay", "ω forgotten", "omega * decay", "decay"),
    Edit("sgdp-decay", "ω always", "tf.where(free,", "tf.where(True,"),
    Edit("sgdp-decay", "1 − μ forgotten", "decay / (1 - self.momentum)", "decay"),
    Edit("sgdp-decay", "channels by rows", "every[:-1]", "every[1:]", "projection"),
    Edit(
        "sgdp-decay",
        "one channel is enough",
        "reduce_max(cosine)",
        "reduce_min(cosine)",
        "projection",
    ),
    Edit("sgdp", "never all as one", "tf.where(whole, along_all, 0)", "0.0", "projection"),
    Edit("sgdp-decay", "δ without √n", "delta / tf.sqrt(n)", "delta / n", "projection"),
    Edit("sgdp-decay", "sign of the cosine", "tf.abs(tf", "(tf", "projection"),
    Edit(
        "sgdp-decay",
        "θ not normalized",
        "divide_no_nan(theta, length)",
        "divide_no_nan(theta, 1.0)",
        "projection",
    ),
    Edit("adamp", "no projection", "eta * (q", "eta * (p"),
    Edit("adamp-nesterov", "no look-ahead", "if self.nesterov", "if False"),
    Edit("adamp-nesterov", "look-ahead by β₂", "g, self.beta_1) if", "g, self.beta_2) if"),
    Edit("adamp-decay", "ω forgotten", "omega * decay", "decay"),
    Edit("adamp-decay", "test of m", "projected(p, g,", "projected(p, m,"),
    Edit("adamp-decay", "m projected", "self.scale(new, t) * m\n", "m\n"),
    Edit("mars", "no correction", "(g - previous)", "(g - g)"),
    Edit("mars", "γ alone", "* self.beta_1 / (1 - self.beta_1)", ""),
    Edit(
        "mars",
        "never clipped",
        "return c / tf.maximum(norm(c), 1)",
        "return c",
    ),
    Edit(
        "mars",
        "always of norm 1",
        "tf.maximum(norm(c), 1)",
        "norm(c)",
        shapes=SHAPES,
    ),
    Edit("mars", "g₀ is 0", "if not self.first_difference", "if False", shapes=SHAPES),
    Edit("mars-first", "g₀ is g₁", "if not self.first_difference", "if True", shapes=SHAPES),
    Edit("mars", "change of c", '"previous_gradient": g', '"previous_gradient": c'),
    Edit("ftrl", "σ forgotten", "- sigma * theta", ""),
    Edit(
        "ftrl",
        "σ of one η",
        'root(state["accumulator"]) / last',
        'root(state["accumulator"]) / eta',
        schedule=True,
    ),
    Edit("ftrl", "g instead of g²", "+ tf.square(g)\n", "+ tf.abs(g)\n"),
    Edit("ftrl", "n of before", "s = self.root(n)", 's = self.root(state["accumulator"])'),
    Edit("ftrl-power", "power ½", "if p == -0.5", "if True"),
    Edit("ftrl-keras", "starts at 0", "n = self.initial_accumulator_value", "n = 0.0"),
    Edit("ftrl-strengths", "no λ₁", "l1 = self.l1_regularization_strength", "l1 = 0.0"),
    Edit(
        "ftrl-strengths",
        "λ₂, not 2 λ₂",
        "+ 2 * self.l2_regularization_strength\n",
        "+ self.l2_regularization_strength\n",
    ),
    Edit("ftrl-strengths", "no shrinkage", "+ g + shrinkage", "+ g"),
    Edit(
        "ftrl-strengths",
        "shrinkage in n",
        "tf.square(g)\n",
        "tf.square(g + 2 * self.l2_shrinkage_regularization_strength * theta)\n",
    ),
    Edit("ftrl-strengths", "β without η", "self.beta / eta", "self.beta"),
    Edit("rprop", "steps never grow", "self.increase * step", "step"),
    Edit("rprop", "steps never shrink", "self.decrease * step", "step"),
    Edit(
        "rprop-bounds",
        "no largest step",
        "tf.minimum(self.increase * step, self.largest)",
        "self.increase * step",
    ),
    Edit(
        "rprop-bounds",
        "no smallest step",
        "tf.maximum(self.decrease * step, self.smallest)",
        "self.decrease * step",
    ),
    Edit("rprop", "does not wait", "tf.where(same < 0, tf.zeros_like(g), g)", "g"),
    Edit(
        "rprop", "no sign", 'tf.sign(state["previous_gradient"])\n', 'state["previous_gradient"]\n'
    ),
    Edit("rprop-bounds", "starts at 0.01", '{"step_size": self.initial_step', '{"step_size": 0.01'),
    Edit("adafactor", "V is R Cᵀ", "tf.math.divide_no_nan(r, tf.reduce_mean(r))", "r"),
    Edit("adafactor", "rows alone", " * inverse_root(c)", ""),
    Edit(
        "adafactor", "root forgotten", "rows = inverse_root(", "rows = tf.math.reciprocal_no_nan("
    ),
    Edit("adafactor-unfactored", "factored", ">= self.min_dim_size_to_factor", ">= 1"),
    Edit("adafactor-fast", "power −0.8", "t**self.beta_2_decay", "t**-0.8"),
    Edit("adafactor-fast", "no 1/√t", "if self.relative_step", "if False"),
    Edit("adafactor-plain", "1/√t", "if self.relative_step", "if True"),
    Edit(
        "adafactor-fast",
        "ε₂ forgotten",
        "tf.maximum(root_mean_square(theta), self.epsilon_2)",
        "root_mean_square(theta)",
    ),
    Edit("adafactor-plain", "relative", "if self.scale_parameter", "if True"),
    Edit("adafactor", "not relative", "if self.scale_parameter", "if False"),
    Edit(
        "adafactor", "never clipped", 'tf.maximum(state["step_rms"] / self.clip_threshold, 1)', "1"
    ),
    Edit("adafactor-plain", "d = 1", "/ self.clip_threshold, 1)", ", 1)"),
    Edit("adafactor-momentum", "no momentum", "u = new[", "new["),
    Edit("shampoo", "power −1/2", "[2 * len(shape)", "[len(shape)"),
    Edit("shampoo", "running mean", "return statistics +", "return 0.9 * statistics +"),
    Edit("shampoo-refresh", "always fresh", "% self.refresh_every", "% 1"),
    Edit("shampoo-diagonal", "no limit", "n <= self.max_dimension", "True"),
    *(
        Edit(case, fault, right, wrong, "orthogonal")
        for case, fault, right, wrong in (
            ("muon", "does not look ahead", "if recipe.nesterov else m", "if False else m"),
            ("muon-rms", "always looks ahead", "if recipe.nesterov else m", "if True else m"),
            ("muon", "a is 1 % off", "3.4445", "3.41"),
            ("muon", "b is 1 % off", "-4.7750", "-4.73"),
            ("muon", "c is 1 % off", "2.0315", "2.05"),
            ("muon", "ε too large", "EPSILON = 1e-7", "EPSILON = 1e-3"),
            ("muon", "one iteration less", "range(0, steps,", "range(0, steps - 1,"),
            ("muon-rms", "always five iterations", "range(0, steps,", "range(0, 5,"),
            ("muon", "s turned over", "max(1.0, out / fan_in)", "max(1.0, fan_in / out)"),
            ("muon-rms", "s by the short side", "0.2 * math.sqrt(max", "0.2 * math.sqrt(min"),
            ("muon-spectral", "s turned over", "sqrt(out / fan_in)", "sqrt(fan_in / out)"),
            ("muon-neurons", "β₂ halved", "axis=0), beta)", "axis=0), beta / 2)"),
            ("muon-neurons", "no root", "tf.sqrt(v) + TINY", "v + TINY"),
            ("muon-neurons", "norm not kept", "divide_no_nan(frobenius(x)", "divide_no_nan(1.0"),
        )
    ),
    Edit("muon", "decays by AdamW's rate", "return decay if is_matrix(state) else", "return"),
    Edit("muon-sgd", "no weight of the matrix", "step *= self.muon_weight", "step *= 1.0"),
    Edit("muon-sgd", "no weight of SGD", "self.sgd_weight if matrix else 1", "1"),
    Edit(
        "muon-sgd", "SGD does not look ahead", "g + self.momentum * b if self.nesterov else b", "b"
    ),
    Edit(
        "muon-sgd", "decay in the matrix", "(states, gradients, pulled,", "(states, pulled, pulled,"
    ),
    Edit("muon-sgd", "no decay", "g + decay * theta if decay", "g if decay"),
    Edit("soap", "moves at first", "tf.where(first, tf.zeros_like(x), x)", "x"),
    Edit("soap", "bases stay", "tf.where(due[i], basis, old)", "old", "eigenbases"),
    Edit("soap", "corrected with k + 1", "tf.maximum(k, 1)", "k + 1"),
    Edit("soap-diagonal", "no limit", "self.max_dimension)", "100)"),
]

MUTANTS = [
    *EDITS,
    Mutant("sgd", "sign alone", {"direction": lambda self, s, g, t: tf.sign(g)}),
    Mutant("sgd", "gradient clipped", {"direction": lambda self, s, g, t: tf.minimum(g, 1.0)}),
    Mutant("sgd", "rate decays", {"scale": lambda self, s, t: tf.math.rsqrt(t)}),
    *momentum_mutants("momentum", lambda b, g: b),
    *momentum_mutants("nesterov", lambda b, g: g + 0.9 * b),
    Mutant("momentum", "is Nesterov", {"direction": tfadaopt.Nesterov.direction}),
    Mutant("nesterov", "is Momentum", {"direction": tfadaopt.Momentum.direction}),
    *adagrad_mutants(),
    *rmsprop_mutants(),
    *family_mutants(),
    *(mutant for case in FULLEST for mutant in common_mutants(case)),
]


def schedule():
    return keras.optimizers.schedules.PiecewiseConstantDecay([100], [RATE, RATE / 8])


def run(make, mutant):
    """Train an optimizer and the case's twin on one variable."""
    case = BY_ID[mutant.case]
    starts, gradients = problem_of(case, shapes=getattr(mutant, "shapes", ONE))
    eta = schedule() if mutant.schedule else case.rate
    rates = [float(eta(step)) if callable(eta) else eta for step in range(STEPS)]
    expected = follow(case, starts, gradients, rates.__getitem__)
    # Matrices are too coarse in float32 to tell 0.01 % from rounding.
    dtype = "float32" if case.has_rate else "float64"
    return train(make(eta), starts, gradients, dtype=dtype), expected


def test_faults_of_the_engine_have_a_place():
    """``make audit`` puts them there."""
    assert [fault.name for fault in FAULTS if fault.right not in fault.source()] == []


class Count:
    """Tried and caught, for the summary."""

    def __init__(self, figures, line):
        self.figures, self.key = figures, ("mutants", line)
        self.add(tried=1)

    def add(self, tried=0, caught=0):
        old = self.figures.get(self.key, "0 of 0").split(" of ")
        self.figures[self.key] = f"{int(old[0]) + caught} of {int(old[1]) + tried}"


FIRST = {BY_ID[mutant.case].name: mutant for mutant in reversed(MUTANTS)}


def marks(mutant):
    """One mutant of each method runs with the tests, all others with ``make audit``."""
    if mutant not in FIRST.values():
        return pytest.mark.audit
    return () if BY_ID[mutant.case].name in QUICK else pytest.mark.slow


@pytest.mark.parametrize("mutant", [pytest.param(m, id=str(m), marks=marks(m)) for m in MUTANTS])
def test_broken_update_is_caught(mutant, figures):
    count = Count(figures, f"{BY_ID[mutant.case].name}, caught by displacement")
    with pytest.raises(AssertionError, match="displacements differ"):
        check_updates(*run(mutant.make, mutant), TOLERANCE)
    count.add(caught=1)


def misread(case):
    """The update is right, what is read is wrong."""
    method = getattr(tfadaopt, case.name)

    def decay_and_update(self, *args):
        self.steps = True
        done = method.decay_and_update(self, *args)
        self.steps = False
        return done

    return Mutant(
        case.id,
        "reads a rate 10 % too small",
        {
            "rate": lambda self, *args: method.rate(self, *args) * (1.0 if self.steps else 0.9),
            "decay_and_update": decay_and_update,
            "steps": False,
        },
    )


@pytest.mark.audit
@each_method_with_a_rate
def test_wrong_reading_is_caught(case, figures):
    count = Count(figures, "caught by reading the rate")
    mutant = misread(case)
    actual, expected = run(mutant.make, mutant)
    check_updates(actual, expected, TOLERANCE)
    with pytest.raises(AssertionError, match="effective rates differ"):
        check_readings(actual, expected, TOLERANCE)
    count.add(caught=1)


@pytest.mark.audit
@pytest.mark.parametrize(
    "mutant", {(m.case, m.schedule): m for m in MUTANTS}.values(), ids=lambda m: m.case
)
def test_the_method_itself_passes(mutant):
    """The very problem that convicts the mutant acquits the method."""
    case = BY_ID[mutant.case]
    actual, expected = run(lambda eta: case.make(learning_rate=eta), mutant)
    check_updates(actual, expected, TOLERANCE)
    check_readings(actual, expected, TOLERANCE)

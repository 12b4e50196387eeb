"""Our optimizers as transformations of Optax: functions of gradients, a state and parameters.

JAX calls back to the host for each update: all variables of the optimizer are read from the state,
one step is done by ``apply``, and they are read out again. So the state is what the functions are
given, and nothing else is remembered.
"""

import functools
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import tensorflow as tf
from jax import dtypes

import tfadaopt


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["variables"],
    meta_fields=["name", "arguments"],
)
@dataclass(frozen=True)
class State:
    """Values of an optimizer's variables, first the count of steps; its class and arguments."""

    variables: tuple
    name: str
    arguments: tuple


@dataclass(frozen=True)
class Adapter:
    """One of ours in the place of one of theirs.

    Attributes:
        name: Name of our class.
        words: Our names of arguments, by theirs.
        arguments: What theirs has as a default, or what it is compared with.
    """

    name: str
    words: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping = field(default_factory=dict)

    def __call__(self, learning_rate, given: Mapping) -> optax.GradientTransformationExtraArgs:
        words = {"b1": "beta_1", "b2": "beta_2", **self.words}
        mine = {words.get(name, name): value for name, value in given.items()}
        mine = {name: value for name, value in mine.items() if value is not None}
        name = self.name
        if name == "SGD" and "momentum" in mine:
            name = "Momentum"
        return transformation(
            name, learning_rate, tuple(sorted({**self.arguments, **mine}.items()))
        )


def factory(adapter: Adapter, theirs):
    """A function with the arguments that theirs has."""

    def make(learning_rate: optax.ScalarOrSchedule = 1e-3, **given):
        return adapter(learning_rate, given)

    known = inspect.signature(theirs).parameters
    kept = {"b1", "b2", "momentum", "weight_decay", "warmup_steps"} & known.keys()
    empty = inspect.Parameter.KEYWORD_ONLY
    rate = inspect.signature(make).parameters["learning_rate"]
    parameters = [inspect.Parameter(name, empty, default=None) for name in sorted(kept)]
    make.__signature__ = inspect.Signature([rate, *parameters])
    return make


class Host:
    """One optimizer for parameters of some shapes, stepped from the host.

    All numbers go there and back as one vector, as each array of its own costs as much as a step.

    Args:
        name: Name of our class.
        arguments: Its arguments but the rate.
        specs: Shape and dtype of each parameter.
    """

    def __init__(self, name: str, arguments: tuple, specs: tuple):
        self.parameters = [keras.Variable(np.zeros(*spec), dtype=spec[1]) for spec in specs]
        self.optimizer = getattr(tfadaopt, name)(1.0, **dict(arguments))
        self.optimizer.build(self.parameters)
        self.rate = self.optimizer.learning_rate
        self.variables = [v for v in self.optimizer.variables if v is not self.rate]
        self.start = [np.array(v) for v in self.variables]
        self.dtype = "float64" if any(dtype == "float64" for _, dtype in specs) else "float32"
        self.step = tf.function(self._step, autograph=False, jit_compile=True)

    def __call__(self, numbers) -> np.ndarray:
        """Parameters, gradients, rate and state in; parameters and state after a step out."""
        return self.step(tf.constant(np.asarray(numbers))).numpy()

    def _step(self, numbers):
        put = [*self.parameters, *self.parameters, self.rate, *self.variables]
        parts = tf.split(numbers, [math.prod(v.shape) for v in put])
        values = [tf.reshape(x, v.shape) for x, v in zip(parts, put, strict=True)]
        count = len(self.parameters)
        gradients = values[count : 2 * count]
        self.put(values[:count], values[2 * count + 1 :])
        self.rate.assign(tf.cast(values[2 * count], "float32"))
        pairs = zip(gradients, self.parameters, strict=True)
        self.optimizer.apply([tf.cast(g, v.dtype) for g, v in pairs], self.parameters)
        after = [*self.parameters, *self.variables]
        return tf.concat([tf.reshape(tf.cast(v.value, self.dtype), [-1]) for v in after], 0)

    def put(self, parameters, state) -> None:
        """Give all variables their values."""
        pairs = [*zip(self.parameters, parameters, strict=True)]
        for variable, value in [*pairs, *zip(self.variables, state, strict=True)]:
            variable.assign(tf.cast(value, variable.dtype))


host = functools.lru_cache(maxsize=None)(Host)


def host_of(name: str, arguments: tuple, leaves) -> Host:
    """The optimizer for parameters of these shapes."""
    return host(name, arguments, tuple((x.shape, str(x.dtype)) for x in leaves))


def transformation(name: str, learning_rate, arguments: tuple):
    """A transformation that does what the optimizer does.

    Args:
        name: Name of our class.
        learning_rate: A number, an array of JAX or a schedule.
        arguments: Other arguments, as pairs.
    """

    def init(params):
        leaves = jax.tree.leaves(params)
        if not leaves or not hasattr(leaves[0], "shape"):
            return State(
                0, name, arguments
            )  # asked which parts of the state are like the parameters: none
        start = host_of(name, arguments, leaves).start
        arrays = [jnp.asarray(x, dtypes.canonicalize_dtype(x.dtype)) for x in start]
        return State(tuple(arrays), name, arguments)

    def update(updates, state, params=None, **extra):
        leaves, tree = jax.tree.flatten(params)
        gradients = jax.tree.leaves(updates)
        eta = learning_rate(state.variables[0]) if callable(learning_rate) else learning_rate

        found = host_of(name, arguments, leaves)
        sent = [*leaves, *gradients, jnp.asarray(eta), *state.variables]
        sent = jnp.concatenate([jnp.ravel(x).astype(found.dtype) for x in sent])
        kept = [*leaves, *state.variables]
        size = sum(x.size for x in kept)
        came = jax.pure_callback(found, jax.ShapeDtypeStruct((size,), found.dtype), sent)
        parts = jnp.split(came, np.cumsum([x.size for x in kept])[:-1])
        values = [
            x.reshape(old.shape).astype(old.dtype) for x, old in zip(parts, kept, strict=True)
        ]
        count = len(leaves)
        steps = [new - old for new, old in zip(values[:count], leaves, strict=True)]
        new = State(tuple(values[count:]), name, arguments)
        return jax.tree.unflatten(tree, steps), new

    return optax.GradientTransformationExtraArgs(init, update)


def averaged(state: State, params):
    """The mean of the weights, of a method that has one."""
    leaves, tree = jax.tree.flatten(params)
    found = host_of(state.name, state.arguments, leaves)
    found.put([np.asarray(x) for x in leaves], [np.asarray(x) for x in state.variables])
    means = [jnp.asarray(np.asarray(found.optimizer.averaged(v))) for v in found.parameters]
    return jax.tree.unflatten(tree, means)


# Ours in the place of theirs: with the table's arguments, and our defaults for the others.
THEIRS = {
    "adopt": Adapter("ADOPT"),
    "dadapt_adamw": Adapter("DAdaptAdam"),
    "dog": Adapter("DoG"),
    "dowg": Adapter("DoWG"),
    "madgrad": Adapter("MADGRAD"),
    "prodigy": Adapter("Prodigy"),
    "schedule_free_sgd": Adapter("ScheduleFreeSGD", {"b1": "beta"}),
    "schedule_free_adamw": Adapter("ScheduleFreeAdamW", {"b1": "beta"}),
    "sgd": Adapter("SGD"),
    "adam": Adapter("Adam"),
    "adamw": Adapter("AdamW", arguments={"weight_decay": 1e-4}),
    "adamax": Adapter("Adamax"),
    "adan": Adapter("Adan"),
    "amsgrad": Adapter("AMSGrad"),
    "lamb": Adapter("LAMB"),
    "rmsprop": Adapter("RMSprop"),
    "adabelief": Adapter("AdaBelief"),
    "radam": Adapter("RAdam"),
    "sm3": Adapter("SM3"),
    "yogi": Adapter("Yogi"),
}
# Ours that the table does not have, each with a rate that arrives in the 30,000 steps it gives.
MORE = {
    "SGD": 1e-3,
    "Momentum": 1e-4,
    "Nesterov": 1e-4,
    "Adagrad": 0.5,
    "RMSprop": 1e-3,
    "Adadelta": 0.1,
    "Adam": 1e-2,
    "Adamax": 1e-2,
    "Nadam": 1e-2,
    "LARS": 0.1,
    "AMSGrad": 1e-2,
    "Yogi": 1e-2,
    "Shampoo": 0.5,
    "AdamW": 1e-2,
    "AdaGradNorm": 1.0,
    "SM3": 0.5,
    "RAdam": 1e-2,
    "AdaBelief": 1e-2,
    "LAMB": 1e-3,
    "Adan": 1e-2,
    "NadamW": 1e-2,
    "SOAP": 1e-2,
}

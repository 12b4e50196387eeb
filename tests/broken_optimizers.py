"""Optimizers with one thing wrong on purpose, each with the contracts that have to say so."""

import keras
import numpy as np
import tensorflow as tf

import tfadaopt


class ForgetsArgument(tfadaopt.Adam):
    def get_config(self):
        config = super().get_config()
        del config["beta_1"]
        return config


class LosesValue(tfadaopt.Adam):
    def get_config(self):
        return {**super().get_config(), "beta_1": 0.9}


class WantsNoMore(tfadaopt.Adam):
    """Configurations have keywords that it does not take."""

    def __init__(self, learning_rate=0.001):
        super().__init__(learning_rate)


class SwallowsKeywords(tfadaopt.Adam):
    def __init__(self, learning_rate=0.001, **kwargs):
        known = tfadaopt.Adam(learning_rate).get_config()
        super().__init__(learning_rate, **{k: v for k, v in kwargs.items() if k in known})


class HostRoundTrip(tfadaopt.Adam):
    def direction(self, state, g, t):
        return tf.constant(state["momentum"].numpy())


class PythonInTheGraph(tfadaopt.Adam):
    def direction(self, state, g, t):
        m = state["momentum"]
        return tf.ensure_shape(tf.numpy_function(np.copy, [m], m.dtype), m.shape)


class CountsInPython(tfadaopt.Momentum):
    """A rate that halves, by an attribute."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.count = 0

    def apply(self, grads, trainable_variables=None):
        self.count += 1
        super().apply(grads, trainable_variables)

    def scale(self, state, t):
        return tf.ones([]) * 0.5**self.count


class StateBesideIt(tfadaopt.Momentum):
    """A rate that falls, by a variable that Keras does not know."""

    def build(self, variables):
        if not self.built:
            with tf.init_scope():
                self.beside = tf.Variable(1.0)
        super().build(variables)

    def apply(self, grads, trainable_variables=None):
        self.build(trainable_variables)
        self.beside.assign(self.beside * 0.5)
        super().apply(grads, trainable_variables)

    def scale(self, state, t):
        return tf.cast(self.beside, t.dtype)


class WithoutCorrection(tfadaopt.Adam):
    """Of the second moment."""

    def scale(self, state, t):
        return super().scale(state, tf.cast(10_000, t.dtype))


class OtherFactor(tfadaopt.Adam):
    def direction(self, state, g, t):
        return state["momentum"] * (1 + 1e-4)


class IgnoresClip(tfadaopt.Adam):
    def apply(self, grads, trainable_variables=None):
        self.clipnorm = self.global_clipnorm = self.clipvalue = None
        super().apply(grads, trainable_variables)


class IgnoresLossScale(tfadaopt.Momentum):
    def apply(self, grads, trainable_variables=None):
        self.loss_scale_factor = None
        super().apply(grads, trainable_variables)


class LastRowWins(tfadaopt.Adam):
    def apply(self, grads, trainable_variables=None):
        dense = [
            tf.tensor_scatter_nd_update(tf.zeros(g.dense_shape), g.indices[:, None], g.values)
            if isinstance(g, tf.IndexedSlices)
            else g
            for g in grads
        ]
        super().apply(dense, trainable_variables)


class NeverDecays(tfadaopt.Adam):
    def decay_and_update(self, theta, state, g, t, eta, decay):
        return self.update(theta, state, g, t, eta)


class DecaysInTheGradient(tfadaopt.Adam):
    def decay_and_update(self, theta, state, g, t, eta, decay):
        return self.update(theta, state, g + decay * theta, t, eta)


class NeverAccumulates(tfadaopt.Adam):
    def build(self, variables):
        self.gradient_accumulation_steps = None
        super().build(variables)

    def apply(self, grads, trainable_variables=None):
        self.gradient_accumulation_steps = None
        super().apply(grads, trainable_variables)


class AverageStands(tfadaopt.Adam):
    def _update_model_variables_moving_average(self, trainable_variables):
        if int(self.iterations) == 0:
            super()._update_model_variables_moving_average(trainable_variables)


class TakesNan(tfadaopt.Adam):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{**kwargs, "nonfinite": "ignore"})


class WantsEveryGradient(tfadaopt.Adam):
    def apply(self, grads, trainable_variables=None):
        if any(g is None for g in grads):
            raise ValueError("a gradient is missing")
        super().apply(grads, trainable_variables)


class StatesTwiceItsRate(tfadaopt.Adam):
    def effective_learning_rate(self, variable):
        theta, state = self.now(variable)
        t = tf.cast(tf.convert_to_tensor(self.iterations), theta.dtype)
        return 2 * self.rate(state, t, tf.cast(self.learning_rate, theta.dtype))


class ReadingChangesIt(tfadaopt.Momentum):
    def effective_learning_rate(self, variable):
        self.learning_rate = float(self.learning_rate) / 2
        return self.learning_rate


class KeepsItsFirstRate(tfadaopt.Adam):
    def moment(self, learning_rate):
        if not hasattr(self, "first_rate"):
            with tf.init_scope():
                self.first_rate = float(self.learning_rate)
        return super().moment(tf.constant(self.first_rate))


class HalfPrecisionState(tfadaopt.optimizers.Optimizer):
    """A step of its own, with state of the dtype of the weights."""

    def __init__(self, learning_rate=0.01, **kwargs):
        super().__init__(learning_rate, **kwargs)

    def slots(self, shape):
        return {}

    def scale(self, state, t):
        return tf.ones([])

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.means = [self.add_variable(v.shape, dtype=v.dtype, name="mean") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        mean = self.means[self.held.index_of(variable)]
        mean.assign(0.9 * mean + tf.cast(gradient, mean.dtype))
        self.assign_sub(variable, tf.cast(learning_rate, mean.dtype) * mean)


class MeansOverReplicas(tfadaopt.Momentum):
    """Half of what two devices found."""

    def apply(self, grads, trainable_variables=None):
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        super().apply([g / replicas for g in grads], trainable_variables)


IN_FILES = {"configuration", "file_before_training", "resume"}
# What is broken, how it is made, and which contracts say so.
BROKEN = {
    "an argument is not in get_config": (ForgetsArgument, {}, {"configuration"}),
    "get_config has another value": (
        LosesValue,
        {"beta_1": 0.5},
        {"configuration", "file_before_training", "resume"},
    ),
    "__init__ takes none of Keras' keywords": (
        WantsNoMore,
        {},
        {"configuration", "file_before_training", "resume"},
    ),
    "a misspelt keyword is taken": (SwallowsKeywords, {}, {"unknown_keyword"}),
    "NumPy in the step": (
        HostRoundTrip,
        {},
        {"compiled_step", "xla", "several_steps_per_execution", "assigned_rate", "schedule"},
    ),
    "Python in the graph of the step": (PythonInTheGraph, {}, {"xla"}),
    "the iteration count is an attribute": (
        CountsInPython,
        {},
        {
            *("resume", "compiled_step", "xla", "several_steps_per_execution"),
            *("gradient_accumulation", "missing_gradient", "rate_times_direction"),
        },
    ),
    "state is not saved": (StateBesideIt, {}, {"resume", "gradient_accumulation"}),
    "no bias correction": (WithoutCorrection, {}, {"twin"}),
    "a factor of 1.0001": (OtherFactor, {}, {"twin", "rate_times_direction"}),
    "clips are ignored": (IgnoresClip, {}, {"clipping"}),
    "the loss scale is ignored": (IgnoresLossScale, {}, {"loss_scale"}),
    "rows of one id are not summed": (LastRowWins, {}, {"embedding_rows"}),
    "weight decay is ignored": (NeverDecays, {}, {"weight_decay"}),
    "weight decay is in the gradient": (DecaysInTheGradient, {}, {"weight_decay"}),
    "gradients are not accumulated": (NeverAccumulates, {}, {"gradient_accumulation"}),
    "the moving average stands still": (AverageStands, {}, {"moving_average"}),
    "NaN gets into the weights": (TakesNan, {}, {"not_finite"}),
    "no gradient may be missing": (WantsEveryGradient, {}, {"missing_gradient"}),
    "it states twice its rate": (StatesTwiceItsRate, {}, {"rate_times_direction", "twin"}),
    "reading changes the rate": (ReadingChangesIt, {}, {"reading", "rate_times_direction"}),
    "the first rate is kept": (KeepsItsFirstRate, {}, {"assigned_rate"}),
    "a step and state of its own, beside the rule": (
        HalfPrecisionState,
        {},
        {"half_precision", "weight_decay", "not_finite"},
    ),
    "Keras' state is half precision": (
        keras.optimizers.SGD,
        {"momentum": 0.9},
        {"half_precision", "not_finite", "embedding_rows", "wrong_gradients"},
    ),
}

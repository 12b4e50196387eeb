"""What no step can take is refused with what to do, or left as it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import each_shape, three_methods
from .steps import each_way, step_of


@each_shape
def test_tensors_in_place_of_variables_are_refused(case):
    """A variable of Keras that is an argument of a ``tf.function`` is a tensor inside."""
    optimizer, w = case.make(), keras.Variable([0.0])
    with pytest.raises(TypeError, match="becomes a tensor: let the function know it from outside"):
        tf.function(lambda v: optimizer.apply([tf.constant([1.0])], [v]))(w)
    with pytest.raises(TypeError, match="where a variable is needed"):
        optimizer.apply([tf.constant([1.0])], [w.numpy()])


@pytest.mark.parametrize("dense_shape", [(4, 2), (3, 3), None], ids=str)
def test_rows_of_another_table_are_refused(dense_shape):
    table = keras.Variable(np.ones((3, 2), "float32"), name="table")
    width = 3 if dense_shape is None else dense_shape[1]
    rows = tf.IndexedSlices(tf.ones((1, width)), tf.constant([1]), dense_shape)
    with pytest.raises(ValueError, match="gradient of 'table' has the shape"):
        tfadaopt.Adagrad().apply([rows], [table])


# Weights of other kinds


class Counting(keras.layers.Layer):
    """A layer with a whole number and a switch among its trainable weights."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")
        self.count = self.add_weight(shape=(2,), dtype="int32", initializer="ones")
        self.switch = self.add_weight(shape=(), dtype="bool", initializer="ones")

    def call(self, x):
        return x * self.scale


KEYWORDS = [
    *({}, {"use_ema": True}, {"use_ema": True, "ema_overwrite_frequency": 1}),
    *({"gradient_accumulation_steps": 2}, {"weight_decay": 0.1}, {"global_clipnorm": 1.0}),
]


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("common", KEYWORDS, ids=lambda c: "-".join(c) or "plain")
@three_methods
def test_whole_numbers_and_switches_stay(case, common):
    layer = Counting()
    layer.build((None, 2))
    scale, count, switch = layer.trainable_weights
    optimizer = case.make(**common)
    step = step_of(optimizer, [count, scale, switch])
    for _ in range(4):
        step(None, tf.constant([1.0, -2.0]), None)
    optimizer.finalize_variable_values(layer.trainable_weights)
    assert count.numpy().tolist() == [1, 1]
    assert switch.numpy()
    assert (scale.numpy() != 1).any()
    assert tfadaopt.accumulators(optimizer, count).keys() <= {
        "skipped_updates",
        *optimizer.shared(),
    }


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_whole_numbers_stay_in_fit():
    model = keras.Sequential([keras.Input((2,)), Counting()])
    model.compile(tfadaopt.Adam(use_ema=True, weight_decay=0.1), "mse")
    model.fit(np.ones((4, 2)), np.zeros((4, 2)), batch_size=2, verbose=0)
    assert model.layers[0].count.numpy().tolist() == [1, 1]
    assert model.layers[0].switch.numpy()


@each_way
@pytest.mark.parametrize(
    ("dtype", "gradient", "what"),
    [
        ("int32", [1.0], "int32, which no step can change; give None"),
        ("bool", [1.0], "bool, which no step can change; give None"),
        ("float32", [1j], "is complex; its imaginary"),
        ("complex64", None, "two variables, or use an optimizer of Keras"),
    ],
)
@three_methods
def test_gradients_that_no_step_can_take_are_refused(case, dtype, gradient, what, way):
    w, b = keras.Variable([1.0], name="kernel"), keras.Variable([1], dtype=dtype, name="count")
    with pytest.raises(TypeError, match=rf"'count' (is|is {dtype},|of) .*{what}|'count' {what}"):
        step_of(case.make(), [w, b], way)(
            tf.constant([1.0]), None if gradient is None else tf.constant(gradient)
        )
    assert w.numpy() == 1


@each_way
@pytest.mark.parametrize("shape", [[None, 2], None], ids=["part", "nothing"])
@three_methods
def test_shape_that_is_known_in_part(case, shape, way):
    w = tf.Variable(tf.ones((3, 2)), shape=tf.TensorShape(shape), name="table")
    g = tf.ones((3, 2))
    with pytest.raises(ValueError, match=r"known in part only. Give it a full shape.*'table'"):
        step_of(case.make(), [w], way)(g)


@each_way
def test_without_state_a_shape_may_be_known_in_part(way):
    w = tf.Variable(tf.ones((3, 2)), shape=[None, 2])
    step_of(tfadaopt.SGD(0.25), [w], way)(tf.ones((3, 2)))
    np.testing.assert_array_equal(w, np.full((3, 2), 0.75))


@pytest.mark.parametrize("common", [{"use_ema": True}, {"gradient_accumulation_steps": 2}])
def test_state_of_sgd_wants_a_full_shape(common):
    w = tf.Variable(tf.ones((3, 2)), shape=[None, 2])
    with pytest.raises(ValueError, match="without averages or accumulation"):
        tfadaopt.SGD(**common).build([w])


# Methods that are no methods


class Half(tfadaopt.optimizers.Optimizer):
    """Only what is abstract."""

    def slots(self, shape):
        return {}

    def scale(self, state, t):
        return tf.ones([])


class WithoutSums(tfadaopt.SGD):
    def shared(self):
        return {"number": 0.0}


class Stepping(Half):
    """A step of its own, as Keras' optimizers have it."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, learning_rate * gradient)


class WithDelta(Half):
    def advance(self, state, g, t):
        return {}

    def delta(self, state, g, t, eta):
        return eta * g


@pytest.mark.parametrize(
    ("cls", "missing"),
    [(Half, "no advance and no direction"), (WithoutSums, "no terms and no combine")],
)
def test_half_a_method_is_refused_when_it_is_made(cls, missing):
    with pytest.raises(TypeError, match=f"{cls.__name__} has {missing}. A method writes slots"):
        cls(0.5)


@pytest.mark.parametrize("cls", [Stepping, WithDelta])
def test_whole_methods_of_other_forms_step(cls):
    w = keras.Variable([1.0])
    cls(0.5).apply([tf.constant([1.0])], [w])
    assert w.numpy().tolist() == [0.5]

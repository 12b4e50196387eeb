"""Keras' own optimizers: what is read from their state is what their next update applied.

Each rule is written again here in float64: what the rate multiplies, from the state before and
after a step. Before − after must then be rate ⊙ direction.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt import compat, keras_readers
from tfadaopt.reader import alike as read_alike
from tfadaopt.readers import reader_of

from .versions import needs

K = keras.optimizers
RATES = [0.05, 0.02, 0.04, 0.01, 0.03, 0.05]


def falling():
    """A rate that differs at each step: the next one's cannot pass for the last one's."""
    return K.schedules.PiecewiseConstantDecay(list(range(len(RATES) - 1)), RATES)


def of_gradient(before, after, g, t, o):
    return g


def of_m(before, after, g, t, o):
    return after["momentum"]


def with_old_momentum(before, after, g, t, o):
    """Nothing to multiply: what the old momentum does is apart; see ``apart``."""
    return g


def of_nadam(before, after, g, t, o):
    mu, mu_next = (o.beta_1 * (1 - 0.5 * 0.96**n) for n in (t, t + 1))
    product = np.prod([o.beta_1 * (1 - 0.5 * 0.96**n) for n in range(1, t + 1)])
    m = after["momentum"]
    return mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)


def of_lion(before, after, g, t, o):
    return np.sign(o.beta_1 * before["momentum"] + (1 - o.beta_1) * g)


def nothing(before, after, g, t, o):
    return 0.0


def of_sgd_momentum(before, after, g, t, o):
    return -o.momentum * before["momentum"]


def of_sgd_nesterov(before, after, g, t, o):
    return -o.momentum * after["momentum"]


def of_rmsprop_momentum(before, after, g, t, o):
    return o.momentum * before["momentum"]


# (id, optimizer, direction, what is subtracted besides rate ⊙ direction)
ROWS = [
    ("sgd", lambda r: K.SGD(r), of_gradient, nothing),
    ("sgd-momentum", lambda r: K.SGD(r, momentum=0.9), of_gradient, of_sgd_momentum),
    ("sgd-nesterov", lambda r: K.SGD(r, 0.9, nesterov=True), of_gradient, of_sgd_nesterov),
    ("adagrad", lambda r: K.Adagrad(r, 0.3, epsilon=1e-2), of_gradient, nothing),
    ("rmsprop", lambda r: K.RMSprop(r, epsilon=1e-2), of_gradient, nothing),
    ("rmsprop-centered", lambda r: K.RMSprop(r, centered=True), of_gradient, nothing),
    (
        "rmsprop-momentum",
        lambda r: K.RMSprop(r, momentum=0.5, centered=True),
        of_gradient,
        of_rmsprop_momentum,
    ),
    ("adam", lambda r: K.Adam(r, 0.8, 0.95, epsilon=1e-2), of_m, nothing),
    ("adam-amsgrad", lambda r: K.Adam(r, beta_2=0.5, amsgrad=True), of_m, nothing),
    ("adamw", lambda r: K.AdamW(r, weight_decay=0.0), of_m, nothing),
    ("adamax", lambda r: K.Adamax(r, beta_2=0.9, epsilon=1e-2), of_m, nothing),
    ("nadam", lambda r: K.Nadam(r, epsilon=1e-2), of_nadam, nothing),
    ("lion", lambda r: K.Lion(r), of_lion, nothing),
    ("lamb", lambda r: K.Lamb(r, epsilon=1e-2), of_m, nothing),
    ("muon-vector", lambda r: K.Muon(r, adam_lr_ratio=0.5, adam_weight_decay=None), of_m, nothing),
]


def gradients(shape=(7,), steps=6):
    """Of random sign and scale; one is 0, one vanishes."""
    random = np.random.default_rng(0)
    g = random.normal(size=(steps, *shape)) * 10.0 ** random.integers(-2, 2, size=(steps, *shape))
    flat = g.reshape(steps, -1)
    flat[2, 0], flat[-1] = 0.0, flat[-1] * 0.1
    return g.astype("float32")


def state(optimizer, w):
    return {n: x.numpy().astype("float64") for n, x in tfadaopt.accumulators(optimizer, w).items()}


def updates(make, w, g=None):
    """Yield (t, state before, after, gradient, step, rate, optimizer) of each step."""
    optimizer = make(falling())
    optimizer.build([w])
    for t, gradient in enumerate(gradients(w.shape) if g is None else g, start=1):
        old, before = w.numpy().astype("float64"), state(optimizer, w)
        optimizer.apply([tf.constant(gradient)], [w])
        rate = tfadaopt.effective_learning_rate(optimizer, w).numpy()
        assert rate.shape == tuple(w.shape)
        moved = old - w.numpy()
        yield t, before, state(optimizer, w), gradient.astype("float64"), moved, rate, optimizer


@pytest.mark.parametrize(
    ("make", "direction", "apart"),
    [
        pytest.param(*row, id=name, marks=needs("Muon") if name.startswith("muon") else ())
        for name, *row in ROWS
    ],
)
def test_rate_times_direction_is_the_update(make, direction, apart):
    w = keras.Variable(np.linspace(-1, 1, 7).astype("float32"))
    for t, before, after, g, moved, rate, optimizer in updates(make, w):
        expected = rate * direction(before, after, g, t, optimizer)
        expected += apart(before, after, g, t, optimizer)
        np.testing.assert_allclose(moved, expected, rtol=2e-5, atol=3e-7, err_msg=f"step {t}")
        assert np.abs(moved).max() > 1e-4


def test_every_builtin_is_in_the_table():
    """What Keras has is read, or said to be unreadable; nothing is forgotten."""
    wrappers = {K.LossScaleOptimizer, compat.MultiOptimizer, K.Optimizer}
    optimizers = {
        thing
        for thing in vars(K).values()
        if isinstance(thing, type) and issubclass(thing, K.Optimizer)
    }
    assert optimizers - wrappers == set(keras_readers.kinds())


@pytest.mark.parametrize("kind", keras_readers.kinds(), ids=lambda kind: kind.__name__)
def test_state_has_the_names_of_keras(kind):
    """Each slot is found, once, by the suffix that Keras gave it."""
    full = {
        K.SGD: {"momentum": 0.9},
        K.RMSprop: {"momentum": 0.9, "centered": True},
        K.Adam: {"amsgrad": True},
        K.AdamW: {"amsgrad": True},
    }
    optimizer = kind(**full.get(kind, {}))
    w = keras.Variable(np.ones([3, 2], "float32"), name="w")
    optimizer.build([w])
    found = compat.builtin_slots(optimizer, kind, 0)
    ours = {id(slot) for slot in found.values()}
    # All state but the counter and the rate (and Nadam's product, which is of no variable).
    theirs = [v for v in optimizer.variables[2:] if v.shape != ()]
    assert ours == {id(v) for v in theirs}
    for name, slot in found.items():
        if kind is not K.Adafactor:
            assert slot.name == name or slot.name.endswith(f"_{name}")  # of Keras 3.8


def test_adadelta_is_the_rate_with_which_the_next_step_begins():
    w = keras.Variable(np.linspace(-1, 1, 7).astype("float32"))
    optimizer = K.Adadelta(0.5, epsilon=1e-3)
    optimizer.build([w])
    for g in gradients():
        old, before = w.numpy().astype("float64"), state(optimizer, w)
        optimizer.apply([tf.constant(g)], [w])
        # Numerator from before the step, denominator from after it.
        rate = tfadaopt.effective_learning_rate(optimizer, w).numpy()
        now = state(optimizer, w)
        ratio = (before["accumulated_delta_var"] + 1e-3) / (now["accumulated_delta_var"] + 1e-3)
        np.testing.assert_allclose(old - w.numpy(), rate * np.sqrt(ratio) * g, rtol=2e-5, atol=3e-7)


@pytest.mark.parametrize("power", [-0.5, -0.3], ids="power{}".format)
@pytest.mark.parametrize("l1", [0.0, 0.3], ids="l1-{}".format)
def test_ftrl_from_the_second_step_on_where_it_does_not_jump(l1, power):
    optimizer = K.Ftrl(0.05, power, 0.2, l1, 0.1, beta=0.3)
    w = keras.Variable(np.linspace(-1, 1, 7).astype("float32"))
    optimizer.build([w])
    compared = 0
    for t, g in enumerate(np.concatenate([gradients()] * 3)):
        old = w.numpy().astype("float64")
        optimizer.apply([tf.constant(g)], [w])
        rate = tfadaopt.effective_learning_rate(optimizer, w).numpy()
        new = w.numpy()
        stays = (t > 0) & (np.sign(old) == np.sign(new)) & ((new != 0) | (l1 == 0))
        if l1 == 0:
            stays[:] = t > 0
        np.testing.assert_allclose((old - new)[stays], (rate * g)[stays], rtol=1e-4, atol=1e-6)
        assert (rate[(new == 0) & (l1 > 0)] == 0).all()
        compared += np.sum(stays & (g != 0))
    assert compared > 20


@pytest.mark.parametrize("start", ["zeros", "ones"])
def test_lamb_recovers_the_ratio_of_large_steps(start):
    """Also from weights that were 0, where the ratio is 1; and without having seen them."""
    w = keras.Variable(np.full((4, 3), float(start == "ones"), "float32"))
    for t, _, after, _, moved, rate, _ in updates(lambda r: K.Lamb(r), w):
        np.testing.assert_allclose(
            moved, rate * after["momentum"], rtol=2e-4, atol=1e-6, err_msg=f"step {t}"
        )


@needs("ScheduleFreeAdamW")
def test_schedule_free_is_the_rate_of_z():
    w = keras.Variable(np.linspace(-1, 1, 7).astype("float32"))
    make = lambda r: K.ScheduleFreeAdamW(r, warmup_steps=4)  # noqa: E731
    for _, before, after, g, _, rate, _ in updates(make, w):
        moved = before["momentum"] - after["momentum"]
        np.testing.assert_allclose(moved, rate * g, rtol=2e-5, atol=3e-7)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (K.Adafactor, "gradient"),
        pytest.param(compat.Muon, "matrix", marks=needs("Muon")),
    ],
)
def test_what_has_no_rate_says_why_and_has_accumulators(make, why):
    optimizer, w = make(), keras.Variable(np.ones([3, 2], "float32"))
    optimizer.build([w])
    optimizer.apply([tf.ones([3, 2])], [w])
    with pytest.raises(tfadaopt.UnsupportedOptimizerError, match=rf"{why}.*UpdateRatio"):
        tfadaopt.effective_learning_rate(optimizer, w)
    assert np.abs(state(optimizer, w)["velocity" if make is K.Adafactor else "momentum"]).max() > 0


@needs("Muon")
@pytest.mark.parametrize("shape", [(3, 2), (3,)], ids=["matrix", "vector"])
def test_the_gradient_is_in_the_state_of_muon(shape):
    optimizer, w = compat.Muon(), keras.Variable(np.ones(shape, "float32"))
    optimizer.build([w])
    told = reader_of(optimizer).gradient(w)
    slot = dict(reader_of(optimizer).slots(w))[told.slot]
    for g in gradients(shape)[:3]:
        before = tf.identity(slot.value)
        optimizer.apply([tf.constant(g)], [w])
        norm = told.norm(before, slot.value, lambda: 1.0)
        assert float(norm) == pytest.approx(np.linalg.norm(g), rel=1e-5)


def test_what_is_no_rate_of_single_coordinates_is_read_of_whole_variables():
    a, other = keras.Variable(np.ones([3, 2], "float32")), keras.Variable([1.0], name="other")
    for optimizer, alike in ((K.Adam(), True), (K.Lamb(), False), (K.Adafactor(), False)):
        optimizer.build([a])
        reader = reader_of(optimizer)
        assert (reader.alike(a) is not None) is alike
        with pytest.raises(ValueError, match="was not built for the variable 'other'"):
            reader.slots(other)
    rows = [("sums_of_rows", keras.Variable([1.0, 1.0, 1.0]))]
    assert read_alike(rows, frozenset(), a) is None


def test_bfloat16_reads_as_what_keras_applies():
    """β₂ = 0.999 is 1 in bfloat16, so Adam's rate is 0, and so are its steps."""
    w = keras.Variable(np.ones([3]), dtype="bfloat16")
    optimizer = K.Adam(0.1)
    optimizer.build([w])
    optimizer.apply([tf.ones([3], "bfloat16")], [w])
    rate = tfadaopt.effective_learning_rate(optimizer, w)
    assert rate.dtype == "float32"
    assert rate.numpy().tolist() == [0, 0, 0]
    assert w.numpy().astype("float32").tolist() == [1, 1, 1]


# Wrappers and others


@needs("MultiOptimizer")
def test_multi_optimizer_gives_each_variable_its_own():
    a, b = (keras.Variable(np.ones([2], "float32"), name=n) for n in "ab")
    parts = {"b": tfadaopt.Adagrad(0.5, epsilon=0.0)}
    optimizer = K.MultiOptimizer(K.OptimizerMap(K.SGD(falling()), parts))
    with pytest.raises(ValueError, match=r"optimizer\.build\("):
        tfadaopt.effective_learning_rate(optimizer, a)
    optimizer.build([a, b])
    for _ in range(2):
        optimizer.apply([tf.constant([1.0, 2.0])] * 2, [a, b])
    assert tfadaopt.effective_learning_rate(optimizer, a).numpy().tolist() == [np.float32(0.02)] * 2
    rates = tfadaopt.effective_learning_rate(optimizer, b).numpy()
    np.testing.assert_allclose(rates, 0.5 / np.sqrt([2, 8]), rtol=1e-6)
    assert tfadaopt.accumulators(optimizer, a) == {}
    assert tfadaopt.accumulators(optimizer, b)["accumulator"].numpy().tolist() == [2, 8]
    with pytest.raises(ValueError, match=r"not built for the variable 'c'.*knows: (b, a|a, b)"):
        tfadaopt.accumulators(optimizer, keras.Variable([1.0], name="c"))


class Signs(K.Optimizer):
    """A rule of somebody's own, which tells what it does."""

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.counts = [self.add_variable_from_reference(v, "count") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        self.assign_add(self.counts[self._get_variable_index(variable)], tf.ones_like(gradient))
        self.assign_sub(variable, tf.cast(learning_rate, variable.dtype) * tf.sign(gradient))

    def effective_learning_rate(self, variable):
        return tf.convert_to_tensor(self.learning_rate)

    def accumulators(self, variable):
        return {"count": self.counts[self._get_variable_index(variable)]}


def test_protocol_of_an_optimizer_of_somebody_s_own():
    optimizer, w = Signs(0.25), keras.Variable([1.0, 2.0])
    optimizer.build([w])
    optimizer.apply([tf.constant([3.0, -4.0])], [w])
    assert tfadaopt.effective_learning_rate(optimizer, w).numpy().tolist() == [0.25, 0.25]
    assert tfadaopt.accumulators(optimizer, w)["count"].numpy().tolist() == [1, 1]


class OwnRate(Signs):
    """It tells its rate, and of its state nothing."""

    accumulators = None


class OwnState(K.Adam):
    """It tells its state, and has Adam's rate."""

    def accumulators(self, variable):
        return {"m": self._momentums[self._get_variable_index(variable)]}


def test_what_an_optimizer_does_not_tell_is_read_as_ever_or_refused():
    w, g = keras.Variable([1.0, 2.0]), tf.constant([3.0, -4.0])
    own, adam = OwnState(0.1), K.Adam(0.1)
    for optimizer in (own, adam):
        optimizer.build([w])
        optimizer.apply([g], [w])
    np.testing.assert_array_equal(
        tfadaopt.effective_learning_rate(own, w), tfadaopt.effective_learning_rate(adam, w)
    )
    assert tfadaopt.accumulators(own, w).keys() == {"m"}
    reader, as_ever = reader_of(own), reader_of(adam)
    assert reader.gradient(w) == as_ever.gradient(w)
    assert reader.alike(w) is not None
    assert (reader.varies(), reader.shared_names()) == (False, frozenset())
    rate = OwnRate(0.25)
    rate.build([w])
    assert tfadaopt.effective_learning_rate(rate, w).numpy().tolist() == [0.25, 0.25]
    assert reader_of(rate).varies()
    assert reader_of(rate).gradient(w) is None
    for refused in (tfadaopt.accumulators, lambda o, _: reader_of(o).check("accumulators")):
        with pytest.raises(tfadaopt.UnsupportedOptimizerError, match=r"OwnRate.*accumulators\("):
            refused(rate, w)


class Renamed(K.Adam):
    """Adam under another name."""


class Doubled(K.Adam):
    """Takes each step twice as far: Adam's formula would be wrong."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, 2 * learning_rate)


def test_subclass_follows_the_rule_unless_it_has_one_of_its_own():
    assert keras_readers.kind_of(Renamed()) is K.Adam
    optimizer, w = Doubled(), keras.Variable([1.0])
    optimizer.build([w])
    with pytest.raises(tfadaopt.UnsupportedOptimizerError, match=r"Doubled.*effective_learning_ra"):
        tfadaopt.effective_learning_rate(optimizer, w)
    with pytest.raises(tfadaopt.UnsupportedOptimizerError, match=r"Doubled"):
        tfadaopt.accumulators(optimizer, w)

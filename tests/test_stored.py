"""What a file of optimizer state means to who loads it: fresh, fitting, or another's."""

import copy
import json
import pickle
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.optimizers import stored
from tfadaopt.optimizers.arguments import argument_names

from .cases import BY_ID, SHAPES, THREE, each_method, each_shape, quick, three_methods

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = np.ones((16, 1), "float32")


def make_model(optimizer, names=("a", "b"), dtype="float32", frozen=(), **compile_arguments):
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Dense(4, "tanh", name=names[0], dtype=dtype),
        keras.layers.Dense(1, name=names[1], dtype=dtype),
    ]
    for layer in layers:
        layer.trainable = layer.name not in frozen
    model = keras.Sequential([keras.Input((3,), dtype=dtype), *layers])
    model.compile(optimizer, "mse", **compile_arguments)
    return model


def fit(model, epochs=1):
    model.fit(X, Y, batch_size=16, epochs=epochs, shuffle=False, verbose=0)


def weights(model):
    return [v.numpy() for v in [*model.weights, *model.optimizer.variables]]


def same(a, b):
    for x, y in zip(weights(a), weights(b), strict=True):
        np.testing.assert_array_equal(x, y)


def by_file(model, folder):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


COPIES = {
    "file": by_file,
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, folder: copy.deepcopy(model),
}


@pytest.mark.quick_rows(1)
@pytest.mark.filterwarnings("error:.*optimizer state")
@each_shape
def test_untrained_model_is_copied_and_trains_alike(case, tmp_path):
    model = make_model(case.make(), run_eagerly=True)
    copies = [by(model, tmp_path) for by in COPIES.values()]
    fit(model)
    for other in copies:
        other.run_eagerly = True
        fit(other)
        assert int(other.optimizer.iterations.numpy()) == 1
        same(model, other)


@pytest.mark.quick_rows(1)
@pytest.mark.filterwarnings("error:.*optimizer")
@pytest.mark.parametrize("case", [quick(case) for case in SHAPES])
def test_weights_of_before_training_reset_the_optimizer(case, tmp_path):
    """Folds of a cross-validation: each begins with the weights and the state of the first."""
    model = make_model(case.make(), run_eagerly=True)
    model.save_weights(tmp_path / "first.weights.h5")
    fit(model, 3)
    first = weights(model)
    model.load_weights(tmp_path / "first.weights.h5")
    fit(model, 3)
    for a, b in zip(first, weights(model), strict=True):
        np.testing.assert_array_equal(a, b)


@each_method
def test_state_set_to_zeros_is_a_fresh_one(case):
    """A widespread way to begin anew: all variables of the optimizer to 0, then the rate."""
    start = np.linspace(0.5, 1.5, 6, dtype="float32").reshape(2, 3)
    variable, optimizer = keras.Variable(start), case.make()
    rate = float(optimizer.learning_rate)

    def train():
        variable.assign(start)
        for _ in range(3):
            optimizer.apply([0.1 + variable], [variable])
        return variable.numpy()

    first = train()
    for v in optimizer.variables:
        v.assign(tf.zeros_like(v))
    optimizer.learning_rate = rate
    again = train()
    initial = {**optimizer.shared(), **optimizer.slots((2, 3))}
    only_zeros = not any(getattr(x, "initial_value", x) for x in initial.values())
    if only_zeros or "distance" in str(list(initial)):
        np.testing.assert_array_equal(again, first)
    else:  # where a mean begins elsewhere, it begins at 0 then
        assert np.all(again < start)


def test_model_of_an_hdf5_file_trains(tmp_path):
    """Keras' reader builds the optimizer of such a file for no variables, and says it is fresh."""
    model = make_model(tfadaopt.Adam())
    model.compile(model.optimizer, keras.losses.MeanSquaredError())  # no name in such a file
    fit(model, 2)
    model.save(tmp_path / "model.h5")
    loaded = keras.models.load_model(tmp_path / "model.h5")
    fit(loaded)
    assert int(loaded.optimizer.iterations) == 1


def by_function(model):
    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(X) - Y) ** 2)
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)

    step()


WAYS = {
    "fit": ({}, fit),
    "fit-xla": ({"jit_compile": True}, fit),
    "fit-2-steps": ({"steps_per_execution": 2}, fit),
    "train_on_batch": ({}, lambda model: model.train_on_batch(X, Y)),
    "function": ({}, by_function),
}


# The base class puts the state in: three methods in one way, each way with one method.
@pytest.mark.parametrize(
    ("case", "way"),
    [quick(case, "fit") for case in THREE]
    + [quick(BY_ID["adam"], way, only=False) for way in WAYS if way != "fit"],
)
def test_waiting_state_is_there_in_the_first_step(case, way, tmp_path):
    how, train = WAYS[way]
    model = make_model(case.make())
    fit(model, 3)
    model.save_weights(tmp_path / "model.weights.h5")
    resumed = make_model(case.make(), **how)
    resumed.load_weights(tmp_path / "model.weights.h5")
    train(resumed)
    fit(model)
    assert int(resumed.optimizer.iterations.numpy()) == 4
    for a, b in zip(weights(model), weights(resumed), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-5)


def test_waiting_state_is_in_a_file_that_is_saved_before_training(tmp_path):
    model = make_model(tfadaopt.Adam())
    fit(model)
    model.save_weights(tmp_path / "a.weights.h5")
    between = make_model(tfadaopt.Adam())
    between.load_weights(tmp_path / "a.weights.h5")
    between.save_weights(tmp_path / "b.weights.h5")
    last = make_model(tfadaopt.Adam())
    last.load_weights(tmp_path / "b.weights.h5")
    fit(last)
    fit(model)
    same(model, last)


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("built", [False, True])
def test_rate_given_since_loading_stays(built, tmp_path):
    model = make_model(tfadaopt.Adam(0.125))
    fit(model)
    model.save_weights(tmp_path / "m.weights.h5")
    tuned = make_model(tfadaopt.Adam(0.5))
    if built:
        tuned.optimizer.build(tuned.trainable_variables)
    tuned.load_weights(tmp_path / "m.weights.h5")
    assert float(tuned.optimizer.learning_rate) == 0.125
    tuned.optimizer.learning_rate = 0.25
    fit(tuned)
    assert float(tuned.optimizer.learning_rate) == 0.25


def load_and_build(model, path):
    model.load_weights(path)
    model.optimizer.build(model.trainable_variables)


# First optimizer, arguments of its model, second, arguments of its model; what is said, and
# whether the state is taken.
OTHERS = {
    "another method": (tfadaopt.Momentum, {}, tfadaopt.Adagrad, {}, "Momentum.*Adagrad", False),
    "as many slots": (tfadaopt.Adam, {}, tfadaopt.Adadelta, {}, "Adam.*Adadelta", False),
    "other slots": (
        lambda: tfadaopt.RMSprop(momentum=0.5),
        {},
        tfadaopt.RMSprop,
        {},
        "has momentum",
        False,
    ),
    "frozen": (tfadaopt.Adam, {}, tfadaopt.Adam, {"frozen": ("a",)}, "4 trainable.*has 2", False),
    "renamed": (tfadaopt.Adam, {}, tfadaopt.Adam, {"names": ("c", "d")}, "a/kernel is", True),
    "float64": (tfadaopt.Adam, {"dtype": "float64"}, tfadaopt.Adam, {}, "float64.*rounded", True),
    "averages": (lambda: tfadaopt.Adam(use_ema=True), {}, tfadaopt.Adam, {}, "use_ema", True),
    "no averages": (tfadaopt.Adam, {}, lambda: tfadaopt.Adam(use_ema=True), {}, "use_ema", False),
    "of Keras": (keras.optimizers.Adam, {}, tfadaopt.Adam, {}, "does not say", True),
    "another of Keras": (keras.optimizers.Adam, {}, tfadaopt.Adagrad, {}, "arrays", False),
}


@pytest.mark.quick_rows(4)
@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("other", OTHERS)
def test_trained_state_is_never_dropped_or_mixed_unsaid(other, built, tmp_path):
    first, of_first, second, of_second, text, taken = OTHERS[other]
    model = make_model(first(), run_eagerly=True, **of_first)
    fit(model, 3)
    model.save_weights(tmp_path / "m.weights.h5")
    loaded = make_model(second(), run_eagerly=True, **of_second)
    if built:
        loaded.optimizer.build(loaded.trainable_variables)
    with pytest.warns(UserWarning, match=text):
        load_and_build(loaded, tmp_path / "m.weights.h5")
    np.testing.assert_allclose(loaded.get_weights()[0], model.get_weights()[0], rtol=1e-6)
    assert int(loaded.optimizer.iterations.numpy()) == (3 if taken else 0)
    fit(loaded)
    assert np.isfinite(loaded.get_weights()[0]).all()


def scheduled():
    return tfadaopt.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 9, 0.5))


@pytest.mark.quick_rows(1)
@pytest.mark.filterwarnings("error:.*optimizer")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (tfadaopt.Adam, tfadaopt.AdamW),
        (scheduled, scheduled),
        (scheduled, tfadaopt.Adam),
        (lambda: tfadaopt.Adam(nonfinite="ignore"), tfadaopt.Adam),
    ],
)
def test_state_that_fits_is_taken_without_a_word(first, second, tmp_path):
    """The same slots of the same rule; a schedule has no rate in the file."""
    model = make_model(first())
    fit(model, 3)
    model.save_weights(tmp_path / "m.weights.h5")
    loaded = make_model(second())
    loaded.load_weights(tmp_path / "m.weights.h5")
    fit(loaded)
    assert int(loaded.optimizer.iterations.numpy()) == 4


def test_batches_of_an_update_are_counted_anew(tmp_path):
    model = make_model(tfadaopt.Adam(gradient_accumulation_steps=2))
    fit(model, 4)
    model.save_weights(tmp_path / "m.weights.h5")
    for steps in (None, 4):
        loaded = make_model(tfadaopt.Adam(gradient_accumulation_steps=steps))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded.load_weights(tmp_path / "m.weights.h5")
            loaded.optimizer.build(loaded.trainable_variables)
        assert int(loaded.optimizer.iterations) == 2


@three_methods
def test_plain_weights_reach_a_trained_model(case, tmp_path):
    plain = make_model("sgd")
    keras.Model(plain.inputs, plain.outputs).save_weights(tmp_path / "plain.weights.h5")
    model = make_model(case.make(), run_eagerly=True)
    fit(model, 2)
    with pytest.warns(UserWarning, match="no optimizer state"):
        model.load_weights(tmp_path / "plain.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], plain.get_weights()[0])
    assert int(model.optimizer.iterations.numpy()) == 2


def test_adapted_model_takes_the_weights_of_its_base(tmp_path):
    base = make_model(tfadaopt.Adam())
    fit(base)
    base.save_weights(tmp_path / "base.weights.h5")
    adapted = make_model(tfadaopt.Adam())
    for layer in adapted.layers:
        layer.enable_lora(1)
    adapted.compile(tfadaopt.Adam(), "mse")
    fit(adapted)
    with pytest.warns(UserWarning, match="not taken"):
        adapted.load_weights(tmp_path / "base.weights.h5")
    np.testing.assert_array_equal(adapted.layers[0].bias, base.layers[0].bias)


def test_layers_frozen_in_turn_do_not_mix(tmp_path):
    """As many variables of the same shapes, yet not the same ones."""

    def three(frozen):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dense(3, name=name) for name in "abc"]
        layers[frozen].trainable = False
        model = keras.Sequential([keras.Input((3,)), *layers])
        model.compile(tfadaopt.Adam(), "mse")
        model.optimizer.build(model.trainable_variables)
        return model

    model = three(0)
    fit(model)
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.warns(UserWarning, match="frozen"):
        three(2).load_weights(tmp_path / "m.weights.h5")


@keras.saving.register_keras_serializable("tests")
class WithNote(tfadaopt.Adam):
    """Passes on all but an argument of its own."""

    def __init__(self, note="", **kwargs):
        super().__init__(**kwargs)
        self.note = note


def test_subclass_keeps_what_it_passes_on(tmp_path):
    model = make_model(WithNote("x", learning_rate=0.5, beta_1=0.25, epsilon=1e-3))
    fit(model)
    loaded = by_file(model, tmp_path).optimizer
    assert (loaded.note, loaded.beta_1, loaded.epsilon) == ("x", 0.25, 1e-3)


@each_shape
def test_configuration_keeps_what_a_subclass_passes_on(case):
    cls = getattr(tfadaopt, case.name)
    sub = type("Sub", (cls,), {"__init__": lambda self, *a, **k: cls.__init__(self, *a, **k)})
    assert argument_names(sub) == argument_names(cls)
    config = sub(**case.arguments).get_config()
    assert {name: config[name] for name in case.arguments} == dict(case.arguments)
    fixed = type("Fixed", (cls,), {"__init__": lambda self, rate=0.1: cls.__init__(self, rate)})
    assert argument_names(fixed) == ("rate",)


def test_setting_changed_in_a_subclass_counts_in_a_compiled_step():
    w, optimizer = keras.Variable(np.zeros(3, "float32")), WithNote(epsilon=0.0, jit_compile=True)
    optimizer.apply([tf.ones(3)], [w])
    optimizer.epsilon = 1e9
    before = w.numpy()
    optimizer.apply([tf.ones(3)], [w])
    np.testing.assert_allclose(w.numpy(), before, atol=1e-6)


@each_shape
def test_configuration_is_json_whatever_numbers_it_was_made_of(case):
    def as_numpy(value):
        return np.float64(value) if isinstance(value, float) else value

    made = case.make(
        learning_rate=np.float32(0.5), clipnorm=np.float64(1), weight_decay=np.float16(0.5)
    )
    arguments = {k: as_numpy(v) for k, v in made.get_config().items() if k != "name"}
    assert json.dumps(type(made)(**arguments).get_config())


def test_configuration_of_a_subclass_is_json_whatever_it_keeps():
    note = [np.float32(0.5), {"steps": np.array(3)}, (np.bool_(True),)]
    assert WithNote(note).get_config()["note"] == [0.5, {"steps": 3}, (True,)]
    assert json.dumps(WithNote(note).get_config())


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)*b", "(x*)*", "a*a*a*a*a*a*a*b", "(.*){2,}"])
@pytest.mark.parametrize("name", ["exclude_from_weight_decay", "lazy_rows"])
def test_expression_that_could_take_for_ever_is_refused(name, pattern):
    with pytest.raises(ValueError, match="for ever"):
        tfadaopt.SGD(**{name: [pattern]})
    config = {**tfadaopt.SGD().get_config(), name: [pattern]}
    with pytest.raises(ValueError, match="for ever"):
        tfadaopt.SGD.from_config(config)
    with pytest.raises(re.error, match=rf"{name}='\(' is no regular expression"):
        tfadaopt.SGD(**{name: ["("]})
    tfadaopt.SGD(**{name: ["bias", "norm.*/gamma", r"block_(\d+)/conv", "(conv|dense)_1/kernel$"]})


def test_set_weights_wants_all():
    optimizer = tfadaopt.Adam()
    optimizer.build([keras.Variable([1.0])])
    with pytest.raises(ValueError, match="received 1 arrays"):
        optimizer.set_weights([np.array(3)])


DAMAGED = {
    "no JSON": b"{",
    "nested": b"[" * 100_000,
    "no record": b"3",
    "no text": {"methods": [1]},
    "no place": {"roles": [["iteration", None], ["velocity", "a"]]},
    "a list as a place": {"roles": [["iteration", []]]},
    "more roles": {"roles": [[name, None] for name in "abcdef"]},
    "one role twice": {"roles": [["iteration", None], ["iteration", None]]},
    "more paths": {"paths": ["a", "b"]},
    "negative size": {"paths": ["a"], "shapes": [[-1]]},
    "no batches": {"per_update": 0},
    "less than no steps": np.array(-1),
    "arrays of text": np.array("text"),
}


@pytest.mark.parametrize("how", DAMAGED)
@pytest.mark.parametrize("built", [True, False])
def test_damaged_state_is_refused_and_changes_nothing(built, how):
    optimizer, store = tfadaopt.SGD(0.1), {}
    optimizer.build([keras.Variable([1.0])] if built else [])
    optimizer.save_own_variables(store)
    about, damage = json.loads(store[stored.KEY].tobytes()), DAMAGED[how]
    store["0"] = damage if isinstance(damage, np.ndarray) else np.array(3)
    if not isinstance(damage, np.ndarray):
        text = damage if isinstance(damage, bytes) else json.dumps(about | damage).encode()
        store[stored.KEY] = np.frombuffer(text, np.uint8)
    fresh = tfadaopt.SGD(0.1)
    if built:
        fresh.build([keras.Variable([1.0])])
    with pytest.raises(ValueError, match="damaged"):
        fresh.load_own_variables(store)
    assert int(fresh.iterations) == 0


def from_store(first, second, shapes=((3, 2),), other_shapes=None):
    """What an optimizer of these variables says of the state of another one, and the other."""
    of_first = [keras.Variable(np.ones(s, "float32"), name=f"v{i}") for i, s in enumerate(shapes)]
    first.build(of_first)
    first.apply([tf.ones(s) for s in shapes], of_first)
    store = {}
    first.save_own_variables(store)
    of_second = enumerate(other_shapes or shapes)
    second.build([keras.Variable(np.ones(s, "float32"), name=f"v{i}") for i, s in of_second])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        second.load_own_variables(store)
    return [str(warning.message) for warning in caught]


def test_state_of_other_shapes_is_refused_and_they_are_named():
    small, large = (tfadaopt.Shampoo(max_dimension=n) for n in (2, 8))
    (text,) = from_store(small, large)
    assert re.search(r"not taken.*Shapes of the state differ: .*\(3,\) and \(3, 3\)", text)
    (text,) = from_store(tfadaopt.Adam(), tfadaopt.Adam(), [(3, 2)], [(2, 2)])
    assert re.search(r"not taken.*Shapes differ: v0 \(3, 2\) and \(2, 2\)", text)


def test_without_state_of_variables_it_does_not_matter_whose_it_was():
    optimizer = tfadaopt.SGD(nonfinite="ignore")
    assert from_store(keras.optimizers.SGD(0.125), optimizer) == []
    assert (int(optimizer.iterations), float(optimizer.learning_rate)) == (1, 0.125)


def test_a_file_without_state_says_nothing_to_an_optimizer_without(recwarn):
    for variables in ([], [keras.Variable([1.0])]):
        optimizer = tfadaopt.Adam()
        if variables:
            optimizer.build(variables)
        optimizer.load_own_variables({})
        assert int(optimizer.iterations) == 0
    assert not recwarn


def test_waiting_state_of_keras_is_saved_as_it_came():
    theirs, store, again = keras.optimizers.Adam(), {}, {}
    theirs.build([keras.Variable([1.0, 2.0])])
    theirs.save_own_variables(store)
    store["0"] = np.array(3)
    optimizer = tfadaopt.Adam()
    optimizer.load_own_variables(store)
    optimizer.save_own_variables(again)
    assert again.keys() == store.keys()
    for key, array in store.items():
        np.testing.assert_array_equal(again[key], array)


@pytest.mark.parametrize("rate", [-1.0, np.inf, np.nan])
def test_a_rate_that_no_step_allows_is_damage(rate):
    store = {"0": np.array(3), "1": np.array(rate)}
    with pytest.raises(ValueError, match="a rate of"):
        tfadaopt.SGD().load_own_variables(store)


@keras.saving.register_keras_serializable(package="tests")
class TwoOfOneName(tfadaopt.SGD):
    """A class of one's own, with state that Keras gives one name."""

    def build(self, variables):
        super().build(variables)
        self.extra = [self.add_variable((), "zeros", name="extra") for _ in range(2)]


def test_own_state_of_one_name_comes_back(tmp_path):
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
    model.compile(TwoOfOneName(), "mse")
    model.fit(np.ones([4, 2]), np.ones([4, 1]), verbose=0)
    for number, variable in enumerate(model.optimizer.extra, start=1):
        variable.assign(number)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [float(x) for x in loaded.optimizer.extra] == [1.0, 2.0]

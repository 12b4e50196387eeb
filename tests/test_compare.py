"""``tfadaopt compare``: what can be named, bad input, and how a rate is searched."""

import itertools
import math
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from tests.support.comparisons import EXAMPLE, tfadaopt, write
from tfadaopt.experiments.compare import check as compare_check
from tfadaopt.experiments.compare import (
    comparison,
    contenders,
    paced,
    parts_of_data,
    problem,
    rate_search,
    schedules,
)
from tfadaopt.experiments.configs import ConfigError

# What is said before anything is trained


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("def (", r"mine.py cannot be imported: SyntaxError: .*line 14"),
        ("import no_such_module", r"cannot be imported: ModuleNotFoundError.*line 14"),
        ("raise SystemExit(3)", r"cannot be imported: SystemExit: 3"),
        ("del model", r"has no function model\(\)"),
        ("data = 3", r"has no function data\(\)"),
        ("def data(size): pass", r"data\(\) is called without arguments, but asks for size"),
    ],
)
def test_a_file_that_is_no_problem(more, said, tmp_path):
    with pytest.raises(problem.ProblemError, match=said):
        problem.load(write(tmp_path, more))


def test_a_file_of_another_kind_is_no_problem(tmp_path):
    path = write(tmp_path).rename(tmp_path / "mine.txt")
    with pytest.raises(problem.ProblemError, match=r"mine\.txt is no Python file \(\.py\)"):
        problem.load(path)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("model = lambda: 1 / 0", r"model\(\) failed: ZeroDivisionError: .*line 14"),
        ("model = lambda: None", r"model\(\) returned a builtins.NoneType, not a keras.Model"),
        ("model = lambda: keras.Sequential()", r"not compiled.*model.compile"),
        ("def data(): raise OSError('no disk')", r"data\(\) failed: OSError: no disk"),
        ("data = lambda: np.zeros(3)", r"data\(\) returned ndarray"),
        ("data = lambda: (1, 2, 3, 4)", r"data\(\) returned 4 parts"),
        ("x = np.zeros((4, 2))\ndata = lambda: ({'x': x}, (x, x))", "train part is a dictionary"),
        ("import tensorflow as tf\ndata = lambda: [tf.data.Dataset.range(0)] * 2", "set is empty"),
        ("x = np.zeros((4, 2))\ndata = lambda: ((x, x[:, :1]), x)", "the validation part is a nda"),
        ("x = np.zeros((4, 2))\ndata = lambda: ((x, x), (x, x[:3]))", r"validation.*\[3, 4\]"),
        ("x = np.zeros((0, 2))\ndata = lambda: ((x, x), (x, x))", r"train part .*\[0\]"),
        ("import math\nold = data\ndef data():\n"
         "    parts = old()\n    parts[0][0][0] = math.nan\n    return parts",
         "loss on the first training batch is nan before any training"),
        ("x = np.zeros((4, 3))\ndata = lambda: ((x, x[:, :1]), (x, x))", "cannot be evaluated on"),
    ],
)  # fmt: skip
def test_a_problem_that_cannot_be_trained(more, said, tmp_path):
    path = write(tmp_path, more)
    config = comparison.settings(path, ["SGD"])
    with pytest.raises(problem.ProblemError, match=said):
        compare_check.check(path, {**vars(config)})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no/such.py"], "no/such.py is no file"),
        ([EXAMPLE, "--methods", "Adagard"], "Did you mean 'Adagrad'"),
        ([EXAMPLE, "--methods", "Adam,adam"], "Adam twice"),
        ([EXAMPLE, "--methods", ","], "Unknown method ''"),
        ([EXAMPLE, "--objective", "beauty"], "max:beauty or min:beauty"),
        ([EXAMPLE, "--objective", "most:loss"], "NAME, max:NAME or min:NAME"),
        ([EXAMPLE, "--trials", "0"], "trials"),
        ([EXAMPLE, "--schedules", "cosin"], "Did you mean 'cosine'"),
        ([EXAMPLE, "--schedules", "cosine,cosine"], "cosine twice"),
        ([EXAMPLE, "--weight-decays", "0,-1"], "'-1' is no weight decay"),
        ([EXAMPLE, "--weight-decays", "0.1,0.10"], "0.1 twice"),
    ],
    ids=str,
)
def test_wrong_usage_says_what_is_allowed(words, said, monkeypatch, capsys):
    assert tfadaopt(monkeypatch, "compare", *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_methods_of_keras_by_name():
    make, default = contenders.maker("keras.Adam")
    assert make is keras.optimizers.Adam
    assert default == 0.001
    with pytest.raises(ConfigError, match=r"Did you mean 'keras.Adam'"):
        contenders.maker("keras.Adm")


def test_each_schedule_is_an_arm_and_each_decay_a_search(tmp_path):
    given = {"schedules": ["cosine", "constant"], "weight_decays": ["0.1", " 0"]}
    config = comparison.settings(write(tmp_path), ["SGD", "compiled"], trials=2, seeds=4, **given)
    assert [arm.label for arm in config.arms] == ["SGD cosine", "SGD", "compiled"]
    assert config.decays == (0.0, 0.1)
    assert config.runs == 3 * (2 * 2 * 3 + 4)
    plain = comparison.settings(write(tmp_path), ["SGD"], schedules=["constant"])
    # As before there was such a setting: its results are gone on with.
    assert (plain.schedules, plain.weight_decays, plain.decays) == (None, None, (None,))


# The model's own optimizer, and schedules


def own(rate, **more):
    return keras.optimizers.SGD(rate, **more)


def test_a_schedule_is_scaled_as_a_whole_and_can_be_kept_in_a_file():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([3, 5], [0.1, 0.4, 0.01])
    assert schedules.highest_rate(own(schedule), 10) == 0.4
    assert schedules.highest_rate(own(schedule), 3) == 0.1
    assert schedules.highest_rate(own(0.3), 10) == 0.3
    optimizer = keras.optimizers.LossScaleOptimizer(own(schedule, momentum=0.9, clipnorm=1.0))
    model = keras.Sequential([keras.layers.Input([1]), keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    found = paced.paced(contenders.Arm("compiled", "own"), None, model, 10)
    assert found.optimizer is optimizer
    found.learning_rate = 0.2
    assert found.learning_rate == 0.2
    given = own_schedule = schedules.own_schedule(optimizer)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(given))
    for scaled in (own_schedule, again):
        assert [float(scaled(step)) for step in (0, 4, 9)] == pytest.approx([0.05, 0.2, 0.005])
    found.learning_rate = 0.4
    assert float(given(4)) == pytest.approx(0.4)
    paced.paced(contenders.Arm("compiled", "own"), 0.01, model, 10)
    assert optimizer.inner_optimizer.weight_decay == 0.01


def test_cosine_rises_to_the_rate_and_falls_to_nothing():
    rates = [float(schedules.cosine(200)(step)) for step in range(200)]
    rising = sum(before < after for before, after in itertools.pairwise(rates))
    assert rates.index(max(rates)) == rising == 10
    assert (max(rates), rates[0]) == pytest.approx((1, 1 / 11))
    assert rates[105] == pytest.approx(0.5)
    assert 0 < rates[-1] < 1e-3
    assert [float(schedules.cosine(1)(step)) for step in (0, 1)] == pytest.approx([0.5, 1])


OWN = """
made = keras.optimizers.SGD(0.1)
class Broken(keras.optimizers.schedules.ExponentialDecay):
    def __call__(self, step):
        raise ArithmeticError("no rate")
broken = Broken(0.1, 1, 0.5)
def model():
    net = keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(1)])
    net.compile({}, "mse")
    return net
"""


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        ("made", "with the same optimizer object.*inside model"),
        ("keras.optimizers.SGD(lambda: 0.1)", "learning_rate is a function.*LearningRateSchedule"),
        ("keras.optimizers.SGD(0.0)", "highest learning rate in 6 steps is 0.0"),
        ("keras.optimizers.SGD(broken)", r"schedule of the compiled optimizer failed.*no rate"),
    ],
)
def test_an_optimizer_that_cannot_be_tuned_is_refused(optimizer, said, tmp_path):
    path = write(tmp_path, OWN.format(optimizer))
    with pytest.raises(problem.ProblemError, match=said):
        compare_check.check(path, {**vars(comparison.settings(path, ["compiled"]))})
    compare_check.check(path, {**vars(comparison.settings(path, ["SGD"]))})  # it is replaced


def test_the_check_says_what_the_model_is_compiled_with(tmp_path):
    rate = "keras.optimizers.schedules.CosineDecay(0.123456, 6)"
    path = write(tmp_path, OWN.format(f"keras.optimizers.SGD({rate})"))
    found = compare_check.check(path, {**vars(comparison.settings(path, ["compiled"]))})
    assert found["compiled"] == {"schedule": "CosineDecay", "highest": 0.123}
    assert found["default_rates"] == {"compiled": 0.123}


def test_an_objective_that_the_model_does_not_measure_is_refused(tmp_path):
    settings = vars(comparison.settings(write(tmp_path), ["SGD"], "max:auc"))
    with pytest.raises(
        problem.ProblemError, match=r"'auc' is no metric of the model; it has .*loss"
    ):
        compare_check.check(Path(settings["file"]), {**settings})


def test_the_steps_of_a_data_set_of_unknown_length_are_counted():
    batches = tf.data.Dataset.range(7).filter(lambda _: True)
    budget = {"steps": None, "batch_size": 8, "epochs": 3}
    assert parts_of_data.total_steps(batches, budget) == 21
    assert parts_of_data.total_steps(batches, budget | {"steps": 5}) == 5


@pytest.mark.parametrize(
    ("name", "up"), [("loss", False), ("val_accuracy", True), ("auc", True), ("max:x", True)]
)
def test_which_way_is_better(name, up, tmp_path):
    assert comparison.settings(write(tmp_path), ["SGD"], name).larger_is_better == up


# The search of a rate: the same budget for all


def search(f, default: float, trials: int) -> dict[float, float]:
    scores: dict[float, float] = {}
    while len(scores) < trials:
        rate = rate_search.next_rate(scores, default)
        assert rate not in scores
        scores[rate] = f(rate)
    return scores


@pytest.mark.parametrize("optimum", [1e-5, 3e-4, 0.004, 0.01, 0.9, 200.0])
def test_the_grid_goes_on_until_the_best_is_inside_and_is_fine_there(optimum):
    scores = search(lambda rate: abs(math.log10(rate / optimum)), 0.01, 12)
    best = rate_search.best_rate(scores)
    assert min(scores) < best < max(scores)
    assert abs(math.log10(best / optimum)) < 0.26


def test_what_fails_at_large_rates_sends_the_search_to_smaller_ones():
    scores = search(lambda rate: math.inf if rate > 1e-6 else 1.0, 0.1, 9)
    assert rate_search.best_rate(scores) <= 1e-6
    assert rate_search.best_rate({0.1: math.inf}) is None


def test_an_endless_data_set_needs_a_budget_in_steps(tmp_path):
    more = """
import tensorflow as tf
arrays = data
def data():
    train, validation, _ = arrays()
    return tf.data.Dataset.from_tensor_slices(train).batch(8).repeat(), validation
"""
    path = write(tmp_path, more)
    config = comparison.settings(path, ["SGD"])
    with pytest.raises(problem.ProblemError, match="--steps"):
        compare_check.check(path, {**vars(config)})
    endless = tf.data.Dataset.range(3).repeat()
    with pytest.raises(problem.ProblemError, match=r"validation data set never ends.*\.take"):
        parts_of_data.check_part(path, "validation", endless)

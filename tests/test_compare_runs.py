"""``tfadaopt compare``: single runs, and the whole on small problems."""

import json
import sys

import keras
import numpy as np
import pandas as pd
import pytest

from tests.support import models
from tests.support.comparisons import EXAMPLE, finished_comparison, tfadaopt, valley, write
from tests.test_claims import OneByOne
from tfadaopt.experiments.compare import comparison, parts_of_data, problem
from tfadaopt.experiments.compare import run as compare_run
from tfadaopt.experiments.compare import trial as compare_trial
from tfadaopt.experiments.compare.contenders import CONSTANT, COSINE, Arm
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.problems.restart import Restart
from tfadaopt.experiments.runs import stages
from tfadaopt.experiments.training.batches import Shuffled, dense

# One run


DATASET = """
import tensorflow as tf
arrays = data
def data():
    parts = arrays()
    sets = [tf.data.Dataset.from_tensor_slices(part) for part in parts]
    return sets[0].shuffle(64).batch(8), sets[1].batch(8), sets[2].batch(8)
"""


def test_a_data_set_that_is_made_again_has_the_same_order(tmp_path):
    """As where a run goes on within an epoch."""
    config = comparison.settings(write(tmp_path, DATASET), ["SGD"], batch_size=8)
    runner = compare_trial.Runner(Arm("SGD"), None, {**vars(config)})
    keras.utils.set_random_seed(3)
    batches = runner._batches(runner._made()["train"], 3)
    first, again = ([x for x, _ in batches.at(0, 0)["x"].take(8)] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1])


@pytest.mark.slow
def test_a_run_depends_on_its_seed_and_rate_alone(tmp_path):
    for more in ("", DATASET):
        config = comparison.settings(write(tmp_path, more), ["Adam"], batch_size=8)
        settings = {**vars(config)}
        once = compare_trial.Runner(Arm("Adam"), None, settings)
        first = once.run(0.01, 3, None)
        once.run(1.0, 4, None)
        again, other = once.run(0.01, 3, None), compare_trial.Runner(Arm("Adam"), None, settings)
        fresh = other.run(0.01, 3, tmp_path / "logs")
        losses = [[e["loss"] for e in r["epochs"]] for r in (first, again, fresh)]
        assert losses[0] == losses[1] == losses[2]
        assert first["validation"] == fresh["validation"]
        assert first["test"] is None
        assert set(fresh["test"]) == {"loss", "mae"}
        assert [*fresh["rates"]] == ["0"]  # the kernel: a bias is no layer of its own


@pytest.mark.slow
def test_steps_end_a_run_and_a_nan_ends_it_at_once(tmp_path):
    config = comparison.settings(write(tmp_path), ["SGD"], batch_size=8, steps=11)
    runner = compare_trial.Runner(Arm("SGD"), None, {**vars(config)})
    result = runner.run(0.01, 0, None)
    assert [e["step"] for e in result["epochs"]] == [8, 11]
    assert result["diverged"] is None
    result = runner.run(1e20, 0, None)
    assert "in step" in result["diverged"]
    assert result["epochs"][-1]["step"] < 11


@pytest.mark.slow
def test_averaging_methods_are_judged_by_their_average(tmp_path):
    config = comparison.settings(write(tmp_path), ["ScheduleFreeSGD"], batch_size=8)
    runner = compare_trial.Runner(Arm("ScheduleFreeSGD"), None, {**vars(config)})
    result = runner.run(0.05, 0, tmp_path / "logs")
    assert result["validation"]["loss"] == pytest.approx(result["epochs"][-1]["val_loss"], rel=1e-6)
    trained = runner._model.evaluate(
        *parts_of_data.made_data(runner._problem, EXAMPLE)["validation"]
    )[0]
    assert trained != pytest.approx(result["validation"]["loss"], rel=1e-3)


@pytest.mark.slow
def test_loss_scaling_and_unbuilt_models_are_kept(tmp_path):
    more = """
def model():
    net = keras.Sequential([keras.layers.Dense(1, dtype="mixed_float16")])
    net.compile(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), loss="mse")
    return net
"""
    config = comparison.settings(write(tmp_path, more), ["Adagrad"], batch_size=8)
    runner = compare_trial.Runner(Arm("Adagrad"), None, {**vars(config)})
    assert isinstance(runner._model.optimizer, keras.optimizers.LossScaleOptimizer)
    result = runner.run(0.5, 0, None)
    assert result["epochs"][-1]["loss"] < result["epochs"][0]["loss"]
    assert result["diverged"] is None


OWN = """
def model():
    net = keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(1)])
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([5, 10], [0.02, 0.1, 0.001])
    optimizer = keras.optimizers.SGD(schedule, momentum=0.5, clipnorm=0.5, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    net.compile(optimizer, loss="mse")
    return net
"""


@pytest.mark.slow
def test_compiled_is_the_users_optimizer_with_its_schedule_scaled(tmp_path):
    """As trained by hand, with a schedule half as high, clipping, decay and its exception."""
    path = write(tmp_path, OWN)
    config = comparison.settings(path, ["compiled"], batch_size=8, epochs=2)
    runner = compare_trial.Runner(config.arms[0], None, {**vars(config)})
    runner.run(0.1, 1, None)
    found = runner.run(0.05, 3, None)
    assert found["diverged"] is None
    mine = problem.load(path)
    keras.utils.set_random_seed(3)
    network, parts = mine.model(), mine.data()
    half = keras.optimizers.schedules.PiecewiseConstantDecay([5, 10], [0.01, 0.05, 0.0005])
    network.optimizer.learning_rate = half
    keras.utils.set_random_seed(3)
    order = Shuffled(dense(parts[0]), batch_size=8, seed=3).at(0, 0)
    history = network.fit(**order, epochs=2, verbose=0).history
    losses = [epoch["loss"] for epoch in found["epochs"]]
    assert losses == pytest.approx(history["loss"], rel=1e-5)
    assert runner._model.optimizer.momentum == 0.5


@pytest.mark.slow
def test_a_schedule_and_a_weight_decay_are_applied(tmp_path):
    config = comparison.settings(write(tmp_path), ["keras.SGD"], batch_size=8, epochs=1)
    settings = {**vars(config)}
    ways = [(CONSTANT, None), (CONSTANT, 0.0), (CONSTANT, 0.5), (COSINE, 0.0)]
    runners = [compare_trial.Runner(Arm("keras.SGD", s), decay, settings) for s, decay in ways]
    plain, none, decayed, cosine = (r.run(0.1, 0, None)["validation"]["loss"] for r in runners)
    assert plain == none
    assert len({none, decayed, cosine}) == 3
    scaled = runners[3]._model.optimizer
    assert float(scaled.learning_rate) < 0.01  # at the end of its 8 steps
    assert int(scaled.iterations) == 8


UNUSUAL = """
class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4
    def __getitem__(self, i):
        return tuple(array[8 * i : 8 * i + 8] for array in arrays()[0])

class Own(keras.optimizers.Optimizer):
    def update_step(self, gradient, variable, learning_rate):
        variable.assign_sub(learning_rate * gradient)

arrays = data
def data():
    x, y = arrays()[1]
    y[3] = np.nan
    return Batches(), (x, y)

def model():
    net = keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(1)])
    net.compile(Own(0.01), loss="mse")
    return net
"""


@pytest.mark.slow
def test_batches_of_ones_own_no_test_part_and_no_rates_to_log(tmp_path):
    config = comparison.settings(write(tmp_path, UNUSUAL), ["compiled"], batch_size=8, epochs=1)
    runner = compare_trial.Runner(config.arms[0], None, {**vars(config)})
    result = runner.run(0.01, 0, tmp_path / "log")
    assert [epoch["step"] for epoch in result["epochs"]] == [4]
    assert (result["test"], result["rates"]) == (None, {})
    assert result["diverged"] == "validation loss nan"
    assert not (tmp_path / "log").exists()


def test_an_optimizer_that_was_built_before_starts_anew_and_is_not_built_again():
    class Once(keras.optimizers.Adam):
        def build(self, variables):
            assert not self.built
            super().build(variables)

    model = models.make_model(Once(0.1))
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    restart = Restart(lambda: models.make_model("sgd"), model, optimizer)
    optimizer.apply([keras.ops.ones_like(v) for v in model.trainable_variables])
    restart(0.2, seed=3)
    assert float(optimizer.learning_rate) == pytest.approx(0.2)
    state = [v for v in optimizer.variables if v is not optimizer.learning_rate]
    assert not any(np.any(v.numpy()) for v in state)


# The whole


def test_what_ends_a_comparison_before_it_trains(tmp_path, monkeypatch):
    def dies(cell, settings, folder):
        raise RuntimeError("its process died")

    monkeypatch.setattr(stages, "LocalExecutor", OneByOne)
    monkeypatch.setattr(compare_run, "_compute", dies)
    out, path = tmp_path / "out", write(tmp_path)
    config = comparison.settings(path, ["SGD"])
    with pytest.raises(problem.ProblemError, match=r"mine\.py: its process died"):
        compare_run.run(config, out, "", 1, lambda *_: None)
    monkeypatch.setitem(sys.modules, "optuna", None)
    config = comparison.settings(path, ["SGD"], tuner="optuna")
    with pytest.raises(ConfigError, match=r"tfadaopt\[optuna\]"):
        compare_run.run(config, out, "", 1, lambda *_: None)


def test_a_look_at_the_problem_by_an_older_version_is_taken_again(tmp_path, monkeypatch):
    looked = []

    def looks(cell, settings, folder):
        looked.append(cell["kind"])
        raise RuntimeError("enough")

    monkeypatch.setattr(stages, "LocalExecutor", OneByOne)
    monkeypatch.setattr(compare_run, "_compute", looks)
    config, store = finished_comparison(tmp_path, valley, "compiled", trials=1, seeds=1)
    look = comparison.check_cell(config)
    store.put(look, {name: of for name, of in store.get(look).items() if name != "compiled"})
    store.close()
    with pytest.raises(problem.ProblemError, match="enough"):
        compare_run.run(config, store.folder, "", 1, lambda *_: None)
    assert looked == ["check"]
    assert [p.name for p in (store.folder / "set-aside").iterdir()] == [store.file_of(look).name]


SMALL = ["--trials", 3, "--tuning-seeds", 1, "--seeds", 3, "--epochs", 1, "--jobs", 1]


@pytest.mark.slow
def test_the_example_gives_a_report_on_its_problem(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = ["compare", EXAMPLE, "--methods", "Adagrad,keras.Adam", "--objective", "accuracy"]
    assert tfadaopt(monkeypatch, *words, "--out", out, *SMALL) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2 × (3 rates × 1 + 3) = 12 runs of 1 epoch" in said
    assert "cannot be told apart from it with 3 seeds" in said
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "keras.Adam" in page
    assert "test accuracy" in page
    assert (out / "figures" / "sensitivity.svg").exists()
    assert (out / "figures" / "rates_Adagrad.png").exists()
    table = pd.read_csv(out / "results.csv")
    assert len(table[(table.phase == "final") & (table.part == "test")]) == 2 * 3 * 2
    before = {path: path.stat().st_mtime_ns for path in out.glob("cells/*")}
    assert tfadaopt(monkeypatch, *words, "--out", out, *SMALL) == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("cells/*")} == before
    # Interrupted: what is lost is computed again, to the same numbers, and nothing else.
    lost = sorted(before)[::3]
    old = {path: json.loads(path.read_text())["result"] for path in lost}
    for path in lost:
        path.unlink()
    assert tfadaopt(monkeypatch, *words, "--out", out, *SMALL) == 0
    for path, result in old.items():
        again = json.loads(path.read_text())["result"]
        for key in ("validation", "test", "default_rates"):
            assert again.get(key) == result.get(key)
    assert tfadaopt(monkeypatch, "report", out) == 0


@pytest.mark.slow
def test_a_trial_that_raises_leaves_the_rest_running(tmp_path, monkeypatch, capsys):
    more = """
class Picky(keras.Sequential):
    def train_step(self, *args):
        if type(self.optimizer).__name__ == "Adagrad":
            raise ValueError("no Adagrad here")
        return super().train_step(*args)

def model():
    net = Picky([keras.layers.Input([2]), keras.layers.Dense(1)])
    net.compile(loss="mse")
    return net
"""
    path, out = write(tmp_path, more), tmp_path / "out"
    words = ["compare", path, "--methods", "SGD,Adagrad", "--out", out, *SMALL]
    assert tfadaopt(monkeypatch, *words) == 1
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "broke off: ValueError: no Adagrad here" in page
    table = pd.read_csv(out / "results.csv")
    assert set(table.method) == {"SGD"}
    assert len(table[(table.phase == "final") & (table.part == "test")]) == 3
    capsys.readouterr()
    assert tfadaopt(monkeypatch, *words, "--batch-size", 16) == 2
    assert "batch_size: 32 there, 16 asked for" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_a_mistake_in_the_file_leaves_no_folder_behind(tmp_path, monkeypatch, capsys):
    path, out = write(tmp_path, "del data"), tmp_path / "out"
    assert tfadaopt(monkeypatch, "compare", path, "--methods", "SGD", "--out", out, *SMALL) == 2
    assert "has no function data()" in " ".join(capsys.readouterr().err.split())
    assert not out.exists()

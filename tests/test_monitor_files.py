"""What a run leaves behind: events as TensorBoard reads them, files for notebooks, folders."""

import csv
import errno
import hashlib
import importlib.util
import json
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

import tfadaopt
from tfadaopt.callbacks import AccumulatorMagnitude, OptimizerMonitor, UpdateRatio, locks
from tfadaopt.callbacks.folder import names_in
from tfadaopt.callbacks.history import read
from tfadaopt.callbacks.log_format import tensor_tag
from tfadaopt.callbacks.measure import Series, Taken
from tfadaopt.callbacks.notebook_file import NotebookFile
from tfadaopt.callbacks.overview import block_of
from tfadaopt.callbacks.shown import Shown
from tfadaopt.callbacks.summaries import VALUE
from tfadaopt.callbacks.where import EventWriter

from . import events, logged
from .support import models

X, Y = (np.random.default_rng(0).normal(size=(20, n)).astype("float32") for n in (4, 1))


def make_model(optimizer=None, **arguments):
    optimizer = optimizer or tfadaopt.Adam(0.01)
    return models.make_model(optimizer, name="net", run_eagerly=True, **arguments)


def fit(model, *callbacks, epochs=1):
    model.fit(
        X, Y, batch_size=4, epochs=epochs, verbose=0, shuffle=False, callbacks=list(callbacks)
    )


# The format


@pytest.mark.slow
def test_layers_are_told_once_per_file_and_hashed_into_the_tag(tmp_path):
    model, monitor = make_model(), OptimizerMonitor(tmp_path, 1)
    fit(model, monitor)
    fit(model, monitor)
    paths = [v.path for v in model.trainable_variables]
    digest = hashlib.sha256(json.dumps(paths).encode()).hexdigest()[:8]
    told = logged.tensors(tmp_path)
    assert {t.tag for t in told} >= {
        f"optimizer/update_ratio/value@{digest}",
        f"optimizer/effective_learning_rate/p50@{digest}",
        f"optimizer/accumulator/velocity/norm@{digest}",
    }
    for tag in {t.tag for t in told}:
        of_tag = [(t.step, t.has_metadata) for t in told if t.tag == tag]
        assert [step for step, _ in of_tag] == list(range(1, 11))
        assert [step for step, has in of_tag if has] == [1, 6]  # the first of each file
    contents = [
        (json.loads(v.metadata.plugin_data.content), v.metadata.data_class)
        for event in logged.raw(tmp_path)
        for v in event.summary.value
        if v.tag.startswith("optimizer/update_ratio") and v.HasField("metadata")
    ]
    about = {"version": 1, "quantity": "update_ratio", "statistic": "value", "optimizer": "Adam"}
    assert contents == [({**about, "layers": paths}, DATA_CLASS_TENSOR)] * 2


@pytest.mark.slow
def test_tensorboard_reads_the_tensors(tmp_path):
    model = make_model()
    fit(model, OptimizerMonitor(tmp_path, 2), epochs=2)
    reader = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0, "scalars": 0})
    reader.Reload()
    tags = {told.tag for told in logged.tensors(tmp_path)}
    assert tags <= set(reader.Tags()["tensors"])
    assert set(reader.PluginTagToContent("tfadaopt")) == tags
    for told in logged.tensors(tmp_path):
        (point,) = [p for p in reader.Tensors(told.tag) if p.step == told.step]
        numbers = np.frombuffer(point.tensor_proto.tensor_content, "<f4")
        np.testing.assert_array_equal(numbers, np.array(list(told.numbers.values()), "float32"))


def test_a_snapshot_of_214_layers_is_small(tmp_path):
    """4 statistics for the tab: 3424 bytes of numbers, and at most 576 of all else."""
    layers = tuple(f"conv{i}_block1_1_conv/kernel" for i in range(214))
    names = ("p05", "p50", "p95")
    tables = {("effective_learning_rate", n): (layers, np.ones(214, "float32")) for n in names}
    tables["update_ratio", "value"] = (layers, np.ones(214, "float32"))
    writer = EventWriter(tmp_path)
    sizes = []
    for step in range(1, 5):
        writer.write(step, {}, tables)
        writer.flush()
        sizes.append(sum(path.stat().st_size for path in events.files(tmp_path)))
    writer.close()
    assert np.diff(sizes).max() <= 4000
    assert sizes[0] > 4 * len(json.dumps(layers))


def test_marks_are_told_as_json_and_in_words(tmp_path):
    writer = EventWriter(tmp_path)
    nan = {
        "layer": None,
        "kind": "nan",
        "quantity": "update_ratio",
        "since": 3,
        "cause": "It blew.",
    }
    dead = {"layer": "a/kernel", "kind": "dead", "quantity": "update_ratio", "since": 4}
    writer.write(5, {"learning_rate": 1.0})
    writer.write(6, {}, marks=[nan, dead])
    writer.write(7, {}, marks=[dead])
    writer.close()
    told = logged.strings(tmp_path, "optimizer/marks")
    assert [(step, list(map(json.loads, texts))) for step, texts in told] == [
        (6, [nan, dead]),
        (7, [dead]),
    ]
    assert logged.strings(tmp_path, "optimizer/stall_warning")[0] == (
        6,
        ["**The model**: nan since step 3. It blew.", "**a/kernel**: dead since step 4."],
    )
    reader = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    reader.Reload()
    assert set(reader.PluginTagToContent("text")) == {"optimizer/stall_warning"}
    assert json.loads(reader.PluginTagToContent("tfadaopt")["optimizer/marks"]) == {
        "version": 1,
        "marks": True,
    }


# Other tabs


def values_of(folder, plugin):
    return [
        value
        for event in logged.raw(folder)
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == plugin
    ]


@pytest.mark.slow
def test_row_in_hparams(tmp_path):
    monitor = OptimizerMonitor(tmp_path, 1, hparams={"augmented": True, "note": "first"})
    model = make_model(tfadaopt.Adam(0.25, beta_1=0.5))
    fit(model, monitor)
    fit(model, monitor)
    (value,) = values_of(tmp_path, "hparams")  # once, although there were two fits
    content = value.metadata.plugin_data.content
    row = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert row["optimizer"].string_value == "Adam"
    assert row["learning_rate"].number_value == 0.25
    assert row["beta_1"].number_value == 0.5
    assert row["parameters"].number_value == 31
    assert row["model"].string_value == "net"
    assert row["augmented"].bool_value
    assert row["note"].string_value == "first"


@pytest.mark.slow
def test_layout_of_custom_scalars_finds_the_scalars_of_each_block(tmp_path):
    fit(make_model(names=("conv2_block1_1_conv", "head")), OptimizerMonitor(tmp_path, 5))
    (value,) = values_of(tmp_path, "custom_scalars")
    layout = layout_pb2.Layout.FromString(value.tensor.string_val[0])
    assert [category.title for category in layout.category] == ["conv2_block1", "head"]
    tags = events.tags(tmp_path)
    charts = {chart.title: chart.multiline.tag for chart in layout.category[0].chart}
    found = {
        title: sorted(t for t in tags if any(re.match(pattern, t) for pattern in patterns))
        for title, patterns in charts.items()
    }
    names = ["conv2_block1_1_conv/bias", "conv2_block1_1_conv/kernel"]
    assert found["update ratio"] == [f"update_ratio/{n}" for n in names]
    assert found["effective learning rate, median"] == [
        f"effective_learning_rate/{n}/p50" for n in names
    ]
    assert len(found["accumulators, median"]) == 4


@pytest.mark.parametrize(
    ("path", "block"),
    [
        ("conv2_block1_1_conv/kernel", "conv2_block1"),
        ("stage3b_conv/kernel", "stage3b"),
        ("encoder/layer_0/dense/kernel", "encoder"),
        ("dense_1/bias", "dense_1"),
        ("kernel", "kernel"),
    ],
)
def test_blocks(path, block):
    assert block_of(path) == block


# Scalars of many layers


def snapshot(numbers):
    """A snapshot of one quantity with these numbers, one per layer."""
    layers = tuple(f"layer{i}" for i in range(len(numbers)))
    flat = np.array([0, 1, *numbers], "float32")
    at = {("update_ratio", layer, "value"): i + 2 for i, layer in enumerate(layers)}
    tables = {("update_ratio", "value"): (layers, np.arange(len(layers)) + 2)}
    series = [Series("update_ratio", layer, lambda _: None, VALUE) for layer in layers]
    return Taken(flat, [], tables, at, set()), series


def test_all_layers_have_scalars_while_they_are_few():
    taken, series = snapshot([3.0, 1.0, 2.0])
    for most in (None, 3):
        found = Shown(most).scalars(taken, series)
        assert found == {f"update_ratio/layer{i}": x for i, x in enumerate([3, 1, 2])}


def test_of_many_layers_those_that_stand_out_have_scalars():
    """And stay shown, so that their curves have no gaps; others join while there is room."""
    shown = Shown(4)
    numbers = np.linspace(1, 2, 100)
    found = shown.scalars(*snapshot(numbers))
    median = "optimizer/update_ratio/median"
    assert set(found) == {"update_ratio/layer0", "update_ratio/layer99", median}
    assert found[median] == pytest.approx(1.5)
    numbers[50], numbers[60], numbers[70] = 0.1, 9.0, np.nan
    found = shown.scalars(*snapshot(numbers))
    assert found["update_ratio/layer0"] == 1.0
    assert set(found) - {median} == {f"update_ratio/layer{i}" for i in (0, 99, 50, 70)}
    assert np.isnan(found["update_ratio/layer70"])
    numbers[:] = 1.0
    numbers[3] = 5.0
    assert len(shown.scalars(*snapshot(numbers))) == 5
    assert set(Shown(0).scalars(*snapshot(numbers))) == {median}
    assert len(Shown(1).scalars(*snapshot(numbers))) == 2


def test_a_callback_ranks_the_layers_that_it_watches():
    taken, series = snapshot(np.linspace(1, 2, 101))
    found = Shown(4).scalars(taken, series[:51])
    assert found.pop("optimizer/update_ratio/median") == pytest.approx(1.25)
    assert set(found) == {"update_ratio/layer0", "update_ratio/layer50"}


def test_what_could_not_be_measured_has_no_scalars():
    """As an update, where nothing was kept from before the step."""
    _, series = snapshot([1.0, 2.0, 3.0])
    without = Taken(np.zeros(5), [], {}, {}, {"update_ratio"})
    for most in (2, 3):
        assert Shown(most).scalars(without, series) == {}


@pytest.mark.slow
def test_monitor_of_many_layers(tmp_path):
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(3, name=f"dense{i}") for i in range(20)]
    model = keras.Sequential([keras.Input([4]), *layers, keras.layers.Dense(1)])
    model.compile(tfadaopt.SGD(0.01), "mse", run_eagerly=True)
    fit(model, OptimizerMonitor(tmp_path, 1, scalars=8))
    tags = events.tags(tmp_path)
    charts = [tag for tag in tags if tag.startswith("update_ratio/")]
    assert 4 <= len(charts) <= 8
    assert "optimizer/effective_learning_rate/median" in tags
    assert len(logged.curves(tmp_path)["update_ratio", "value"][1]) == 42


# Files for notebooks


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
@pytest.mark.slow
def test_file_for_notebooks_has_what_the_tab_has(ending, tmp_path):
    if ending == "parquet" and importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(ImportError, match="pip install pyarrow"):
            OptimizerMonitor(tmp_path / "logs", file=tmp_path / "run.parquet")
        return
    file = tmp_path / "deep" / f"run.{ending}"
    monitor, model = OptimizerMonitor(tmp_path / "logs", 2, file=file), make_model()
    fit(model, monitor, epochs=2)
    fit(model, monitor, epochs=2)  # goes on, also in the file
    curves = logged.curves(tmp_path / "logs")
    expected = {
        (step, *key, layer): np.float32(number)
        for key, of_step in curves.items()
        for step, numbers in of_step.items()
        for layer, number in numbers.items()
    }
    assert {key[0] for key in expected} == set(range(2, 21, 2))
    assert read_back(file) == expected


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_file_that_another_process_writes_is_left_to_it(ending, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    file, other = tmp_path / f"run.{ending}", tmp_path / f"run-2.{ending}"
    monitor = OptimizerMonitor(tmp_path / "logs", 5, file=file)
    with (tmp_path / f".run.{ending}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.warns(UserWarning, match="another process.*run-2"):
            fit(make_model(), monitor)
        assert {key[0] for key in read_back(other)} == {5}
        assert not file.exists()
    fit(make_model(), OptimizerMonitor(tmp_path / "more", 5, file=file))
    assert {key[0] for key in read_back(file)} == {5}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["logs", "more", other.name, file.name]


def test_a_file_system_without_locks_is_written_to(tmp_path, monkeypatch):
    def refuses(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", refuses)
    assert locks.take(str(tmp_path / "lock"))


@pytest.mark.parametrize("another", [False, True])
def test_a_lock_that_its_owner_removes_meanwhile_is_made_again(another, tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    path, flock, calls = tmp_path / "lock", fcntl.flock, []

    def late(lock, kind):
        calls.append(lock)
        if len(calls) == 1:
            path.unlink()
            if another:
                path.touch()
        flock(lock, kind)

    monkeypatch.setattr(fcntl, "flock", late)
    assert locks.take(str(path))
    assert len(calls) == 2
    assert locks.take(str(path))  # It is held.
    assert len(calls) == 2
    with path.open("w") as lock, pytest.raises(BlockingIOError):
        flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    locks.release(str(path))
    assert not path.exists()


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_two_monitors_may_share_a_file(ending, tmp_path):
    file = tmp_path / f"run.{ending}"
    first, second = (OptimizerMonitor(tmp_path / name, 1, "light", file=file) for name in "ab")
    fit(make_model(), first, second)
    if ending == "csv":
        with file.open(newline="", encoding="utf-8") as rows:
            found = {(int(row["step"]), row["run"]) for row in csv.DictReader(rows)}
    else:
        arrays = np.load(file)
        prefix = "update_ratio/value"
        steps, runs = (arrays[f"{prefix}/{name}"].tolist() for name in ("steps", "runs"))
        found = set(zip(steps, runs, strict=True))
    assert found == {(step, str(tmp_path / name)) for step in range(1, 6) for name in "ab"}


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
def test_a_file_goes_on_from_the_step_of_its_run(ending, tmp_path):
    if ending == "parquet":
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    path, layers = tmp_path / f"run.{ending}", ("a", "b")
    written = NotebookFile.at(path)
    for run, steps in [("one", (1, 2, 3)), ("two", (1, 2))]:
        written.begin(run, 0)
        for step in steps:
            numbers = np.float32([step, 0.5])
            written.add(run, step, {("update_ratio", "value"): (layers, numbers)})
        written.close()
    if ending == "csv":
        with path.open("a") as file:
            file.write("somebody's own,row\n3,update_ratio,value,a,1.0,tw")  # cut off
    written.begin("one", 1)
    written.add("one", 2, {("weight_norm", "value"): (layers, np.float32([7.0, 8.0]))})
    written.close()
    assert read_back(path) == {
        **{(step, "update_ratio", "value", "a"): step for step in (1, 2)},
        **{(step, "update_ratio", "value", "b"): 0.5 for step in (1, 2)},
        (2, "weight_norm", "value", "a"): 7.0,
        (2, "weight_norm", "value", "b"): 8.0,
    }


def read_back(file):
    if file.suffix == ".npz":
        arrays = np.load(file)
        names = [name for name in arrays if not name.endswith(("/steps", "/runs", "/layers"))]
        return {
            (int(step), *name.rsplit("/", 1), str(layer)): arrays[name][i, j]
            for name in names
            for i, step in enumerate(arrays[f"{name}/steps"])
            for j, layer in enumerate(arrays[f"{name}/layers"])
        }
    if file.suffix == ".csv":
        with file.open(newline="", encoding="utf-8") as rows:
            found = list(csv.DictReader(rows))
    else:
        found = importlib.import_module("pyarrow.parquet").read_table(file).to_pylist()
    keys = "quantity", "statistic", "layer"
    return {
        (int(row["step"]), *(row[k] for k in keys)): np.float32(float(row["value"]))
        for row in found
    }


# Folders


def test_a_run_that_begins_again_does_not_make_the_first_one_vanish(tmp_path):
    fit(make_model(), OptimizerMonitor(tmp_path, 1), epochs=2)
    before = logged.curves(tmp_path)
    monitor = OptimizerMonitor(tmp_path, 1)
    with pytest.warns(UserWarning, match=r"holds step 10, .*from step 0.*run-2"):
        fit(make_model(), monitor)
    assert monitor.run_dir == str(tmp_path / "run-2")
    assert list(logged.curves(tmp_path / "run-2")["update_ratio", "value"]) == [1, 2, 3, 4, 5]
    with pytest.warns(UserWarning, match=r"run-3"):
        fit(make_model(), OptimizerMonitor(tmp_path, 1))
    reader = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    reader.Reload()
    for tag in {tensor_tag("update_ratio", "value", tuple(before["update_ratio", "value"][1]))}:
        assert [point.step for point in reader.Tensors(tag)] == list(range(1, 11))


def test_there_may_be_any_number_of_runs(tmp_path):
    """A new one looks at the first and the last of them alone."""
    fit(make_model(), UpdateRatio(tmp_path, 1))
    (file,) = events.files(tmp_path)
    for number in (*range(2, 20), 1999):
        (tmp_path / f"run-{number}").mkdir()
        (tmp_path / f"run-{number}" / file.name).write_bytes(file.read_bytes())
    monitor = UpdateRatio(tmp_path, 1)
    with pytest.warns(UserWarning, match="run-2000"):
        fit(make_model(), monitor)
    assert monitor.run_dir == str(tmp_path / "run-2000")
    assert events.steps(tmp_path / "run-2000") == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_a_resume_before_the_last_step_goes_on_in_its_run(tmp_path, recwarn):
    model = make_model()
    fit(model, UpdateRatio(tmp_path, 1))
    model.save(tmp_path / "model.keras")
    fit(model, UpdateRatio(tmp_path, 1))  # to step 10, and lost
    model = keras.saving.load_model(tmp_path / "model.keras")
    model.compile(model.optimizer, "mse", run_eagerly=True)
    monitor = UpdateRatio(tmp_path, 1)
    fit(model, monitor)
    assert monitor.run_dir == str(tmp_path)
    assert read(tmp_path)["."].steps.tolist() == list(range(1, 11))
    assert not [w for w in recwarn if "holds" in str(w.message)]


def unnamed():
    """A model to which Keras gives other numbers each time that it is made."""
    model = keras.Sequential([keras.Input([4]), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile(tfadaopt.Adagrad(0.1), "mse", run_eagerly=True)
    return model


def weights_loaded(file):
    model = unnamed()
    model.load_weights(file)
    return model


# Of a model that is loaded, paths lack the name of the model.
@pytest.mark.parametrize("load", [weights_loaded, keras.saving.load_model])
def test_a_resume_in_the_same_process_goes_on_in_its_run(load, tmp_path, recwarn):
    first = unnamed()
    fit(first, UpdateRatio(tmp_path / "logs", 1))
    first.save(tmp_path / "model.keras")
    resumed = load(tmp_path / "model.keras")
    paths = [v.path for v in resumed.trainable_variables]
    assert not set(paths) & {v.path for v in first.trainable_variables}
    fit(resumed, UpdateRatio(tmp_path / "logs", 1))
    (run,) = read(tmp_path / "logs").values()
    table = run.quantities["update_ratio", "value"]
    assert table.steps.tolist() == list(range(1, 11))
    assert table.layers == tuple(v.path for v in first.trainable_variables)
    assert table.measured.all()
    assert not [w for w in recwarn if "holds" in str(w.message)]


def test_a_log_that_is_removed_is_missed_once(tmp_path):
    class Remove(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            shutil.rmtree(tmp_path / "logs", ignore_errors=True)

    with pytest.warns(UserWarning, match="removed or moved") as caught:
        fit(make_model(), Remove(), OptimizerMonitor(tmp_path / "logs", 1), epochs=3)
    assert len([w for w in caught if "removed" in str(w.message)]) == 1


@pytest.mark.slow
def test_other_layers_get_a_folder_of_their_own(tmp_path):
    """Although the step goes on; layers that are frozen or not are no others."""
    model = make_model()
    fit(model, UpdateRatio(tmp_path, 1))
    other = make_model(names=("a", "b"))
    other.optimizer.iterations.assign(20)
    with pytest.warns(UserWarning, match="holds a run of other layers"):
        fit(other, UpdateRatio(tmp_path, 1))
    assert events.steps(tmp_path / "run-2") == [21, 22, 23, 24, 25]
    model.get_layer("hidden").trainable = False
    model.compile(model.optimizer, "mse", run_eagerly=True)
    fit(model, UpdateRatio(tmp_path, 1))
    steps = logged.curves(tmp_path)["update_ratio", "value"]
    assert set(steps[5]) > set(steps[6]) == {"outputs/kernel", "outputs/bias"}


def test_layers_of_other_parts_of_a_model_are_others():
    new = ["net_1/decoder/dense_2/kernel", "net_1/decoder/dense_2/bias"]
    same = ["net/decoder/dense/kernel", "net/decoder/dense/bias"]
    assert names_in(new, same) == dict(zip(new, same, strict=True))
    assert names_in(new, [path.replace("decoder", "encoder") for path in same]) == {}
    assert names_in(new, same[:1]) == {}


def test_a_folder_elsewhere_needs_no_lock(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(make_model(), UpdateRatio("ram://logs/run", 5))
    (file,) = tf.io.gfile.listdir("ram://logs/run")
    steps = [event.step for event in tf.compat.v1.train.summary_iterator(f"ram://logs/run/{file}")]
    assert steps == [0, 5]
    assert not list(tmp_path.iterdir())


def test_a_second_fit_goes_on_in_the_same_folder(tmp_path):
    model = make_model()
    for _ in range(2):
        fit(model, UpdateRatio(tmp_path, 1))
    assert events.steps(tmp_path) == list(range(1, 11))
    assert {path.parent for path in events.files(tmp_path)} == {tmp_path}


@pytest.mark.slow
def test_events_of_others_are_not_taken_for_ours(tmp_path):
    """Keras' TensorBoard callback counts epochs, in files of its own."""
    model = make_model()
    fit(model, keras.callbacks.TensorBoard(tmp_path), epochs=3)
    other = make_model()
    fit(other, UpdateRatio(tmp_path / "train", 1))
    assert not (tmp_path / "train" / "run-2").exists()


@pytest.mark.slow
def test_a_damaged_file_does_not_stop_training(tmp_path):
    """Its end is missing, as after a crash: what is whole of it counts."""
    model = make_model()
    fit(model, AccumulatorMagnitude(tmp_path, 1))
    (path,) = events.files(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 7])
    with pytest.warns(UserWarning, match="holds step 4"):
        fit(make_model(), AccumulatorMagnitude(tmp_path, 1))

"""The TensorBoard plugin: its tables, and its routes asked over HTTP in a real TensorBoard."""

import argparse
import importlib.metadata
import json
import shutil
import subprocess
import sys
import urllib.error
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tensorboard.compat.proto.types_pb2 import DT_BFLOAT16
from tensorboard.plugins import base_plugin
from werkzeug.test import Client
from werkzeug.wrappers import Response

from tests.tab_data import RATE, RunWriter, layer_names, rates, write_statistics
from tests.tensorboard_server import serving, wait
from tfadaopt.callbacks import log_format
from tfadaopt.callbacks.plugin import Loader, backend, source
from tfadaopt.callbacks.plugin.backend import MISSING, NAN
from tfadaopt.callbacks.tables import Row, Table, joined, united

LAYERS = ["a/kernel", "a/bias", "b/kernel"]


def bits(values) -> list:
    """Float32 as 32-bit numbers, so that NaN can be compared."""
    return np.asarray(values, np.float32).view(np.uint32).tolist()


def part(layers, *rows) -> list[Row]:
    """Rows over one list of layers: of each its step, wall time and numbers."""
    layers = tuple(layers)
    return [Row(step, wall, layers, np.array(row, np.float32)) for step, wall, row in rows]


def merge(*parts) -> Table:
    return joined(sorted((row for rows in parts for row in rows), key=lambda row: row.wall))


def test_two_lists_of_layers_become_one_table():
    table = merge(
        part(["a", "c"], (10, 1.0, [1, 3]), (20, 2.0, [2, np.nan])),
        part(["a", "b", "c"], (30, 3.0, [4, 5, 6])),
    )
    assert table.layers == ("a", "b", "c")
    assert table.steps.tolist() == [10, 20, 30]
    expected = [[1, MISSING, 3], [2, MISSING, NAN], [4, 5, 6]]
    assert bits(backend.coded(table)) == bits(expected)


def test_a_measured_nan_is_not_a_missing_value():
    assert np.isnan(NAN)
    assert np.isnan(MISSING)
    assert bits(NAN) != bits(MISSING)
    odd = np.array([0xFFC0FFEE], np.uint32).view(np.float32)  # a NaN of other bits
    assert bits(backend.coded(joined([Row(1, 0.0, ("a",), odd)]))) == [[bits(NAN)]]


def test_rows_of_the_wrong_length_are_left_out_and_counted():
    table = merge(part(["a", "b"], (1, 1.0, [1, 2]), (2, 2.0, [1]), (3, 3.0, [5, 6])))
    assert table.steps.tolist() == [1, 3]
    assert table.values.tolist() == [[1, 2], [5, 6]]
    assert table.skipped == 1


def test_what_a_run_wrote_before_it_went_back_is_left_out():
    first = [(step, step / 10, [step]) for step in (10, 20, 30, 40)]
    again = [(step, 10 + step / 10, [-step]) for step in (20, 30)]
    table = merge(part(["a"], *first, *again))
    assert table.steps.tolist() == [10, 20, 30]
    assert table.values.ravel().tolist() == [10, -20, -30]
    # The same where the layers differ from then on.
    table = merge(part(["a"], *first), part(["b"], *again))
    assert table.steps.tolist() == [10, 20, 30]
    assert bits(backend.coded(table)) == bits([[10, MISSING], [MISSING, -20], [MISSING, -30]])


def test_layers_keep_their_order():
    assert united([["a", "b", "d"], ["b", "c", "d", "e"]]) == ["a", "b", "c", "d", "e"]
    assert united([["b", "c"], ["a", "b"]]) == ["a", "b", "c"]
    assert united([["b"], ["a"]]) == ["b", "a"]


def test_two_lists_written_side_by_side_share_their_rows():
    # As two optimizers of one model do: neither went back.
    a = [(step, step, [step]) for step in (1, 2, 3)]
    b = [(step, step + 0.5, [-step]) for step in (1, 2, 3)]
    table = merge(part(["a"], *a), part(["b"], *b))
    assert table.values.tolist() == [[1, -1], [2, -2], [3, -3]]


def test_a_token_names_rows():
    rows = [(1, 1.0, [1]), (2, 2.0, [2]), (3, 3.0, [3])]
    table, longer = merge(part(["a"], *rows[:2])), merge(part(["a"], *rows))
    assert table.token(2) == longer.token(2) != longer.token(3)
    rewritten = merge(part(["a"], rows[0], (2, 9.0, [2])))
    other = merge(part(["b"], *rows[:2]))
    assert len({table.token(2), rewritten.token(2), other.token(2)}) == 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"tfadaopt": 0}),
        ("", {"tfadaopt": 0}),
        (None, {"tfadaopt": 0}),
        ({"images": 5}, {"images": 5, "tfadaopt": 0}),
        ({"tfadaopt": 50}, {"tfadaopt": 50}),
        ("tfadaopt=50", "tfadaopt=50"),  # as on the command line, before it is taken apart
    ],
)
def test_all_steps_are_asked_for_unless_the_user_said_otherwise(given, expected):
    flags = argparse.Namespace(samples_per_plugin=given)
    Loader().fix_flags(flags)
    assert flags.samples_per_plugin == expected


@pytest.mark.parametrize(
    "module", ["tfadaopt.callbacks.plugin", "tfadaopt.callbacks.plugin.backend"]
)
def test_the_plugin_does_not_load_tensorflow(module, tmp_path):
    code = f"import sys, {module}; print(*sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert process.returncode == 0, process.stderr
    assert module in process.stdout.split()
    assert not {"keras", "tensorflow", "jax", "matplotlib", "pandas"} & {*process.stdout.split()}


def client(route: str) -> Client:
    """Ask one route without a TensorBoard."""
    context = SimpleNamespace(data_provider=None, logdir="logs")
    return Client(backend.OptimizerTab(context).get_plugin_apps()[route], Response)


def test_missing_files_are_said_on_the_page(monkeypatch, tmp_path):
    monkeypatch.setattr(backend, "_STATIC", tmp_path)
    answer = client("/index.js").get("/data/plugin/tfadaopt/index.js")
    assert answer.status_code == 200
    assert answer.mimetype == "text/javascript"
    assert "export function render()" in answer.text
    assert "install tfadaopt again" in answer.text


def test_an_error_of_a_route_is_said_and_not_raised():
    answer = client("/overview").get("/data/plugin/tfadaopt/overview")  # there is no data provider
    assert answer.status_code == 500
    assert answer.mimetype == "text/plain"
    assert "AttributeError" in answer.text


@pytest.mark.parametrize("known", ["-1", "x", "9" * 5000])
def test_a_number_of_rows_that_is_none_is_refused(known, monkeypatch):
    monkeypatch.setattr(backend.Source, "table", lambda *_: joined([]))
    ask = {"run": "a", "quantity": RATE, "statistic": "p50", "known": known}
    answer = client("/values").get("/data/plugin/tfadaopt/values", query_string=ask)
    assert answer.status_code == 400
    assert "no number of rows" in answer.text
    assert len(answer.text) < 200


class OneRun:
    """A data provider with one run, of two statistics, that counts what it is asked for."""

    def __init__(self):
        self.reads = 0

    def list_tensors(self, **_):
        of = log_format.Description
        tags = {s: of(RATE, s, ("a", "b"), "Adam").coded() for s in ("p50", "mean")}
        about = {"max_step": 1, "max_wall_time": 1.0}
        return {"run": {s: SimpleNamespace(plugin_content=x, **about) for s, x in tags.items()}}

    def read_tensors(self, run_tag_filter, **_):
        self.reads += 1
        datum = SimpleNamespace(step=1, wall_time=1.0, numpy=np.float32([1, 2]))
        return {"run": {tag: [datum] for tag in run_tag_filter.tags}}


@pytest.mark.parametrize(("size", "reads"), [(1000, 2), (8, 4), (0, 4)])
def test_tables_that_were_shown_last_are_kept_in_so_much_memory(size, reads, monkeypatch):
    monkeypatch.setattr(source, "_CACHE_BYTES", size)
    provider, request = OneRun(), SimpleNamespace(environ={})
    asked = source.Source(provider)
    for statistic in ("p50", "mean", "p50", "mean"):
        assert asked.table(request, "run", RATE, statistic).values.tolist() == [[1, 2]]
    assert provider.reads == reads


def test_what_the_tab_loads_is_its_own():
    # TensorBoard's policy lets a page load from its own server alone.
    for path in backend._STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//" not in text.replace("// ", ""), path.name
        assert "innerHTML" not in text  # names of layers and runs are the user's text
        assert "eval(" not in text


# Now in a real TensorBoard, in both of its ways to load.


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs") / "runs"
    long = RunWriter(folder / "long", "Adagrad")
    for step in range(0, 2000):
        long.scalar(step, "learning_rate", 0.5)
        long.write(step, {(RATE, "mean"): [step, 2 * step, np.nan if step % 7 == 0 else 1]}, LAYERS)
    long.close()

    mixed = RunWriter(folder / "mixed", "Adam")
    for step in (1, 2, 3):
        mixed.write(step, {(RATE, "p50"): [1, 2, 3], ("update_ratio", "value"): [4, 5, 6]}, LAYERS)
    mixed.write(4, {(RATE, "p50"): [1, 2]}, LAYERS)  # ragged
    mixed.write(5, {(RATE, "p50"): [np.inf, 0, 3]}, LAYERS)
    mark = {"layer": "a/bias", "kind": "stalled", "quantity": RATE, "since": 3, "cause": "c"}
    mixed.write(6, {(RATE, "p50"): [7, 8]}, LAYERS[:2], [mark, {"layer": None, "kind": "nan"}])
    half = np.array([0x3F80, 0x4000, 0x4040], np.uint16)  # 1, 2, 3
    mixed.write(6, {("weight_norm", "value"): half}, LAYERS, dtype=DT_BFLOAT16)
    mixed.close()

    first = RunWriter(folder / "back")
    for step in (10, 20, 30, 40):
        first.write(step, {(RATE, "mean"): [step]}, ["a"])
    first.close()
    again = RunWriter(folder / "back")
    again._wall += 100
    for step in (20, 30):
        again.write(step, {(RATE, "mean"): [-step]}, ["a"])
    again.close()

    plain = RunWriter(folder / "plain")
    plain.scalar(1, "loss", 1.0)
    plain.close()
    write_statistics(folder / "wide", rates(300, 20), layer_names(300))
    return folder


@pytest.fixture(scope="module", params=["--load_fast=true", "--load_fast=false"])
def server(request, logs):
    with serving(logs, request.param) as running:
        for run, step in [("long", 1999), ("mixed", 6), ("wide", 190)]:
            running.wait_for(run, step)
        wait(lambda: running.table("back", RATE, "mean")[1].ravel()[-1] == -30)
        yield running


@pytest.mark.slow
@pytest.mark.xdist_group("plugin")  # two servers, not two in each worker
class TestInTensorBoard:
    def test_the_tab_is_there(self, server):
        listing = json.loads(server.get("data/plugins_listing"))["tfadaopt"]
        assert listing["enabled"]
        assert listing["tab_name"] == "Optimizer"
        page = server.get("data/plugin_entry.html", name="tfadaopt").decode()
        assert "./index.js" in page
        assert b"export async function render()" in server.get("data/plugin/tfadaopt/index.js")

    def test_the_overview_names_runs_and_quantities(self, server, logs):
        overview = server.ask("overview")
        assert overview["logdir"] == str(logs)
        assert set(overview["runs"]) == {"long", "mixed", "back", "wide"}
        assert overview["problems"] == []
        mixed = overview["runs"]["mixed"]
        assert mixed["optimizer"] == "Adam"
        assert set(mixed["series"]) == {RATE, "update_ratio", "weight_norm"}
        assert set(overview["runs"]["wide"]["series"][RATE]) == {
            *("mean", "min", "max", "p05", "p50", "p95")
        }

    def test_all_steps_are_kept(self, server):
        head, values = server.table("long", RATE, "mean")
        assert head["steps"] == [*range(2000)]
        assert head["layers"] == LAYERS
        np.testing.assert_array_equal(values[:, 1], 2.0 * np.arange(2000))
        np.testing.assert_array_equal(np.isnan(values[:, 2]), np.arange(2000) % 7 == 0)

    def test_two_lists_of_layers_ragged_rows_and_infinity(self, server):
        head, values = server.table("mixed", RATE, "p50")
        assert head["steps"] == [1, 2, 3, 5, 6]
        assert head["skipped"] == 1
        expected = [[1, 2, 3]] * 3 + [[np.inf, 0, 3], [7, 8, MISSING]]
        assert bits(values) == bits(expected)

    def test_values_of_a_type_that_cannot_be_read_are_said(self, server):
        with pytest.raises(urllib.error.HTTPError) as error:
            server.table("mixed", "weight_norm", "value")
        assert error.value.code == 500
        assert len(error.value.read()) > 10
        assert server.table("mixed", "update_ratio", "value")[1].tolist() == [[4, 5, 6]] * 3

    def test_steps_that_go_back(self, server):
        head, values = server.table("back", RATE, "mean")
        assert head["steps"] == [10, 20, 30]
        assert values.ravel().tolist() == [10, -20, -30]

    def test_marks(self, server):
        first, second = server.ask("marks", run="mixed")
        assert (first["layer"], first["kind"], first["since"]) == ("a/bias", "stalled", 3)
        assert (second["layer"], second["since"]) == (None, 6)
        assert server.ask("overview")["runs"]["long"]["marks"] is None

    def test_bad_requests_are_told_what_is_wrong(self, server):
        table = {"run": "long", "quantity": RATE, "statistic": "mean"}
        for route, arguments, code in (
            ("values", {**table, "known": "x"}, 400),
            ("values", {**table, "known": "-1"}, 400),
            ("marks", {"run": "long"}, 404),
            ("marks", {"run": "none"}, 404),
            ("marks", {}, 400),
        ):
            with pytest.raises(urllib.error.HTTPError) as error:
                server.ask(route, **arguments)
            assert error.value.code == code
            assert len(error.value.read()) > 10

    def test_curves_of_a_layer(self, server):
        layer = layer_names(300)[123]
        head, flat = server.values(route="curves", run="wide", quantity=RATE, layer=layer)
        assert set(head) == {"mean", "min", "max", "p05", "p50", "p95"}
        curves = dict(zip(head, flat.reshape(6, 20), strict=True))
        np.testing.assert_array_equal(curves["p50"], rates(300, 20)[:, 123])
        assert np.all(curves["min"] < curves["p05"])
        assert np.all(curves["p95"] < curves["max"])

    def test_only_new_rows_are_sent(self, server):
        ask = {"run": "long", "quantity": RATE, "statistic": "mean"}
        whole, _ = server.values(**ask)
        same, values = server.values(**ask, known=2000, token=whole["token"])
        assert (same["known"], same["steps"], values.size) == (2000, [], 0)
        for known, token in [(1999, whole["token"]), (2001, whole["token"]), (2000, "other")]:
            head, values = server.values(**ask, known=known, token=token)
            assert (head["known"], values.size) == (0, 6000)

    @pytest.mark.parametrize(
        ("route", "ask", "code", "said"),
        [
            ("values", {"run": "none", "quantity": RATE, "statistic": "mean"}, 404, "'none'"),
            ("values", {"run": "long", "quantity": "x", "statistic": "mean"}, 404, "'x'"),
            ("values", {"run": "long", "quantity": RATE}, 400, "'statistic'"),
            ("curves", {"run": "long", "quantity": RATE, "layer": "z"}, 404, "'z'"),
        ],
    )
    def test_a_wrong_question_is_answered_with_what_is_wrong(self, server, route, ask, code, said):
        with pytest.raises(urllib.error.HTTPError) as error:
            server.get(f"data/plugin/tfadaopt/{route}", **ask)
        assert error.value.code == code
        assert said in error.value.read().decode()


@pytest.mark.slow
def test_logs_of_0_1_are_shown(tmp_path):
    shutil.copytree(Path(__file__).parent / "logs_of_0_1", tmp_path / "logs")
    with serving(tmp_path / "logs") as server:
        wait(lambda: server.ask("overview")["runs"].keys() == {".", "nan"})
        assert server.ask("overview")["runs"]["."]["optimizer"] == "Adagrad"
        assert len(server.ask("marks", run="nan")) == 2


@pytest.mark.slow
def test_without_data_there_is_an_empty_answer_then_the_data(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    with serving(folder, "--path_prefix=/deep/er") as server:
        assert server.url.endswith("/deep/er/")
        overview = server.ask("overview")
        assert overview.pop("names")["quantities"] == log_format.QUANTITIES
        assert overview == {"logdir": str(folder), "runs": {}, "problems": []}
        assert not json.loads(server.get("data/plugins_listing"))["tfadaopt"]["enabled"]
        writer = RunWriter(folder / "late")
        writer.write(1, {(RATE, "mean"): [1.0]}, ["a"])
        writer.flush()
        server.wait_for("late", 1)
        head, _ = server.values(run="late", quantity=RATE, statistic="mean")
        writer.write(2, {(RATE, "mean"): [2.0]}, ["a"])
        writer.close()
        server.wait_for("late", 2)
        ask = {"run": "late", "quantity": RATE, "statistic": "mean"}
        more, values = server.values(**ask, known=1, token=head["token"])
        assert (more["known"], more["steps"], values.tolist()) == (1, [2], [2.0])
        assert json.loads(server.get("data/plugins_listing"))["tfadaopt"]["enabled"]


@pytest.mark.slow
def test_a_broken_plugin_costs_the_tab_alone(logs):
    code = """
import sys
sys.modules["tfadaopt.callbacks.plugin.backend"] = None  # its import fails
from tensorboard import main
main.run_main()
"""
    with serving(logs, program=("-c", code)) as server:
        wait(lambda: "plain" in json.loads(server.get("data/runs")))
        listing = json.loads(server.get("data/plugins_listing"))
        assert "tfadaopt" not in listing
        assert "scalars" in listing


def test_the_entry_point_is_a_loader():
    (entry,) = (
        point
        for point in importlib.metadata.entry_points(group="tensorboard_plugins")
        if point.name == "tfadaopt"
    )
    assert issubclass(entry.load(), base_plugin.TBLoader)

"""Logs that are damaged: what is whole is read, the damage is named, no other number is shown."""

import io
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from tests.logs import Log
from tfadaopt.callbacks import checksums
from tfadaopt.callbacks.folder import held
from tfadaopt.callbacks.history import read
from tfadaopt.callbacks.log_format import RATE, FormatError, OtherVersionError, description, mark_of
from tfadaopt.callbacks.where import EventWriter
from tfadaopt.experiments.cli.inspection import inspect
from tfadaopt.experiments.configs import ConfigError

LAYERS = ("net/conv/kernel", "net/conv/bias", "net/out/kernel")
MARK = {
    "layer": "net/out/kernel",
    "kind": "stalled",
    "quantity": "update_norm",
    "since": 3,
    "cause": "c",
    "advice": "a",
}


def log(folder, steps=range(10, 110, 10), marks=True):
    writer = EventWriter(folder, "Adam")
    for step in steps:
        tables = {
            ("effective_learning_rate", "p50"): (LAYERS, np.full(3, 1 / step, "float32")),
            ("update_ratio", "value"): (LAYERS, np.arange(3, dtype="float32") + step),
        }
        told = [MARK] if marks and step == 50 else []
        writer.write(step, {"learning_rate": 0.1, "x": float(step)}, tables, told)
    writer.close()
    (path,) = [p for p in folder.glob("*.tfadaopt") if p.is_file()][-1:]
    return path


def seen(history):
    """What a history shows, to be compared: by quantity, step and layer."""
    return {
        (key, int(step), layer): float(table.values[i, j])
        for key, table in history.quantities.items()
        for i, step in enumerate(table.steps)
        for j, layer in enumerate(table.layers)
        if table.measured[i, j]
    }


def damaged(data: bytes, random) -> bytes:
    kind = random.integers(6)
    at, end = sorted(random.integers(0, len(data), 2))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes(int(end - at)) + data[end:]
    if kind == 2:
        return data[:at] + data[end:]
    if kind == 3:
        return data[:at] + random.bytes(int(min(end - at, 64))) + data[end:]
    if kind == 4:
        return data[:end] + data[at:end] + data[end:]
    flipped = bytearray(data)
    for place in random.integers(0, len(data), random.integers(1, 4)):
        flipped[place] ^= 1 << int(random.integers(8))
    return bytes(flipped)


def test_300_damaged_files(tmp_path, figures):
    path = log(tmp_path)
    whole, right = path.read_bytes(), seen(read(tmp_path)["."])
    random = np.random.default_rng(0)
    named = same = 0
    for _ in range(300):
        path.write_bytes(damaged(whole, random))
        history = read(tmp_path).get(".")
        shown = {} if history is None else seen(history)
        assert shown.items() <= right.items()  # nothing else is shown
        if shown == right:
            same += 1
        else:
            assert path.stat().st_size == 0 or history.problems, "less is shown without a word"
            named += 1
        out = io.StringIO()
        try:
            inspect(Console(file=out, width=100), tmp_path, [], "")
        except ConfigError as error:
            out.write(str(error))
        assert "Traceback" not in out.getvalue()
    figures["damaged logs", "read whole, damage named"] = f"{same} whole, {named} named"


def test_checksums_are_those_of_tensorboard():
    random = np.random.default_rng(1)
    records = [random.bytes(int(n)) for n in [0, 1, 12, *random.integers(0, 300, 40), 70_000]]
    assert checksums.masked(records) == [masked_crc32c(record) for record in records]
    assert checksums.masked(records[:3]) == [masked_crc32c(record) for record in records[:3]]


@pytest.mark.parametrize(
    "content",
    [
        {"quantity": "q", "statistic": "s", "layers": ["a"]},
        {"quantity": "q", "statistic": "s"},
        {"marks": True},
        [],
    ],
)
def test_whole_records_that_make_no_sense(content, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tfadaopt.callbacks.log_format.json.dumps", lambda _: json.JSONEncoder().encode(content)
    )
    log(tmp_path, marks=False)
    history = read(tmp_path)["."]
    assert history.problems
    assert not history.quantities


def value(history_of: Path, tensor=None, about=None, optimizer="Adam"):
    """Write one value that no writer of ours writes, in whole records."""
    about = about or {"version": 1, "quantity": RATE, "statistic": "p50", "layers": ["a/b"]}
    content = about if isinstance(about, bytes) else json.dumps(about | {"optimizer": optimizer})
    found = Summary.Value(tag="t", tensor=tensor)
    found.metadata.plugin_data.plugin_name = "tfadaopt"
    found.metadata.plugin_data.content = content if isinstance(content, bytes) else content.encode()
    Log(history_of)._append(Event(step=1, summary=Summary(value=[found])))


def test_a_tensor_is_as_large_as_its_layers_and_no_larger(tmp_path):
    tensor = TensorProto(dtype=1, float_val=[1.0])
    tensor.tensor_shape.dim.add(size=2**36)  # 256 GiB in 30 bytes
    value(tmp_path, tensor)
    (problem,) = read(tmp_path)["."].problems
    assert "ValueError" in problem


def test_deep_nesting_is_no_description(tmp_path):
    value(tmp_path, TensorProto(dtype=1), b"[" * 100_000)
    assert "FormatError" in read(tmp_path)["."].problems[0]
    with pytest.raises(FormatError):
        mark_of(b"[" * 100_000, 1)


def test_another_version_is_named(tmp_path):
    value(tmp_path, TensorProto(dtype=1), {"version": 99})
    (problem,) = read(tmp_path)["."].problems
    assert "OtherVersionError" in problem
    with pytest.raises(OtherVersionError, match=r"another version.*format 99, this one reads 1"):
        description(b'{"version": 99}')


@pytest.mark.parametrize(
    "wrong", [{"since": "3"}, {"since": None}, {"kind": 3}, {"layer": 5}, {"cause": ["c"]}]
)
def test_a_mark_of_other_types_is_none(wrong):
    assert mark_of(json.dumps(MARK).encode(), 1) == MARK
    with pytest.raises(FormatError, match="no mark"):
        mark_of(json.dumps(MARK | wrong).encode(), 1)


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_what_is_no_file_is_not_read(kind, tmp_path):
    log(tmp_path)
    other = tmp_path / "events.out.tfevents.2.tfadaopt"
    if kind == "pipe":
        os.mkfifo(other)  # which would be read for ever
    elif kind == "folder":
        other.mkdir()
    else:
        other.symlink_to(tmp_path / "nothing")
    assert read(tmp_path)["."].problems == ()
    assert held(str(tmp_path)).last_step == 100


def test_a_log_of_a_later_version_or_another_hand_is_shown_as_text(tmp_path):
    writer = EventWriter(tmp_path, "[/]\x1b[2J")
    tables = {("update_ratio", "value"): (LAYERS, np.ones(3, "float32"))}
    marks = [{"kind": "[/]new_kind\x1b", "since": 10}, {"kind": "dead", "since": 3}]
    writer.write(10, {}, tables, marks)
    writer.close()
    out = io.StringIO()
    inspect(Console(file=out, width=100, color_system=None), tmp_path, [], "")
    assert "[/]new kind? since step 10" in out.getvalue()
    assert "[/]?[2J" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_what_follows_a_record_that_is_no_event_is_left_out(tmp_path):
    path = log(tmp_path)
    whole = read(tmp_path)["."]
    record = b"\xff" * 5
    with path.open("ab") as file:
        for part in (struct.pack("<Q", len(record)), record):
            file.write(part + struct.pack("<I", masked_crc32c(part)))
    (found,) = read(tmp_path).values()
    assert seen(found) == seen(whole)
    assert "no event at byte" in " ".join(found.problems)


def test_clock_that_goes_back_loses_nothing(tmp_path, monkeypatch):
    log(tmp_path, range(10, 60, 10))
    monkeypatch.setattr("tfadaopt.callbacks.where.time.time", lambda: 1e9)
    log(tmp_path, range(60, 110, 10))
    assert read(tmp_path)["."].steps.tolist() == list(range(10, 110, 10))
    names = sorted(path.name for path in tmp_path.glob("*.tfadaopt"))
    assert len(names) == 2  # TensorBoard reads them in this order


@pytest.mark.slow
def test_what_was_written_is_on_disk_when_a_process_is_killed(tmp_path):
    program = (
        "import os, signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from tfadaopt.callbacks.where import EventWriter\n"
        "w = EventWriter(sys.argv[1], 'Adam')\n"
        "w.write(7, {}, {('update_ratio', 'value'): (('a/b',), np.ones(1, 'float32'))})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, check=False)
    assert read(tmp_path)["."].steps.tolist() == [7]


@pytest.mark.slow
def test_two_processes_do_not_share_a_run(tmp_path):
    """Both begin in an empty folder: the second one gets a folder of its own."""
    program = (
        "import sys; from tfadaopt.callbacks.folder import free_for\n"
        "print(free_for(sys.argv[1], 4, frozenset(['a'])), flush=True); sys.stdin.read()\n"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert first.stdout.readline().strip() == str(tmp_path)
        from tfadaopt.callbacks.folder import free_for, release

        with pytest.warns(UserWarning, match="another process"):
            assert free_for(str(tmp_path), 4, frozenset(["a"])) == str(tmp_path / "run-2")
        release(str(tmp_path / "run-2"))
    finally:
        first.kill()
        first.wait()
    assert free_for(str(tmp_path), 4, frozenset(["a"])) == str(tmp_path)
    release(str(tmp_path))


def test_names_of_a_log_do_not_reach_the_terminal_as_commands(tmp_path):
    writer = EventWriter(tmp_path, "Adam")
    layer = "net/\x1b[31mred[bold]/kernel"
    writer.write(10, {}, {("update_ratio", "value"): ((layer,), np.ones(1, "float32"))})
    writer.close()
    out = io.StringIO()
    inspect(Console(file=out, width=100, color_system=None), tmp_path, [], "")
    assert "\x1b" not in out.getvalue()
    assert "[bold]" in out.getvalue()

"""Logs of others: the reader, the terminal, the choice of a folder, the tab, files of numbers."""

import io
import json
import struct
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from rich.console import Console
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.util import tensor_util
from werkzeug.test import Client
from werkzeug.wrappers import Response

from tests.fuzz.changed import NAMES, bytes_of, text_of
from tests.logs import Log
from tfadaopt.callbacks import checksums, folder
from tfadaopt.callbacks.history import _events, read
from tfadaopt.callbacks.notebook_file import NotebookFile
from tfadaopt.callbacks.plugin import backend
from tfadaopt.experiments.cli.inspection import inspect
from tfadaopt.experiments.configs import ConfigError

LAYERS = ["net/a/kernel", "net/a/bias", "net/b/kernel"]
MARK = {
    "layer": LAYERS[1],
    "kind": "stalled",
    "quantity": "update_norm",
    "since": 3,
    "cause": "c",
    "advice": "a",
}
ABOUT = {
    "version": 1,
    "quantity": "effective_learning_rate",
    "statistic": "p50",
    "layers": LAYERS,
    "optimizer": "Adagrad",
}


def whole(place: Path) -> list[Event]:
    """Events of a log in which nothing was changed."""
    log = Log(place)
    for step in (10, 20, 30):
        log.table(step, dict.fromkeys(LAYERS, 1 / step))
        log.table(step, dict.fromkeys(LAYERS, 0.1), "update_ratio", "value")
        log.scalars(step, {"learning_rate": 0.1, f"update_norm/{LAYERS[0]}": 1.0})
    log.marks(30, [MARK, {**MARK, "kind": "nan", "layer": None}])
    return _events(log.path)[0]


@st.composite
def logs(draw, events: list[Event]) -> bytes:
    """An event file whose records are whole, and whose content need not be."""
    found = [Event.FromString(event.SerializeToString()) for event in events]
    for _ in range(draw(st.integers(0, 4))):
        event = draw(st.sampled_from([e for e in found if e.summary.value]))
        value = draw(st.sampled_from(list(event.summary.value)))
        what = draw(
            st.sampled_from(["about", "tag", "step", "wall", "dtype", "shape", "content", "mark"])
        )
        if what == "about":
            start = ABOUT if draw(st.booleans()) else {"version": 1, "marks": True}
            value.metadata.plugin_data.plugin_name = "tfadaopt"
            value.metadata.plugin_data.content = draw(text_of(start))
        elif what == "tag":
            value.tag = draw(NAMES).encode("utf-8", "replace").decode()
        elif what == "step":
            event.step = draw(st.integers(-(2**63), 2**63 - 1))
        elif what == "wall":
            event.wall_time = draw(st.floats())
        elif what == "mark":
            marks = [draw(text_of(MARK))] * draw(st.integers(0, 2))
            value.tensor.CopyFrom(tensor_util.make_tensor_proto(np.array(marks, object)))
        elif value.HasField("tensor"):
            if what == "dtype":
                value.tensor.dtype = draw(st.integers(0, 30))
            elif what == "shape":
                sizes = draw(st.lists(st.sampled_from([0, 1, 3, -1, 2**16, 2**31]), max_size=4))
                del value.tensor.tensor_shape.dim[:]
                for size in sizes:
                    value.tensor.tensor_shape.dim.add(size=size)
                if draw(st.booleans()):  # a few numbers stand for all
                    value.tensor.tensor_content = b""
                    value.tensor.float_val.append(1.0)
            else:
                value.tensor.tensor_content = draw(st.binary(max_size=24))
    data = b"".join(map(framed, found))
    return draw(bytes_of(data)) if draw(st.integers(0, 4)) == 0 else data


def framed(event: Event) -> bytes:
    """A record of an event file, with checksums that fit."""
    record = event.SerializeToString()
    length = struct.pack("<Q", len(record))
    sums = [struct.pack("<I", found) for found in checksums.masked([length, record])]
    return length + sums[0] + record + sums[1]


def read_log(data: bytes, place: Path) -> None:
    """Everything that reads an event file."""
    path = place / "events.out.tfevents.1.tfadaopt"
    path.write_bytes(data)
    histories = read(place)
    for history in histories.values():
        assert all(len(t.layers) == t.values.shape[1] for t in history.quantities.values())
    out = io.StringIO()
    try:
        inspect(Console(file=out, width=100, color_system=None), place, [], "")
    except ConfigError as error:
        out.write(str(error))
    assert "\x1b" not in out.getvalue()
    out.getvalue().encode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = Path(folder.free_for(str(place), 20, frozenset(LAYERS)))
        folder.release(str(chosen))
    assert chosen.is_relative_to(place)
    folder._known.clear()


@st.composite
def tabs(draw) -> dict[str, Any]:
    """What TensorBoard has of a run, and what a page asks for."""
    tags = {}
    for number in range(draw(st.integers(1, 3))):
        rows = st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.floats(),
            st.sampled_from(
                [np.ones(3, "float32"), np.ones(2), np.array([b"{}"], object), np.array("x")]
            ),
        )
        tags[draw(NAMES) if number else "optimizer/marks"] = (
            draw(text_of(ABOUT if number else {"version": 1, "marks": True})),
            draw(st.lists(rows, max_size=3)),
        )
    marks = [draw(text_of(MARK)) for _ in range(draw(st.integers(0, 2)))]
    about, rows = tags["optimizer/marks"]
    tags["optimizer/marks"] = about, [*rows, (30, 0.0, np.array(marks, object))]
    texts = st.one_of(NAMES, st.sampled_from([*LAYERS, "effective_learning_rate", "p50", "run"]))
    known = st.one_of(
        st.none(), st.sampled_from(["0", "2", "-1", "9" * 5000, "٣", "1.5", "x"]), NAMES
    )
    ask = {name: draw(st.none() | texts) for name in ("run", "quantity", "statistic", "layer")}
    ask |= {"known": draw(known), "token": draw(st.none() | NAMES)}
    return {"tags": tags, "ask": {name: text for name, text in ask.items() if text is not None}}


def ask_tab(case: dict[str, Any], _: Path) -> None:
    """Each route answers, with 200 or with what is wrong with the question."""
    tags = case["tags"]
    listed = {
        "run": {
            tag: SimpleNamespace(plugin_content=about, max_step=1, max_wall_time=0.0)
            for tag, (about, _) in tags.items()
        }
    }
    rows = {
        "run": {
            tag: [SimpleNamespace(step=s, wall_time=w, numpy=x) for s, w, x in found]
            for tag, (_, found) in tags.items()
        }
    }
    provider = SimpleNamespace(
        list_tensors=lambda ctx=None, **_: listed, read_tensors=lambda ctx=None, **_: rows
    )
    tab = backend.OptimizerTab(SimpleNamespace(data_provider=provider, logdir="logs"))
    for route in ("/overview", "/values", "/curves", "/marks"):
        for ask in (case["ask"], case["ask"] | {"run": "run"}):
            client = Client(tab.get_plugin_apps()[route], Response)
            query = {k: v.encode("utf-8", "replace").decode() for k, v in ask.items()}
            answer = client.get(f"/data/plugin/tfadaopt{route}", query_string=query)
            assert answer.status_code in (200, 400, 404), f"{route}: {answer.text}"
            if answer.status_code != 200:
                assert answer.mimetype == "text/plain"  # never a page
            elif answer.mimetype == "application/json":
                json.loads(answer.text)


@st.composite
def files_of_numbers(draw, csv: bytes, npz: bytes) -> tuple[str, bytes]:
    """A file of a notebook, with its ending."""
    kind, data = draw(st.sampled_from([(".csv", csv), (".npz", npz)]))
    return kind, draw(bytes_of(data))


def go_on(case: tuple[str, bytes], place: Path) -> None:
    """A training goes on in the file, or says that it cannot: it never ends for that."""
    kind, data = case
    path = place / f"run{kind}"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _write(path)
    assert path.stat().st_size


def notebook(path: Path) -> bytes:
    """A file as a training leaves it."""
    _write(path)
    return path.read_bytes()


def _write(path: Path) -> None:
    file = NotebookFile(path)
    file.begin("run", 5)
    for step in (6, 7):
        file.add("run", step, {("update_ratio", "value"): (tuple(LAYERS), np.ones(3, "float32"))})
    file.close()

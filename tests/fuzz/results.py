"""Results and settings of others: the store, the reports, the texts of a command line."""

import contextlib
import io
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from tests.fuzz.changed import NAMES, VALUES, bytes_of, json_of, text_of
from tests.test_claims_report import finding, lines, result
from tfadaopt.experiments import configs
from tfadaopt.experiments.cli import commands
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs import files
from tfadaopt.experiments.runs.store import Store
from tfadaopt.experiments.trial import run as trial

CLAIM = "claim-terminal-velocity"


def whole(place: Path) -> dict[str, bytes]:
    """Files of a finished claim, by their names in the folder."""
    config = configs.claims()
    store = Store(place).open(CLAIM, config, "tfadaopt run claims")
    kept = result(CLAIM, None, finding("confirmed", (lines(),)), settings=asdict(config))
    store.put(trial.cell_of(CLAIM, config), json.loads(kept.to_json()))
    store.close()
    found = [*place.glob("*.json"), *place.glob("cells/*.json")]
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in found}


@st.composite
def folders(draw, known: dict[str, bytes]) -> dict[str, bytes]:
    """A result folder of which one file was changed: its bytes, or its content and its digest."""
    name = draw(st.sampled_from(sorted(known)))
    content = files.unsealed(known[name])
    kind = draw(st.sampled_from(["bytes", "text", "content", "content", "content"]))
    if kind == "bytes":
        changed = draw(bytes_of(known[name]))
    elif kind == "text":
        changed = draw(text_of(content))
    else:
        new = draw(json_of(content))
        changed = files.sealed(new).encode() if isinstance(new, dict) else json.dumps(new).encode()
    return known | {name: changed}


def report(case: dict[str, bytes], place: Path) -> None:
    """The store and the report make something of it, or say what is wrong."""
    for name, data in case.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(data)
    config = configs.claims()
    out = io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
        mock.patch.object(sys, "argv", ["tfadaopt", "report", str(place)]),
        mock.patch("tfadaopt.experiments.reports.draw.draw", side_effect=_undrawn),
        mock.patch("tfadaopt.experiments.reports.look.save", return_value="<svg></svg>"),
    ):
        code = commands.run()
    assert code in (0, 2), out.getvalue()
    assert "\x1b" not in out.getvalue()
    # One who goes on with the run: damage is set aside, nothing else happens.
    with contextlib.suppress(ConfigError):
        store = Store(place).open(CLAIM, config, "run")
        try:
            store.has(trial.cell_of(CLAIM, config))
        finally:
            store.close()


def _undrawn(*_: object) -> object:
    """Drawing takes a second, and the figures themselves are checked when they are read."""
    return mock.MagicMock()


@st.composite
def settings(draw) -> dict[str, Any]:
    """Texts of ``--set``, and settings of a ``run.json``."""
    names = st.sampled_from([*asdict(configs.lecture()), "seed", "other"]) | NAMES
    texts = st.one_of(
        NAMES, st.sampled_from(["1", "1e400", "9" * 5000, "SGD,SGD", ",,", "nan", "-0"])
    )
    return {
        "texts": draw(st.dictionaries(names, texts, max_size=3)),
        "run": {"settings": draw(json_of(asdict(configs.lecture()) | {"x": draw(VALUES)}))},
    }


def check_settings(case: dict[str, Any], place: Path) -> None:
    """Settings are taken, or refused with a sentence of bounded length."""
    for make in (configs.lecture, configs.claims):
        refused(lambda make=make: configs.override(make(), case["texts"]))
    if isinstance(case["run"]["settings"], dict):  # what run.json is checked for before
        refused(lambda: configs.settings_of(case["run"], configs.Lecture, place))


def refused(make: Callable[[], object]) -> None:
    """Let something be made, or refused in a sentence of some length."""
    text = ""
    try:
        make()
    except ConfigError as error:
        text = str(error)
    assert len(text) < 50_000

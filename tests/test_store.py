"""Result folders: what is damaged is named, set aside and computed again; one run at a time."""

import errno
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from tfadaopt.experiments import configs
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs import cell_files, files, records
from tfadaopt.experiments.runs.lock import LOCK
from tfadaopt.experiments.runs.store import LOG, Store

CELL = {"kind": "tune", "method": "SGD", "learning_rate": 0.1, "seed": None}
OTHER = CELL | {"learning_rate": 0.3}
RESULT = {"rows": [{"loss": 0.25}, {"loss": float("nan")}], "diverged": False}


def opened(folder: Path) -> Store:
    return Store(folder).open("lecture", configs.lecture(), "tfadaopt run lecture")


@pytest.fixture
def store(tmp_path) -> Store:
    store = opened(tmp_path / "out")
    store.put(CELL, RESULT)
    yield store
    store.close()


def file_of(store: Store) -> Path:
    (path,) = store.folder.glob("cells/*.json")
    return path


# Damage: text of the file to what is left of it


def rewritten(path: Path, change) -> None:
    """Change a record, and give it a digest that fits."""
    record = files.unsealed(path.read_bytes())
    change(record)
    path.write_text(files.sealed(record))


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


ANY = {
    "empty": lambda p: p.write_bytes(b""),
    "cut": lambda p: p.write_bytes(p.read_bytes()[:-40]),
    "binary": lambda p: p.write_bytes(bytes(range(256))),
    "zeros": lambda p: p.write_bytes(bytes(300)),
    "twice": lambda p: p.write_bytes(2 * p.read_bytes()),
    "a list": lambda p: p.write_text("[]"),
    "null": lambda p: p.write_text("null"),
    "an empty record": lambda p: p.write_text("{}"),
    "deep": lambda p: p.write_text("[" * 100_000),
    "a folder": as_folder,
    "a dangling link": as_dangling_link,
}
OF_CELLS = {
    "a digit": lambda p: p.write_text(p.read_text().replace("0.25", "0.26")),
    "no result": lambda p: rewritten(p, lambda r: r.pop("result")),
    "result of another kind": lambda p: rewritten(p, lambda r: r.update(result=[1])),
    "more than there should be": lambda p: rewritten(p, lambda r: r.update(more=1)),
    "of other settings": lambda p: rewritten(p, lambda r: r["cell"].update(seed=5)),
    "cell of another kind": lambda p: rewritten(p, lambda r: r.update(cell=3)),
    "of another Keras": lambda p: rewritten(p, lambda r: r["versions"].update(keras="9.9")),
    "of another Python": lambda p: rewritten(p, lambda r: r["versions"].update(python="2.7.1")),
    "without versions": lambda p: rewritten(p, lambda r: r.update(versions=None)),
}


@pytest.mark.parametrize("how", [*ANY, *OF_CELLS])
def test_a_damaged_cell_is_named_set_aside_and_computed_again(how, store, caplog):
    path = file_of(store)
    (ANY | OF_CELLS)[how](path)
    reader = Store(store.folder)
    with caplog.at_level(logging.WARNING):
        assert not reader.has(CELL)
    assert os.path.lexists(path)  # who has not opened the folder changes nothing
    assert str(path) in caplog.text
    caplog.clear()
    assert not store.has(CELL)
    assert str(path) in caplog.text
    assert "computed again" in caplog.text
    assert not os.path.lexists(path)
    assert os.path.lexists(store.folder / files.ASIDE / path.name)
    store.put(CELL, RESULT)
    assert store.get(CELL)["rows"][0] == {"loss": 0.25}
    ANY["empty"](path)
    assert not store.has(CELL)
    assert len(list((store.folder / files.ASIDE).iterdir())) == 2  # nothing is overwritten there


def test_a_result_that_is_gone_is_said_with_what_to_do(store):
    store.file_of(CELL).unlink()
    with pytest.raises(ConfigError, match=r"is gone or damaged\. Give the command again"):
        store.get(CELL)


def test_what_was_read_lately_is_kept_within_a_size(store, monkeypatch):
    monkeypatch.setattr(cell_files, "_MOST_RECENT", 1)
    store.put(OTHER, RESULT | {"diverged": True})
    for _ in range(2):
        assert (store.get(CELL)["diverged"], store.get(OTHER)["diverged"]) == (False, True)
    assert len(store._results._recent) == 1


def test_a_log_that_is_a_folder_is_set_aside(store):
    store.close()
    (store.folder / LOG).mkdir()
    opened(store.folder).close()
    assert (store.folder / files.ASIDE / LOG).is_dir()


def test_a_folder_that_takes_no_file_is_refused_and_taken_back(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "make_folder", full)
    with pytest.raises(ConfigError, match=r"no results can be kept there \(No space left"):
        opened(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_swapped_cells_are_told_apart(store, caplog):
    store.put(OTHER, RESULT)
    a, b = store.folder.glob("cells/*.json")
    text = a.read_text()
    a.write_text(b.read_text())
    b.write_text(text)
    assert not store.has(CELL)
    assert not store.has(OTHER)
    assert "learning_rate: 0.3, not 0.1" in caplog.text
    assert len(list((store.folder / files.ASIDE).iterdir())) == 2


def test_a_whole_cell_is_read_once(store, monkeypatch):
    assert store.has(CELL)
    monkeypatch.setattr(files, "read_bytes", None)
    assert store.has(CELL)


OF_RUNS = {
    "seconds is text": lambda p: rewritten(p, lambda r: r.update(seconds="a lot")),
    "settings is a list": lambda p: rewritten(p, lambda r: r.update(settings=[])),
    "no experiment": lambda p: rewritten(p, lambda r: r.pop("experiment")),
    "one setting changed": lambda p: p.write_text(
        p.read_text().replace('"seeds": 5', '"seeds": 6')
    ),
}


@pytest.mark.parametrize("how", [*ANY, *OF_RUNS])
def test_a_damaged_run_json_is_set_aside_and_the_cells_are_kept(how, store, caplog):
    store.close()
    path = store.folder / "run.json"
    assert '"seeds": 5' in path.read_text()
    (ANY | OF_RUNS)[how](path)
    with pytest.raises(ConfigError, match=r"run\.json"):
        Store(store.folder).describe()
    again = opened(store.folder)
    assert str(path) in caplog.text
    assert os.path.lexists(store.folder / files.ASIDE / "run.json")
    assert again.describe()["experiment"] == "lecture"
    assert again.has(CELL)
    again.close()


def test_a_damaged_run_json_alone_may_be_no_folder_of_ours(tmp_path):
    (tmp_path / "run.json").write_text("{broken")
    with pytest.raises(ConfigError, match=r"run\.json is cut.*choose another folder"):
        opened(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_what_an_interrupted_write_left_goes_and_other_files_stay(store):
    store.close()
    left, notes = store.folder / "cells" / "x.json.12.part", store.folder / "notes.txt"
    left.write_text("{")
    notes.write_text("mine")
    opened(store.folder).close()
    assert not left.exists()
    assert notes.read_text() == "mine"


# Writing


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_full_disk_leaves_what_was_there_and_names_the_file(call, tmp_path, monkeypatch):
    path = tmp_path / "results.csv"
    path.write_text("before")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "a part")

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left") as raised:
        files.write_whole(path, "after")
    assert raised.value.filename == str(path)
    assert files.is_about_the_place(raised.value, tmp_path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("results.csv", "before")]


def test_a_folder_in_the_place_of_a_file_is_set_aside(tmp_path):
    path = tmp_path / "results.csv"
    path.mkdir()
    (path / "mine").touch()
    files.write_whole(path, "text")
    assert path.read_text() == "text"
    assert (tmp_path / files.ASIDE / "results.csv" / "mine").exists()


def test_where_no_links_can_be_made_the_first_file_is_written_all_the_same(tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", unknown)
    assert files.write_first(tmp_path / "a", "text")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "text")]


def test_a_file_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("sync"), fsync(fd)))
    monkeypatch.setattr(Path, "replace", lambda a, b: (calls.append("name"), replace(a, b)))
    files.write_whole(tmp_path / "a", "text")
    assert calls == ["sync", "name", "sync"]  # the last one is of the folder


def test_a_folder_that_was_taken_away_does_not_come_back_empty(store, tmp_path):
    store.folder.rename(tmp_path / "elsewhere")
    for act in (lambda: store.put(CELL, RESULT), lambda: store.finish(1.0, True)):
        with pytest.raises(FileNotFoundError):
            act()
    assert not store.folder.exists()
    assert [cell for cell, _ in store.vanished([CELL], [])] == [CELL]


# One at a time

HOLDER = """
import pathlib, sys, time
from tfadaopt.experiments import configs
from tfadaopt.experiments.runs.store import Store
store = Store(pathlib.Path(sys.argv[1])).open("lecture", configs.lecture(), "run [lecture]")
print("open", flush=True)
time.sleep(600)
"""


def test_a_folder_in_use_names_its_owner_and_is_free_when_that_is_killed(tmp_path):
    out = tmp_path / "out"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(out)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"open\n"
        before = (out / "run.json").read_bytes()
        with pytest.raises(ConfigError) as raised:
            opened(out)
        for words in (f"process {holder.pid} on ", "(run [lecture])", "--out", str(out)):
            assert words in str(raised.value)
        assert (out / "run.json").read_bytes() == before
        assert Store(out).describe()["experiment"] == "lecture"  # reading needs no lock
    finally:
        holder.kill()
        holder.communicate()
    assert (out / LOCK).exists()
    opened(out).close()


def test_a_disk_without_locks_of_its_own_keeps_others_out_too(tmp_path, monkeypatch):
    monkeypatch.setattr(filelock, "FileLock", filelock.SoftFileLock)
    first = opened(tmp_path)
    with pytest.raises(ConfigError, match="is in use by another process"):
        opened(tmp_path)
    first.close()
    opened(tmp_path).close()


def test_a_folder_is_taken_back_only_by_who_made_it_and_only_if_it_is_empty(tmp_path):
    mine = opened(tmp_path / "mine")
    mine.abandon()
    assert not (tmp_path / "mine").exists()
    (tmp_path / "yours").mkdir()
    yours = opened(tmp_path / "yours")
    yours.abandon()
    assert (tmp_path / "yours" / "run.json").exists()
    filled = opened(tmp_path / "filled")
    filled.put(CELL, RESULT)
    filled.abandon()
    assert opened(tmp_path / "filled").has(CELL)
    noted = opened(tmp_path / "noted")
    (noted.folder / "notes.txt").write_text("mine")
    noted.abandon()
    assert (noted.folder / "notes.txt").exists()


def test_versions_of_a_reader_are_those_of_the_run(store, monkeypatch):
    """Somebody else's results were made with other versions, and are reported all the same."""
    store.close()
    newer = records.versions() | {"keras": "99.0"}
    monkeypatch.setattr("tfadaopt.experiments.runs.store.versions", lambda: newer)
    assert Store(store.folder).has(CELL)
    again = opened(store.folder)
    assert not again.has(CELL)
    again.close()
    assert json.loads((store.folder / "run.json").read_text())["versions"]["keras"] == "99.0"

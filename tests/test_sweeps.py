"""Sweeps: several runs on one folder, machines that are lost, and as many cells as one likes."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_claims import OneByOne
from tests.test_store import CELL, OTHER, RESULT, opened, store  # noqa: F401
from tfadaopt.experiments.compare import costs, trials
from tfadaopt.experiments.runs import claims, files, index, stages
from tfadaopt.experiments.runs.claims import ClaimedError, Claims
from tfadaopt.experiments.runs.store import Store

# Claims


def result_of(folder: Path) -> Path:
    return folder / "a.json"


def pretend(claim: Path, **owner) -> None:
    """Let a claim be of somebody else."""
    claim.write_text(json.dumps(json.loads(claim.read_text()) | owner))


def test_a_cell_is_claimed_once_and_free_again(tmp_path):
    one, other, result = Claims(), Claims(), result_of(tmp_path)
    claim = one.take(result)
    assert not other.is_free(result)
    with pytest.raises(ClaimedError, match=f"process {os.getpid()} on "):
        other.take(result)
    one.give_back(claim)
    assert other.is_free(result)
    assert list(tmp_path.iterdir()) == []


def test_the_claim_of_a_process_that_ended_is_free_at_once(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    result = result_of(tmp_path)
    pretend(Claims().take(result), pid=ended.pid)
    assert Claims().is_free(result)
    claim = Claims().take(result)
    Claims().give_back(claim)
    assert list(tmp_path.iterdir()) == []  # with what it has outdone


def test_a_number_of_a_process_that_was_given_again_is_no_owner(tmp_path):
    pretend(Claims().take(result_of(tmp_path)), begun="1")
    assert Claims().is_free(result_of(tmp_path))


def test_a_claim_of_another_machine_is_left_once_nobody_touches_it(tmp_path, monkeypatch):
    clock, result = [100.0], result_of(tmp_path)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    claim = Claims().take(result)
    pretend(claim, where="elsewhere", pid=1)
    watcher = Claims(lease=180)
    assert not watcher.is_free(result)
    clock[0] += 170
    os.utime(claim, (1, 1))  # a clock that was set back is a touch as well
    assert not watcher.is_free(result)
    clock[0] += 170
    assert not watcher.is_free(result)
    clock[0] += 20
    assert watcher.is_free(result)
    Claims().take(result)
    with pytest.raises(ClaimedError):
        Claims().take(result)


def test_who_was_outdone_does_not_free_the_cell_of_who_has_it(tmp_path):
    result = result_of(tmp_path)
    slow = Claims().take(result)
    pretend(slow, begun="1")
    quick = Claims()
    assert quick.is_free(result)
    claim = quick.take(result)
    Claims().give_back(slow)
    assert not Claims().is_free(result)
    quick.give_back(claim)
    assert Claims().is_free(result)


def test_a_task_that_is_begun_again_elsewhere_has_what_it_had(tmp_path):
    pretend(Claims("task 1").take(result_of(tmp_path)), where="a lost machine")
    with pytest.raises(ClaimedError):
        Claims("task 2").take(result_of(tmp_path))
    Claims("task 1").take(result_of(tmp_path))


def test_a_claim_that_cannot_be_written_is_not_left_behind(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tfadaopt.experiments.runs.claims.json.dumps", full)
    with pytest.raises(OSError, match="No space"):
        Claims().take(result_of(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_see_no_claim_one_has_the_cell(tmp_path, monkeypatch):
    result = result_of(tmp_path)
    Claims().take(result)
    late = Claims()
    monkeypatch.setattr(late, "_last", lambda _: (0, None))
    with pytest.raises(ClaimedError, match="by another process"):
        late.take(result)


def test_a_claim_that_is_given_back_in_the_middle_of_a_look_is_looked_at_again(
    tmp_path, monkeypatch
):
    watcher = Claims()
    with monkeypatch.context() as patch:
        patch.setattr(watcher, "_last", lambda _: (1, tmp_path / "a.claim1"))
        assert not watcher.is_free(result_of(tmp_path))
    assert watcher.is_free(result_of(tmp_path))


def test_a_claim_is_touched_while_its_cell_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.001)
    touched = []

    def work(cell):
        (claim,) = tmp_path.glob("a.claim*")
        os.utime(claim, (1, 1))
        while claim.stat().st_mtime == 1:
            time.sleep(0.001)
        touched.append(cell)
        result_of(tmp_path).touch()

    for _ in range(2):  # the second time, it is there
        claims.claimed(CELL, work, lambda _: result_of(tmp_path))
    assert touched == [CELL]


# Results


def test_of_two_results_of_a_claimed_cell_the_first_stays(store, tmp_path):  # noqa: F811
    def work(cell):
        store.put(cell, RESULT)  # by another process that was thought to be gone
        store.put(cell, {"rows": [], "diverged": True})

    claims.claimed(OTHER, work, store.file_of)
    assert store.get(OTHER)["rows"][0] == {"loss": 0.25}
    assert list(store.folder.glob("cells/*.part")) == []
    claims.claimed(OTHER, work, lambda _: tmp_path / "elsewhere")
    assert store.get(OTHER)["diverged"] is True


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(index, "FEWEST", 1)


def test_the_index_says_what_the_files_say_and_no_more(store, few, monkeypatch):  # noqa: F811
    store.put(OTHER, RESULT | {"diverged": True})
    with Store(store.folder).indexed() as reader:
        assert reader.get(CELL)["rows"][0] == {"loss": 0.25}
        assert reader.get(OTHER)["diverged"] is True
    assert (store.folder / index.INDEX).exists()
    read = []
    with monkeypatch.context() as patch, Store(store.folder).indexed() as reader:
        whole = files.read_bytes
        patch.setattr(files, "read_bytes", lambda path: (read.append(path.name), whole(path))[1])
        assert reader.get(OTHER)["diverged"] is True
        assert reader.get(CELL)["diverged"] is False
    assert read == ["run.json"]
    # A file that is changed, damaged or gone counts as it is now.
    path = store.file_of(CELL)
    path.write_text(path.read_text().replace("0.25", "0.26"))
    store.file_of(OTHER).unlink()
    with Store(store.folder).indexed() as reader:
        assert not reader.has(CELL)
        assert not reader.has(OTHER)


@pytest.mark.parametrize("how", ["cut", "a digit", "a state", "empty", "binary"])
def test_a_damaged_index_is_no_source_of_numbers(how, store, few):  # noqa: F811
    with Store(store.folder).indexed() as reader:
        reader.get(CELL)
    path = store.folder / index.INDEX
    text = path.read_bytes()
    assert b"0.25" in text
    spoiled = {"cut": text[:-9], "a digit": text.replace(b"0.25", b"0.26")}
    spoiled["a state"] = re.sub(rb"\t\d+\t", b"\tsoon\t", text, count=1)
    path.write_bytes(spoiled.get(how, b"" if how == "empty" else bytes(range(256))))
    with Store(store.folder).indexed() as reader:
        assert reader.get(CELL)["rows"][0] == {"loss": 0.25}


def test_an_index_that_cannot_be_written_is_none(store, few, monkeypatch, caplog):  # noqa: F811
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "writing", full)
    with Store(store.folder).indexed() as reader:
        assert reader.get(CELL)["diverged"] is False
    assert "cells.index cannot be written (No space left on device)." in caplog.text
    assert not (store.folder / index.INDEX).exists()


# Several runs in one folder

SWEEP = """
import functools, os, sys, time
from pathlib import Path
from tfadaopt.experiments import configs
from tfadaopt.experiments.runs.engines import Engine
from tfadaopt.experiments.runs.stages import Stages
from tfadaopt.experiments.runs import executor, stages, store

def work(cell, folder):
    with (folder / f"begun-{cell['seed']}").open("x"):
        pass
    time.sleep(0.05)
    store.Store(folder).put(cell, {"square": cell["seed"] ** 2})

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    stages._LOOK_AGAIN = 0.05
    stages.LocalExecutor = functools.partial(executor.LocalExecutor, prepare=int)
    opened = store.Store(folder).open("sweep", configs.lecture(), "sweep", join=True)
    cells = [{"kind": "cell", "method": "none", "seed": seed} for seed in range(12)]
    with Stages(opened, functools.partial(work, folder=folder), 1, lambda *_: None) as found:
        found.compute("all", cells)
        found.end(cells)
    opened.close()
    sys.exit(len(found.failures))
"""


@pytest.mark.slow
def test_two_runs_share_a_folder_and_compute_each_cell_once(tmp_path):
    script, folder = tmp_path / "sweep.py", tmp_path / "out"
    script.write_text(SWEEP)
    runs = [subprocess.Popen([sys.executable, script, folder]) for _ in range(2)]
    # A cell that is begun twice would fail, since its mark is there.
    assert [run.wait(timeout=300) for run in runs] == [0, 0]
    assert len(list(folder.glob("cells/*.json"))) == len(list(folder.glob("begun-*"))) == 12
    assert list(folder.glob("cells/*.claim*")) == []


def test_what_another_run_computes_is_waited_for(store, monkeypatch):  # noqa: F811
    monkeypatch.setattr(stages, "LocalExecutor", OneByOne)
    monkeypatch.setattr(stages, "_LOOK_AGAIN", 0)
    others = CELL | {"seed": 7}
    claim = Claims().take(store.file_of(others))
    seen = []

    def work(cell):
        raise ArithmeticError("no number")

    def progress(name, done, total):
        seen.append((done, total))
        if len(seen) == 3:  # after a first round, in which all but that cell is done
            store.put(others, RESULT)
            Claims().give_back(claim)

    with stages.Stages(store, work, 1, progress) as found:
        found.compute("a stage", [CELL, OTHER, others])
    assert seen == [(1, 3), (2, 3), (2, 3), (3, 3)]
    assert [cell for cell, _ in found.failures] == [OTHER]


def test_a_folder_in_use_can_be_joined_where_that_is_asked_for(store):  # noqa: F811
    from tfadaopt.experiments import configs

    joined = Store(store.folder).open("lecture", configs.lecture(), "other", join=True)
    assert joined.describe()["command"] == "tfadaopt run lecture"
    assert joined.has(CELL)
    joined.abandon()  # it is not its own to take back
    joined.close()
    other = configs.override(configs.lecture(), {"epochs": "1"})
    with pytest.raises(configs.ConfigError, match="epochs"):
        Store(store.folder).open("lecture", other, "other", join=True)
    assert store.has(CELL)
    with pytest.raises(configs.ConfigError, match="--join"):
        opened(store.folder)


def test_what_others_write_is_left_alone_by_who_joins(store):  # noqa: F811
    cells = store.folder / "cells"
    claim = Claims().take(cells / "x.json")
    part = cells / "x.json.0011.part"
    part.touch()
    claims.clear(cells)
    assert part.exists()
    Claims().give_back(claim)
    claims.clear(cells)
    assert not part.exists()
    of_finished = Claims().take(store.file_of(CELL))
    claims.clear(cells)
    assert not of_finished.exists()


def test_a_trial_keeps_what_its_runs_say_but_the_curves():
    result = {"validation": {"loss": 0.5}, "test": None, "diverged": "time", "stopped": "time"}
    epochs = [{"epoch": i, "step": 2 * i, "seconds": 0.5, "loss": 1.0} for i in (1, 2, 3)]
    run = trials._without_curves(trials.Run({}, {**result, "epochs": epochs}, None))
    assert {**run.result, "epochs": None} == {**result, "epochs": None}
    assert run.result["epochs"] == [{**epochs[-1], "seconds": 1.5}]
    assert costs.spent([run]) == costs.spent([trials.Run({}, {**result, "epochs": epochs}, None)])

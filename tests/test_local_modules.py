"""What belongs to a user's problem: the modules beside its file that it imports."""

import sys
from pathlib import Path

import pytest

from tests.support.comparisons import HEAD, finished_comparison, valley, write
from tfadaopt.experiments.compare import check as compare_check
from tfadaopt.experiments.compare import comparison, local_modules, problem
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.store import Store

FILES = {
    "layers.py": "import deep.inner\nUNITS = 1",
    "deep/__init__.py": "",
    "deep/inner.py": "from . import beside\nfrom .beside import X",
    "deep/beside.py": "import mine\nX = 1",
    "inside.py": "def f():\n    import late\n    from . import nothing",
    "late.py": "",
    "unused.py": "",
    "broken.py": "def (",
}
IMPORTS = "\nfrom layers import UNITS\nimport inside, os, keras.layers\n"


@pytest.fixture
def file(tmp_path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return write(tmp_path, IMPORTS)


def test_modules_that_are_imported_are_found_without_running_them(file, tmp_path):
    found = {str(path.relative_to(tmp_path)) for path in local_modules.local_modules(file)}
    assert found == set(FILES) - {"unused.py", "broken.py"}
    file.write_text(file.read_text() + "import broken\n")
    assert tmp_path / "broken.py" in local_modules.local_modules(file)


@pytest.mark.parametrize("name", ["layers.py", "deep/beside.py", "late.py"])
def test_a_change_of_one_is_a_change_of_the_problem(name, file, tmp_path):
    before = problem.digest(file)
    (tmp_path / "unused.py").write_text("changed = 1")
    assert problem.digest(file) == before
    (tmp_path / name).write_text(FILES[name] + "\nchanged = 1")
    assert problem.digest(file) != before


def test_a_file_alone_has_its_own_digest(tmp_path):
    path = write(tmp_path)
    assert problem.digest(path) == local_modules.digest_of(path)
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        local_modules.digest_of(tmp_path)


def test_results_of_another_module_are_refused_by_name(file, tmp_path):
    config = comparison.settings(file, ["SGD"])
    Store(tmp_path / "out").open("compare", config, "").close()
    (tmp_path / "layers.py").write_text("UNITS = 2")
    with pytest.raises(ConfigError, match="or a module that it imports, has changed since"):
        Store(tmp_path / "out").open("compare", comparison.settings(file, ["SGD"]), "")


def test_what_only_running_shows_is_noted_and_checked(tmp_path, monkeypatch):
    """A module whose name is in no import statement."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "hidden_module_of_a_test.py").write_text("UNITS = 1")
    more = "\nimport importlib\nimportlib.import_module('hidden_module_of_' + 'a_test')\n"
    path = write(tmp_path, more)
    found = compare_check.check(path, vars(comparison.settings(path, ["SGD"])))
    assert "hidden_module_of_a_test.py" in found["modules"]
    assert not [name for name in found["modules"] if "/keras/" in name or "tfadaopt/" in name]

    (tmp_path / "run").mkdir()
    config, store = finished_comparison(tmp_path / "run", valley, trials=1, seeds=1)
    looked_at = store.get(comparison.check_cell(config))
    digest = found["modules"]["hidden_module_of_a_test.py"]
    store.put(
        comparison.check_cell(config),
        looked_at | {"modules": {"../hidden_module_of_a_test.py": digest}},
    )
    comparison.check_modules(config, store)
    (tmp_path / "hidden_module_of_a_test.py").write_text("UNITS = 2")
    with pytest.raises(problem.ProblemError, match=r"hidden_module_of_a_test\.py.* has changed"):
        comparison.check_modules(config, store)


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path):
    path = write(tmp_path)
    digest = problem.digest(path)
    path.write_text(HEAD + "\n# changed")
    with pytest.raises(problem.ProblemError, match="was changed while the comparison runs"):
        compare_check.loaded(path, digest)


@pytest.mark.parametrize(
    "more",
    [
        "old = model\ndef model():\n    net = old()\n    net.trainable = False\n"
        "    net.compile(loss='mse')\n    return net",
        "def model():\n    x = keras.layers.Input([2])\n    net = keras.Model(x, 2 * x)\n"
        "    net.compile(loss='mse')\n    return net",
    ],
    ids=["frozen", "no weights"],
)
def test_a_model_without_weights_to_train_is_told(more, tmp_path):
    path = write(tmp_path, more)
    with pytest.raises(problem.ProblemError, match=r"no weights to train.*trainable = True"):
        compare_check.check(path, vars(comparison.settings(path, ["SGD"])))

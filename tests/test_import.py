"""What importing costs and gives: lazy names, registration with Keras, metadata."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import keras
import numpy as np
import pytest
from packaging.requirements import Requirement

import tfadaopt

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = tuple(ROOT / name for name in ("tfadaopt", "callbacks", "experiments"))
LAZY_PACKAGES = ("tfadaopt", "tfadaopt.callbacks")


def python(code: str, *arguments: str | Path, cwd: Path) -> str:
    """Run code in a fresh process, away from the project's folders, and return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    ).stdout


@pytest.mark.parametrize("module", [*LAZY_PACKAGES, "tfadaopt.experiments.cli.commands"])
def test_importing_does_not_wait_for_tensorflow(module, tmp_path):
    loaded = python(f"import sys, {module}; print(*sys.modules)", cwd=tmp_path).split()
    assert module in loaded
    assert not {"keras", "tensorflow", "jax", "matplotlib"} & set(loaded)


@pytest.mark.parametrize("package", [*LAZY_PACKAGES, "tfadaopt.optimizers"])
def test_public_names_are_listed_and_load(package):
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None, name


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        pytest.param("import tfadaopt.optimizers.base", marks=pytest.mark.audit),
        "from tfadaopt.optimizers import Adagrad, Optimizer",
        pytest.param("from tfadaopt.optimizers.adagrad import Adagrad", marks=pytest.mark.audit),
        "import tfadaopt.compat",
        pytest.param("import tfadaopt.effective", marks=pytest.mark.audit),
        "import tfadaopt.callbacks.recorder",
        pytest.param("from tfadaopt.callbacks import OptimizerMonitor", marks=pytest.mark.audit),
    ],
)
def test_any_module_may_be_the_first_that_is_imported(line, tmp_path):
    python(line, cwd=tmp_path)


@pytest.mark.parametrize("package", [*LAZY_PACKAGES, "tfadaopt.optimizers"])
def test_an_unknown_name_is_answered_with_the_known_ones(package):
    module = importlib.import_module(package)
    with pytest.raises(AttributeError) as error:
        _ = module.AdaGard
    assert "'AdaGard'" in str(error.value)
    for name in module.__all__:
        assert repr(name) in str(error.value)


@pytest.mark.parametrize("package", LAZY_PACKAGES)
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("import math; math.no_such_number", "has no attribute 'no_such_number'"),
        ("from math import no_such_number", "cannot import name 'no_such_number' from 'math'"),
        ("import no_such_package", "No module named 'no_such_package'"),
    ],
)
def test_a_module_that_fails_to_import_says_why(package, line, why, tmp_path, monkeypatch):
    # Python takes an AttributeError for a name that is not there: "cannot import name 'Adagrad'".
    (tmp_path / "fails_on_import.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(package)
    monkeypatch.setitem(module._MODULE_OF, "Adagrad", "fails_on_import")
    with pytest.raises(ImportError, match=re.escape(why)):
        exec(f"from {package} import Adagrad")
    with pytest.raises(ImportError, match=re.escape(why)):
        _ = module.Adagrad


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Adagrad", "callbacks.OptimizerMonitor", "optimizers"])
def test_a_class_that_keras_lacks_is_named(name, tmp_path):
    code = f"""
import keras
del keras.optimizers.SGD
import importlib
try:
    import tfadaopt
    package, _, last = "tfadaopt.{name}".rpartition(".")
    exec(f"from {{package}} import {{last}}")
except Exception as error:
    print(type(error).__name__, error)
"""
    answer = python(code, cwd=tmp_path)
    assert "SGD" in answer
    assert "cannot import name" not in answer


@pytest.mark.parametrize("package", LAZY_PACKAGES)
def test_static_tools_see_the_names_that_load(package):
    # Under TYPE_CHECKING stands a second list of the lazy names: nothing else keeps it in step.
    module = importlib.import_module(package)
    tree = ast.parse(Path(module.__file__).read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n))
    seen = {alias.name: statement.module for statement in block.body for alias in statement.names}
    eager = {alias.name for n in tree.body if isinstance(n, ast.ImportFrom) for alias in n.names}
    assert set(seen) == set(module.__all__) - eager
    for name, origin in seen.items():
        assert getattr(module, name) is getattr(importlib.import_module(origin), name)


def test_every_method_is_public():
    assert {method.name for method in tfadaopt.methods()} <= set(tfadaopt.__all__)


def test_metadata():
    assert tfadaopt.__version__ == importlib.metadata.version("tfadaopt")
    requirements = map(Requirement, importlib.metadata.requires("tfadaopt"))
    always = {r.name for r in requirements if r.marker is None or "extra" not in str(r.marker)}
    assert always == {"keras", "numpy", "tensorboard", "tensorflow"}


def test_no_file_is_imported_under_two_names():
    # Two names would mean two classes: isinstance and Keras' registry would tell them apart. The
    # doctests of all modules are collected by path, through the symlinks, before this test runs.
    names = defaultdict(set)
    for name, module in list(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or "").resolve()
        if any(file.is_relative_to(folder) for folder in FOLDERS):
            names[file].add(name)
    assert {"tfadaopt", "tfadaopt.callbacks"} <= set().union(*names.values())
    assert [found for found in names.values() if len(found) > 1] == []


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory) -> Path:
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
    model.compile(optimizer=tfadaopt.Adagrad(0.25), loss="mse")
    model.fit(np.ones([4, 2]), np.zeros([4, 1]), batch_size=2, verbose=0)
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("imports", ["import tfadaopt, keras", "import keras, tfadaopt"])
def test_a_saved_model_loads_without_custom_objects(imports, saved_model, tmp_path):
    code = f"""
import sys
{imports}
optimizer = keras.models.load_model(sys.argv[1]).optimizer
print(keras.saving.get_registered_name(type(optimizer)))
print(float(optimizer.learning_rate), int(optimizer.iterations))
print(isinstance(optimizer, tfadaopt.Adagrad))
"""
    answer = python(code, saved_model, cwd=tmp_path)
    assert answer.split() == ["tfadaopt>Adagrad", "0.25", "2", "True"]


def test_the_process_of_the_tests_runs_the_checkout():
    # With a copy installed elsewhere, all the other tests would test that copy.
    assert Path(tfadaopt.__file__).resolve() == ROOT / "tfadaopt" / "__init__.py"
    assert Path(tfadaopt.callbacks.__file__).resolve() == ROOT / "callbacks" / "__init__.py"
    experiments = Path(tfadaopt.experiments.__file__).resolve()
    assert experiments == ROOT / "experiments" / "__init__.py"

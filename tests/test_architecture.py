"""The rules of the layout: which way imports point, who may be private, what a method must have."""

import ast
import graphlib
import importlib
import importlib.metadata
import inspect
import io
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import keras
import pytest
from docutils.core import publish_doctree
from packaging.requirements import Requirement

import tfadaopt

ROOT = Path(__file__).resolve().parents[1]
FOLDER_OF = {
    "tfadaopt.callbacks": ROOT / "callbacks",
    "tfadaopt.experiments": ROOT / "experiments",
    "tfadaopt.optimizers": ROOT / "tfadaopt" / "optimizers",
    "tfadaopt.testing": ROOT / "tfadaopt" / "testing",
}
# Extras whose packages the experiments import, each only where it is asked for.
OF_EXPERIMENTS = ("experiments", "optuna", "parquet", "ray")
# A module imports from its own layer and from those before it.
LAYERS = (
    ("tfadaopt", "tfadaopt.catalog", "tfadaopt.compat", "tfadaopt.lazy"),
    ("tfadaopt.optimizers",),
    (
        *("tfadaopt.gradients", "tfadaopt.keras_readers", "tfadaopt.reader", "tfadaopt.readers"),
        *("tfadaopt.effective", "tfadaopt.averages", "tfadaopt.rate_finder"),
        *("tfadaopt.around", "tfadaopt.lookahead", "tfadaopt.weight_average"),
        "tfadaopt.sharpness",
    ),
    ("tfadaopt.testing",),
    ("tfadaopt.callbacks",),
    # The rooms of the experiments: problems and reports know nothing of each other.
    ("tfadaopt.experiments.configs",),
    ("tfadaopt.experiments.runs",),
    (
        *("tfadaopt.experiments.problems", "tfadaopt.experiments.reports"),
        *("tfadaopt.experiments.training", "tfadaopt.experiments.sweeps"),
    ),
    ("tfadaopt.experiments.method_map", "tfadaopt.experiments.playground"),
    (
        *("tfadaopt.experiments.trial", "tfadaopt.experiments.compare"),
        "tfadaopt.experiments.lecture",
    ),
    ("tfadaopt.experiments.claims", "tfadaopt.experiments.catalog"),
    ("tfadaopt.experiments.cli", "tfadaopt.experiments.notebook"),
    ("tfadaopt.experiments",),
    ("tests",),
)
# Rooms of one floor that need nothing of each other.
APART = (
    {
        *("tfadaopt.experiments.problems", "tfadaopt.experiments.reports"),
        "tfadaopt.experiments.training",
    },
    {"tfadaopt.experiments.method_map", "tfadaopt.experiments.playground"},
    {
        *("tfadaopt.experiments.trial", "tfadaopt.experiments.compare"),
        "tfadaopt.experiments.lecture",
    },
    {"tfadaopt.experiments.claims", "tfadaopt.experiments.catalog"},
)
LAYER_OF = {name: layer for layer, names in enumerate(LAYERS) for name in names}
# Their lists of lazy names point everywhere below; tests/test_import.py holds them.
LAZY = ("tfadaopt", "tfadaopt.callbacks")
MOST_STATEMENTS_OF_A_METHOD = 70
# Muon is three methods by its options, and steps by two more what is no matrix.
MOST_STATEMENTS_OF = {"Muon": 96}
# What lies beside the methods; pieces that several methods share are in a folder of their own.
BESIDE_METHODS = [
    *("arguments", "base", "cautious", "docstrings", "held", "incoming", "keywords"),
    *("matching", "multipliers", "rates", "restoring", "routes", "rule", "stored", "transforms"),
    "undecayed",
    *("engine", "pieces"),
]


@cache
def sources() -> dict[str, ast.Module]:
    """Syntax tree of each module of the package, by its name."""
    files = {f"tfadaopt.{p.stem}": p for p in (ROOT / "tfadaopt").glob("*.py")}
    for package, folder in FOLDER_OF.items():
        for path in folder.rglob("*.py"):
            files[".".join((package, *path.relative_to(folder).with_suffix("").parts))] = path
    return {
        name.removesuffix(".__init__"): ast.parse(path.read_text(), path)
        for name, path in sorted(files.items())
    }


def room_of(module: str) -> str:
    """Return the package or module of LAYERS that a module is part of."""
    while module not in LAYER_OF:
        parent = module.rpartition(".")[0]
        assert parent not in ("", "tfadaopt", "tfadaopt.experiments"), (
            f"{module} is in no layer: add it to LAYERS in {__file__}"
        )
        module = parent
    return module


def layer_of(module: str) -> int:
    return LAYER_OF[room_of(module)]


def origin(module: str, name: str) -> str:
    """Return the module that ``from module import name`` really needs."""
    if f"{module}.{name}" in sources():
        return f"{module}.{name}"
    if module not in LAZY:
        return module
    found = getattr(getattr(importlib.import_module(module), name), "__module__", module)
    return found if found in sources() else module


def imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield each module a tree needs, with its line; packages of other projects by top level."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    top = alias.name.partition(".")[0]
                    yield alias.name if top in ("tfadaopt", "tests") else top, node.lineno
            case ast.ImportFrom(module=module, names=names, level=0):
                if module.partition(".")[0] == "tfadaopt":
                    for alias in names:
                        yield origin(module, alias.name), node.lineno
                else:
                    yield module.partition(".")[0], node.lineno
            case ast.ImportFrom():
                raise AssertionError(f"line {node.lineno}: relative import; write tfadaopt.…")
            case ast.Attribute(value=ast.Name(id="tfadaopt"), attr=name):
                yield origin("tfadaopt", name), node.lineno


def arrows() -> Iterator[tuple[str, str, int]]:
    """Yield (module, module or foreign package it imports, line)."""
    for name, tree in sources().items():
        if name not in LAZY:
            for target, line in imported(tree):
                yield name, target, line


def test_imports_point_one_way():
    wrong = [
        f"{name}:{line} imports {target}"
        for name, target, line in arrows()
        if target.partition(".")[0] in ("tfadaopt", "tests") and layer_of(target) > layer_of(name)
    ]
    assert wrong == []


def test_rooms_of_one_floor_do_not_need_each_other():
    wrong = [
        f"{name}:{line} imports {target}"
        for name, target, line in arrows()
        if target in sources()
        for apart in APART
        if {room_of(name), room_of(target)} <= apart and room_of(name) != room_of(target)
    ]
    assert wrong == []


def test_no_two_modules_need_each_other():
    graph = {}
    for name, target, _ in arrows():
        if target in sources() and target not in LAZY:
            graph.setdefault(name, set()).add(target)
    assert list(graphlib.TopologicalSorter(graph).static_order())  # a cycle raises CycleError


def test_the_scan_sees_imports():
    found = {(name, target) for name, target, _ in arrows()}
    assert ("tfadaopt.optimizers.base", "keras") in found
    assert ("tfadaopt.effective", "tfadaopt.compat") in found
    assert ("tfadaopt.optimizers.adagrad", "tfadaopt.optimizers.base") in found
    text = "import tfadaopt\nfrom tfadaopt import Adagrad, callbacks\nx = tfadaopt.accumulators"
    assert {target for target, _ in imported(ast.parse(text))} == {
        "tfadaopt",
        "tfadaopt.optimizers.adagrad",
        "tfadaopt.callbacks",
        "tfadaopt.effective",
    }


def test_other_packages_are_dependencies():
    # The extras are for experiments only: `pip install tfadaopt` must be enough for the rest.
    # TensorFlow requires wrapt, TensorBoard werkzeug, pydantic typing_extensions, Jinja markupsafe.
    always, extras = {"wrapt", "werkzeug"}, {"typing_extensions", "markupsafe"}
    for requirement in map(Requirement, importlib.metadata.requires("tfadaopt")):
        if requirement.marker is None:
            always.add(requirement.name)
        elif any(requirement.marker.evaluate({"extra": name}) for name in OF_EXPERIMENTS):
            extras.add(requirement.name)
    wrong = [
        f"{name}:{line} imports {target}"
        for name, target, line in arrows()
        if target not in {"tfadaopt", *sys.stdlib_module_names, *always}
        and not target.startswith("tfadaopt.")
        and not (target in extras and name.startswith("tfadaopt.experiments"))
    ]
    assert wrong == []


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


@pytest.fixture(scope="module")
def private_names_of_keras() -> set[str]:
    """Names with a leading underscore of the objects of Keras that this package handles."""
    variable = keras.Variable([1.0])
    optimizer = keras.optimizers.SGD()
    optimizer.build([variable])
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), loss="mse")
    schedule = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 1.0)
    objects = variable, optimizer, model, *model.layers, model.optimizer, schedule
    return {n for x in (*objects, keras.callbacks.Callback()) for n in dir(x) if is_private(n)}


def defined_by(tree: ast.ClassDef) -> set[str]:
    """Names that a class gives its instances: methods, class attributes, what it stores in self."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name):
                names.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
    return names


def private_uses(tree: ast.AST, forbidden: set[str]) -> Iterator[tuple[str, int]]:
    """Yield each use of a forbidden name, and of a private module of Keras, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) if name in forbidden:
                yield name, node.lineno
            case ast.Constant(value=str(name)) if name in forbidden:
                yield name, node.lineno
            case ast.FunctionDef(name=name) if name in forbidden:
                yield name, node.lineno
            case ast.Import(names=names):
                for alias in names:
                    if is_private_module(alias.name):
                        yield alias.name, node.lineno
            case ast.ImportFrom(module=str(module), names=names):
                for alias in names:
                    if is_private_module(f"{module}.{alias.name}"):
                        yield f"{module}.{alias.name}", node.lineno
            case ast.Attribute(value=ast.Name(id="keras"), attr="src"):
                yield "keras.src", node.lineno


def is_private_module(name: str) -> bool:
    top, *rest = name.split(".")
    internal = ("src", "python") if top in ("keras", "tensorflow") else ()
    return bool(internal) and any(part in internal or is_private(part) for part in rest)


def private_uses_in_module(name: str, tree: ast.Module, forbidden: set[str]) -> set:
    """Uses in one module. A class of ours that is not of Keras' kind may have names of its own."""
    uses = set(private_uses(tree, forbidden))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            cls = getattr(importlib.import_module(name), node.name)
            if not any(base.__module__.partition(".")[0] == "keras" for base in cls.__mro__):
                uses -= set(private_uses(node, forbidden & defined_by(node)))
    return uses


def test_only_compat_touches_private_names_of_keras(private_names_of_keras):
    wrong = [
        f"{name}:{line} uses {private}"
        for name, tree in sources().items()
        if name != "tfadaopt.compat"
        for private, line in private_uses_in_module(name, tree, private_names_of_keras)
    ]
    assert wrong == []


def test_the_scan_sees_private_names(private_names_of_keras):
    assert {"_iterations", "_learning_rate", "_get_variable_index"} <= private_names_of_keras
    compat = private_uses(sources()["tfadaopt.compat"], private_names_of_keras)
    assert {name for name, _ in compat} >= {"_learning_rate", "_trainable_variables"}
    text = "import keras.src.x\nfrom keras import src\nkeras.src.y\ngetattr(v, '_iterations')"
    assert len(set(private_uses(ast.parse(text), private_names_of_keras))) == 4


def test_a_method_is_one_short_file():
    longest = {}
    for method in tfadaopt.methods():
        path = ROOT.joinpath(*method.module.split(".")).with_suffix(".py")
        assert path.parent == ROOT / "tfadaopt" / "optimizers"
        statements = [n for n in ast.walk(sources()[method.module]) if isinstance(n, ast.stmt)]
        if len(statements) > MOST_STATEMENTS_OF.get(method.name, MOST_STATEMENTS_OF_A_METHOD):
            longest[method.name] = len(statements)
        classes = [n.name for n in sources()[method.module].body if isinstance(n, ast.ClassDef)]
        assert classes == [method.name]
    assert longest == {}


def test_a_method_is_public_and_registered():
    for method in tfadaopt.methods():
        assert getattr(tfadaopt, method.name) is method.cls
        assert keras.saving.get_registered_object(f"tfadaopt>{method.name}") is method.cls


def test_every_optimizer_is_in_the_catalog():
    parts = (name.split(".") for name in sources() if name.startswith("tfadaopt.optimizers."))
    modules = {".".join(part[:3]) for part in parts}
    catalog = {method.module for method in tfadaopt.methods()}
    assert modules - catalog == {f"tfadaopt.optimizers.{name}" for name in BESIDE_METHODS}


PUBLIC = [
    (f"{package.__name__}.{name}", getattr(package, name))
    for package in (tfadaopt, tfadaopt.callbacks, tfadaopt.testing)
    for name in package.__all__
    if inspect.isclass(getattr(package, name)) or inspect.isfunction(getattr(package, name))
]


def has_arguments(cls: type) -> bool:
    return cls.__init__ is not object.__init__ and not getattr(cls, "_is_protocol", False)


def missing_in_docstring(thing) -> set[str]:
    """Sections that the docstring of a public class or function should have, and has not."""
    parts = {"Example:"}
    if inspect.isclass(thing):
        parts |= {"Args:", "Raises:"} if has_arguments(thing) else set()
    elif inspect.signature(thing).parameters:
        parts |= {"Args:", "Returns:", "Raises:"}
    if thing in {method.cls for method in tfadaopt.methods()}:
        parts |= {"Source:"}
    made = tfadaopt.Method, tfadaopt.RateSweep, tfadaopt.testing.Outcome, tfadaopt.testing.Report
    if thing in made or (inspect.isclass(thing) and issubclass(thing, Exception)):
        parts = set()  # users get these, and never make one
    missing = parts - {line.strip() for line in thing.__doc__.splitlines()}
    return missing | ({">>>"} if "Example:" in parts and ">>> " not in thing.__doc__ else set())


def test_a_docstring_is_enough():
    assert {name: m for name, thing in PUBLIC if (m := missing_in_docstring(thing))} == {}
    assert len(PUBLIC) > 60


COMMON = ("weight_decay", "clipnorm", "nonfinite", "lazy_rows", "jit_compile", "name")


def test_help_shows_the_keywords_that_all_take():
    for method in tfadaopt.methods():
        doc, own = method.cls.__doc__, vars(importlib.import_module(method.module))
        for name in {*inspect.signature(own[method.name]).parameters, *COMMON} - {"kwargs"}:
            times = len(re.findall(rf"^ +{name}: ", doc, re.MULTILINE))
            assert times == 1, f"{method.name} explains {name} {times} times"
        assert "**kwargs" not in doc


DOCSTRINGS = [
    (f"{module}.{getattr(node, 'name', '')}", doc)
    for module, tree in sources().items()
    for node in ast.walk(tree)
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    if (doc := ast.get_docstring(node))
]


@pytest.mark.slow
def test_docstrings_parse():
    """As reStructuredText; but for the sections with arguments, whose indents are Google's."""
    said = io.StringIO()
    settings = {"report_level": 3, "halt_level": 5, "warning_stream": said}
    for name, doc in DOCSTRINGS:
        publish_doctree(doc, source_path=name, settings_overrides=settings)
    errors = re.findall(r"^(\S+):\d+: \(ERROR/3\) (.*)", said.getvalue(), re.MULTILINE)
    assert [error for error in errors if error[1] != "Unexpected indentation."] == []
    assert len(DOCSTRINGS) > 600


def test_every_module_says_what_it_is_for():
    assert [name for name, tree in sources().items() if not ast.get_docstring(tree)] == []


def test_types_are_strict_in_modules_that_exist():
    text = (ROOT / "pyproject.toml").read_text()  # Python 3.10 has no tomllib
    (strict,) = re.findall(r"module = \[([^]]*)\]\ndisallow_any_generics = true", text)
    names = re.findall(r'"([\w.]+?)(?:\.\*)?"', strict)
    assert len(names) > 20
    assert set(names) - sources().keys() == set()


def test_no_drawer_for_everything_and_nothing_left_undone():
    folders = "tfadaopt", "callbacks", "experiments", "tests", "benchmarks"
    files = [p for folder in folders for p in (ROOT / folder).rglob("*.py")]
    assert len(files) > len(sources())
    assert [p for p in files if p.stem in ("utils", "util", "helpers", "misc")] == []
    marks = "TO" + "DO", "FIX" + "ME", "XX" + "X"
    others = (ROOT / name for name in ("Makefile", "README.md", "pyproject.toml"))
    assert [p for p in (*files, *others) if any(mark in p.read_text() for mark in marks)] == []


def test_nothing_that_is_read_can_run_a_program():
    """Neither pickle nor its kin, no text as a program, no shell; arrays without objects."""
    modules = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    calls = {"eval", "exec", "os.system", "os.popen", "keras.config.enable_unsafe_deserialization"}
    # An error that a worker met, and a function of one's own that it is to call, on their way
    # between it and its parent: nobody else writes there, and no file comes of it.
    found, allowed = [], [("tfadaopt.experiments.runs.worker", "pickle")]
    allowed.append(("tfadaopt.experiments.sweeps.sweep", "cloudpickle"))
    for module, tree in sources().items():
        found += [(module, name) for name, _ in imported(tree) if name.split(".")[0] in modules]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                given = {word.arg: ast.unparse(word.value) for word in node.keywords}
                unsafe = name in calls or given.get("safe_mode") == "False"
                unsafe |= given.get("shell") == "True" or given.get("allow_pickle") == "True"
                unsafe |= name in ("np.load", "numpy.load") and "allow_pickle" not in given
                found += [(module, name)] if unsafe else []
    assert found == allowed

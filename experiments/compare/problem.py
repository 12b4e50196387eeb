"""A user's own problem, a Python file with ``model()`` and ``data()``, or one that has a name."""

import hashlib
import importlib.util
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadaopt.experiments.compare.local_modules import digest_of, local_modules
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.problems.images import named

SHAPE = (
    "It needs two functions: model() returns a compiled keras.Model, data() returns "
    "(train, validation) or (train, validation, test)."
)


class ProblemError(ConfigError):
    """The file of a problem is missing, fails, or does not give what is needed."""


@dataclass(frozen=True)
class Problem:
    """The two functions of a problem."""

    model: Callable[[], object]
    data: Callable[[], object]


def digest(path: Path) -> str:
    """Return the SHA-256 of a problem's file and the modules beside it that it imports.

    So results of another version are not mixed in. Of a problem that has a name, it is of the files
    that all of them are made of.

    Raises:
        ProblemError: There is no such file.
    """
    if str(path) in named.NAMED:
        return named.digest()
    try:
        found = path.is_file()
    except OSError as error:  # a name that is too long
        raise ProblemError(f"{str(path)[:80]}…: {error.strerror}. Give a Python file.") from None
    if not found:
        raise ProblemError(
            f"{path} is no file. Give a Python file. {SHAPE} Or name one of "
            f"{', '.join(named.NAMED)}."
        )
    modules = local_modules(path)
    if not modules:
        return digest_of(path)
    root = path.resolve().parent
    parts = {str(module.relative_to(root)): digest_of(module) for module in modules}
    parts[""] = digest_of(path)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def load(path: Path) -> Problem:
    """Import the file of a problem and return its two functions.

    Modules beside the file can be imported from it, as when Python runs it. A name of
    ``named.NAMED`` is no file: ``./digits`` would be.

    Raises:
        ProblemError: The file is missing, fails, or lacks a function.
    """
    digest(path)
    if str(path) in named.NAMED:
        known = named.NAMED[str(path)]
        return Problem(known.model, known.data)
    name = f"tfadaopt_problem_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ProblemError(f"{path} is no Python file (.py). {SHAPE}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ProblemError(f"{path} cannot be imported: {described(error, path)}") from error
    for function in ("model", "data"):
        found = getattr(module, function, None)
        if not callable(found):
            raise ProblemError(f"{path} has no function {function}(). {SHAPE}")
        needed = [
            parameter.name
            for parameter in inspect.signature(found).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        if needed:
            raise ProblemError(
                f"{path}: {function}() is called without arguments, but asks for "
                f"{', '.join(needed)}; give {'them defaults' if needed[1:] else 'it a default'}."
            )
    return Problem(module.model, module.data)


def described(error: BaseException, path: Path) -> str:
    """Return an error in a line, with the last line of the user's file that led to it."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    lineno, text = lines[-1] if lines else None, str(error)
    if isinstance(error, SyntaxError):
        lineno, text = error.lineno, error.msg
    place = f" (line {lineno})" if lineno else ""
    return f"{type(error).__name__}: {text}{place}"


def made_model(problem: Problem, path: Path) -> Any:
    """Return a new model of the problem.

    Raises:
        ProblemError: ``model()`` fails, or returns no compiled model.
    """
    import keras

    try:
        model = problem.model()
    except Exception as error:
        raise ProblemError(f"{path}: model() failed: {described(error, path)}") from error
    if not isinstance(model, keras.Model):
        kind = type(model)
        raise ProblemError(
            f"{path}: model() returned a {kind.__module__}.{kind.__qualname__}, not a keras.Model; "
            "end it with: return model."
        )
    if not model.compiled:
        raise ProblemError(
            f"{path}: model() returned a model that is not compiled. Call model.compile(optimizer, "
            "loss, metrics) in it: its loss and metrics are used, its optimizer is replaced."
        )
    return model

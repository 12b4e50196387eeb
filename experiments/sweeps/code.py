"""What a function does, as a digest: results of another function are other results."""

import hashlib
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def digest(function: Callable[..., Any]) -> str:
    """Return a short digest of a function, and of those of its module that it calls.

    The byte code counts, with constants and with what it has around it that is plain: names of
    files, lines and comments do not. What is imported from elsewhere does not count either.

    Example:
        >>> digest(lambda rate: rate**2) == digest(lambda rate: rate**2)
        True
        >>> digest(lambda rate: rate**2) == digest(lambda rate: rate**3)
        False
    """
    found = hashlib.sha256()
    waiting, known = [function], {id(function)}
    while waiting:
        part = waiting.pop()
        code = getattr(part, "__code__", None)
        if code is None:  # A class, or a partial: its name has to do.
            found.update(f"{getattr(part, '__module__', '')}.{part!r}".encode())
            continue
        for text in (*_of_code(code), repr(part.__defaults__), *_around(part)):
            found.update(f"{text}\n".encode())
        for called in _functions_called(part):
            if id(called) not in known:
                known.add(id(called))
                waiting.append(called)
    return found.hexdigest()[:16]


def _of_code(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _of_code(constant)
        else:
            yield repr(constant)


def _around(function: Any) -> Iterator[str]:
    """Yield the plain values that a function takes from around it, by name."""
    names = function.__code__.co_freevars
    cells = zip(names, function.__closure__ or (), strict=True)
    values = {name: cell.cell_contents for name, cell in cells}
    values |= {name: function.__globals__.get(name) for name in _names(function.__code__)}
    for name in sorted(values):
        if isinstance(values[name], (*_PLAIN, tuple, list, dict)):
            yield f"{name}={values[name]!r}"


def _functions_called(function: Any) -> Iterator[FunctionType]:
    for name in sorted(_names(function.__code__)):
        called = function.__globals__.get(name)
        if isinstance(called, FunctionType) and called.__module__ == function.__module__:
            yield called


def _names(code: CodeType) -> set[str]:
    inner = [_names(each) for each in code.co_consts if isinstance(each, CodeType)]
    return set(code.co_names).union(*inner)

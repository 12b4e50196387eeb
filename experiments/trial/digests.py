"""A digest of a rule: of the words, the code and the thresholds that decide."""

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType


def digest(words: Sequence[str], decide: Callable, limits: Mapping[str, float]) -> str:
    """Return a short digest of a rule.

    Args:
        words: The rule in words.
        decide: The rule as a function; functions of its file that it calls belong to it.
        limits: Its thresholds.
    """
    every = [*words, *map(_spoken, _parts(decide))]
    content = json.dumps([every, dict(limits)], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _parts(function: Callable) -> Iterator[Callable]:
    """Yield a function and the functions of its file that it calls, each once."""
    waiting, known = [function], {function}
    while waiting:
        part = waiting.pop()
        yield part
        for name in sorted(_names(part.__code__) & set(part.__globals__)):
            called = part.__globals__[name]
            own = inspect.isfunction(called) and called.__module__ == part.__module__
            if own and called not in known:
                known.add(called)
                waiting.append(called)


def _names(code: CodeType) -> set[str]:
    """Return the names that a function uses, those inside its comprehensions included."""
    inner = [_names(const) for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*inner)


def _spoken(function: Callable) -> str:
    """Return the code of a function without its layout and comments."""
    return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))

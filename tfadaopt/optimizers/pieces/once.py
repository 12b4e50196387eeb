"""Numbers of a step that are the same for all variables: found once, not once for each of them."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

# What was found in the step that is done or traced now; None: in none.
_FOUND: ContextVar[dict[tuple[Any, ...], tuple[Any, ...]] | None] = ContextVar(
    "found", default=None
)


@contextmanager
def one_step() -> Iterator[None]:
    """Within it, a function that is decorated by ``once`` answers equal questions once."""
    token = _FOUND.set({})
    try:
        yield
    finally:
        _FOUND.reset(token)


def once(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Decorate a function of numbers of the step, such as t, and of settings, such as β.

    Tensors and variables are told apart by what they are, all else by its value; what was found
    in one graph is not used in another, such as in a branch.
    """

    @functools.wraps(function)
    def found(*args: Any) -> tf.Tensor:
        known = _FOUND.get()
        if known is None:
            return function(*args)
        graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        key = (function, id(graph), *(x if _is_setting(x) else id(x) for x in args))
        if key not in known:
            # Kept with the answer, so that no other object gets an id that is in use.
            known[key] = function(*args), graph, args
        return known[key][0]

    return found


def _is_setting(x: Any) -> bool:
    return isinstance(x, bool | int | float | str)

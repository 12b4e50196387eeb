"""The parts of a user's data: tuples of arrays, or data sets that yield batches."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfadaopt.experiments.compare.problem import Problem, ProblemError, described


def made_data(problem: Problem, path: Path) -> dict[str, Any]:
    """Return the data of the problem: "train", "validation", and "test" where there is one.

    Raises:
        ProblemError: ``data()`` fails, or returns something else.
    """
    try:
        parts = problem.data()
    except Exception as error:
        raise ProblemError(f"{path}: data() failed: {described(error, path)}") from error
    if not isinstance(parts, tuple | list) or len(parts) not in (2, 3):
        got = f"{len(parts)} parts" if isinstance(parts, tuple | list) else type(parts).__name__
        raise ProblemError(
            f"{path}: data() returned {got}; return (train, validation) or (train, validation, "
            "test), each of them (x, y) or a tf.data.Dataset."
        )
    named = dict(zip(("train", "validation", "test"), parts, strict=False))
    for name, part in named.items():
        check_part(path, name, part)
    return named


def is_arrays(part: Any) -> bool:
    """Whether a part of the data is a tuple of arrays, not a data set that yields batches."""
    return isinstance(part, tuple | list)


def arguments(part: Any) -> tuple[Any, ...]:
    """Return a part of the data as the arguments of ``fit`` and ``evaluate``."""
    return tuple(part) if is_arrays(part) else (part,)


def first_batch(train: Any, batch_size: int) -> Any:
    """Return the first batch as a part of its own: arrays, or a data set of one batch."""
    if is_arrays(train):
        return keras.tree.map_structure(lambda array: array[:batch_size], tuple(train))
    return train.take(1) if isinstance(train, tf.data.Dataset) else [train[0][0], *train[0][1:]]


def steps_per_epoch(train: Any, batch_size: int) -> int | None:
    """Return the batches of an epoch, 0 where that is unknown, None where there is no end."""
    if is_arrays(train):
        return -(-len(keras.tree.flatten(train)[0]) // batch_size)
    batches = int(train.cardinality()) if isinstance(train, tf.data.Dataset) else train.num_batches
    if batches is None or batches == tf.data.INFINITE_CARDINALITY:
        return None
    return max(0, int(batches))


def total_steps(train: Any, settings: Mapping[str, Any]) -> int:
    """Return the steps of a run; the batches of an epoch are counted where they are unknown."""
    if settings["steps"] is not None:
        return int(settings["steps"])
    per_epoch = steps_per_epoch(train, settings["batch_size"])
    return (per_epoch or sum(1 for _ in train)) * int(settings["epochs"])


def check_part(path: Path, name: str, part: Any) -> None:
    """Check that a part of the data is something that ``fit`` takes.

    Raises:
        ProblemError: It is not; the message names the part.
    """
    if isinstance(part, keras.utils.PyDataset):
        return
    if isinstance(part, tf.data.Dataset):
        size = int(part.cardinality())
        if size == 0:
            raise ProblemError(f"{path}: data(): the {name} data set is empty.")
        if size == tf.data.INFINITE_CARDINALITY and name != "train":
            raise ProblemError(
                f"{path}: data(): the {name} data set never ends; limit it with .take(batches)."
            )
        return
    if not is_arrays(part) or len(part) not in (1, 2, 3) or any(x is None for x in part):
        raise ProblemError(
            f"{path}: data(): the {name} part is {_kind(part)}; return (x, y), (x, y, "
            "sample_weight), a tf.data.Dataset of batches, or a keras.utils.PyDataset."
        )
    lengths = {getattr(array, "shape", (None,))[0] for array in keras.tree.flatten(part)}
    if len(lengths) != 1 or not all(isinstance(n, int) and n > 0 for n in lengths):
        raise ProblemError(
            f"{path}: data(): the arrays of the {name} part have the lengths "
            f"{sorted(lengths, key=str)}; all need the same, at least 1 (NumPy arrays or tensors)."
        )


def _kind(part: Any) -> str:
    if isinstance(part, Mapping):
        return "a dictionary"
    return f"{len(part)} things" if is_arrays(part) else f"a {type(part).__name__}"

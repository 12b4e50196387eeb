"""Contracts of what is kept: in a configuration, and in files."""

import inspect
import json
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfadaopt.testing.models import BATCH, X, Y, make_model
from tfadaopt.testing.steps import apply_all, some_gradients
from tfadaopt.testing.subject import BrokenContractError, Subject, agree, require, values


def configuration(subject: Subject) -> None:
    """get_config has every argument, survives JSON, and makes an optimizer that does the same."""
    original = subject.make()
    config = original.get_config()
    written = json.loads(json.dumps(keras.optimizers.serialize(original)))
    missing = [name for name in _arguments(subject.cls) if name not in config]
    require(
        not missing,
        f"get_config() has no {', '.join(missing)}: a loaded optimizer would have the default; "
        "expected every argument of __init__.",
    )
    copies = {
        "from_config": subject.cls.from_config(original.get_config()),
        "deserialize": keras.optimizers.deserialize(written, {subject.name: subject.cls}),
    }
    steps = some_gradients(3)
    expected = values(apply_all(subject.make(), steps))
    for how, copy in copies.items():
        require(type(copy) is subject.cls, f"{how} made a {type(copy).__name__}.")
        require(
            copy.get_config() == config,
            f"{how} made one with the configuration {copy.get_config()}, expected {config}.",
        )
        agree(
            f"weights after 3 steps of the copy by {how}", values(apply_all(copy, steps)), expected
        )


def unknown_keyword(subject: Subject) -> None:
    """A misspelt keyword is refused."""
    try:
        subject.cls.from_config({**subject.copy().get_config(), "lerning_rate": 0.1})
    except (TypeError, ValueError):
        return
    raise BrokenContractError(
        f"{subject.name}(lerning_rate=0.1) was taken; expected a TypeError or ValueError."
    )


def file_before_training(subject: Subject) -> None:
    """A model saved before its first step trains as if it had not been saved."""
    model = make_model(subject.make(), run_eagerly=True)
    _same_after_loading(subject, model, first=0)


def resume(subject: Subject) -> None:
    """A model saved in mid-training goes on bit for bit, and knows its step."""
    model = make_model(subject.make(), run_eagerly=True)
    _train(model, range(3))
    _same_after_loading(subject, model, first=3)


def _same_after_loading(subject: Subject, model: keras.Model, first: int) -> None:
    known = {subject.name: subject.cls}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.models.load_model(path, custom_objects=known)
    for m in (model, loaded):
        _train(m, range(first, first + 3))
    received, expected = loaded.optimizer.iterations, model.optimizer.iterations
    require(
        int(received.numpy()) == int(expected.numpy()),
        f"the loaded optimizer has counted {int(received.numpy())} steps, expected "
        f"{int(expected.numpy())}.",
    )
    what = f"after {first} steps, saving, loading and 3 more"
    agree(f"weights {what}", values(loaded.trainable_variables), values(model.trainable_variables))
    agree(f"state {what}", values(loaded.optimizer.variables), values(model.optimizer.variables))


def _train(model: keras.Model, batches: range) -> None:
    for batch in batches:
        rows = slice(BATCH * batch, BATCH * (batch + 1))
        model.train_on_batch(np.asarray(X[rows]), Y[rows])


def _arguments(cls: type[Any]) -> list[str]:
    """Named arguments of the constructors that are not Keras' own."""
    return [
        p.name
        for p in inspect.signature(cls).parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]

"""Saved optimizers and models of others."""

import io
import json
import tempfile
import traceback
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from hypothesis import strategies as st

import tfadaopt
from tests.fuzz.changed import ARRAYS, json_of, text_of
from tfadaopt.optimizers import stored


def whole(name: str = "Adam") -> dict[str, Any]:
    """The arrays of an optimizer that has taken steps."""
    variable = keras.Variable(np.ones([2, 3], "float32"), name="kernel")
    store: dict[str, Any] = {}
    optimizer = tfadaopt.get(name)
    for _ in range(2):
        optimizer.apply([keras.ops.ones([2, 3])], [variable])
    optimizer.save_own_variables(store)
    return {key: np.asarray(value) for key, value in store.items()}


@st.composite
def states(draw, known: dict[str, Any]) -> dict[str, Any]:
    """Arrays of which one is another, or gone, or too many; or whose description says otherwise."""
    arrays = dict(known)
    for _ in range(draw(st.integers(0, 2))):
        key = draw(st.sampled_from([*known, "9", "tfadaopt", "x"]))
        if draw(st.integers(0, 3)):
            arrays[key] = draw(ARRAYS)
        else:
            arrays.pop(key, None)
    if draw(st.booleans()):
        about = draw(text_of(json.loads(known[stored.KEY].tobytes())))
        arrays[stored.KEY] = np.frombuffer(about, np.uint8)
    return arrays


def load_state(case: dict[str, Any], _: Path) -> None:
    """State is taken, or a warning says why not, or the file is damaged; then training goes on."""
    for built in (True, False):
        optimizer = tfadaopt.Adam(0.01)
        variable = keras.Variable(np.ones([2, 3], "float32"), name="kernel")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if built:
                optimizer.build([variable])
            text = "damaged"
            try:
                optimizer.load_own_variables(dict(case))
            except ValueError as error:
                text = str(error)
            assert "damaged" in text, text
            optimizer.apply([keras.ops.ones([2, 3])], [variable])
            optimizer.save_own_variables({})


def model() -> bytes:
    """A model file, small and whole."""
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input([2]), keras.layers.Dense(1, name="out")], name="net")
    transform = tfadaopt.Centralize()
    net.compile(tfadaopt.Adam(0.01, gradient_transforms=[transform]), "mse")
    net.fit(np.ones([4, 2]), np.ones([4, 1]), verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        net.save(Path(folder, "model.keras"))
        return Path(folder, "model.keras").read_bytes()


@st.composite
def models(draw, data: bytes) -> bytes:
    """A model file whose optimizer has another configuration, or other state."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if draw(st.booleans()):
        config = json.loads(parts["config.json"])
        compiled = config["compile_config"]
        compiled["optimizer"]["config"] = draw(json_of(compiled["optimizer"]["config"]))
        parts["config.json"] = json.dumps(config).encode()
    if draw(st.booleans()):
        parts["model.weights.h5"] = _other_state(draw, parts["model.weights.h5"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def _other_state(draw: Any, content: bytes) -> bytes:
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as found:
        state = found["optimizer/vars"]
        key = draw(st.sampled_from([*state, "9"]))
        if key in state:
            del state[key]
        array = draw(ARRAYS.filter(lambda a: a.dtype.kind not in "US"))
        if draw(st.booleans()):
            state[key] = array
    return file.getvalue()


def load_model(case: bytes, place: Path) -> None:
    """A model is loaded and trains, or it is refused.

    Keras reads the file, and refuses with what it likes; what is raised in our own code is one
    of the two errors that it documents for a configuration.
    """
    path = place / "model.keras"
    path.write_bytes(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = keras.models.load_model(path)
            found.fit(np.ones([4, 2]), np.ones([4, 1]), verbose=0)
        except (ValueError, TypeError):
            return
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1].filename
            if "/tfadaopt/" in last:
                raise
    keras.backend.clear_session()

"""Tests of what only a newer Keras has are skipped on older ones, which are supported too."""

import keras
import pytest


def needs(*names: str) -> pytest.MarkDecorator:
    """Skip where one of these classes of ``keras.optimizers`` is not there yet."""
    missing = [name for name in names if not hasattr(keras.optimizers, name)]
    reason = f"Keras {keras.__version__} has no {', '.join(missing)}"
    return pytest.mark.skipif(bool(missing), reason=reason)

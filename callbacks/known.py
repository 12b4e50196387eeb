"""What a stall detector must know of each variable before training begins."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfadaopt import compat, effective
from tfadaopt.callbacks.layers import paths_of
from tfadaopt.callbacks.marks import Layer
from tfadaopt.compat import Variable
from tfadaopt.readers import reader_of


def norms_of(variables: Sequence[Variable]) -> dict[str, float]:
    """‖θ‖ of each variable, by path."""
    if not variables:
        return {}
    norms = tf.stack([tf.norm(tf.cast(tf.convert_to_tensor(v), "float32")) for v in variables])
    return dict(zip(paths_of(variables), norms.numpy().tolist(), strict=True))


def layers_known(
    variables: Sequence[Variable], optimizer: Any, model: Any, norms: Mapping[str, float]
) -> dict[str, Layer]:
    """What is known of each variable, by path, once the optimizer is built.

    Args:
        variables: Variables that are trained.
        optimizer: What steps them: an optimizer, or several.
        model: The model, or what stands for one.
        norms: ‖θ‖ before the first step.
    """
    leaves = effective.leaves(optimizer)
    underflows = _is_unscaled_float16(model)
    found = {}
    for path, v in zip(paths_of(variables), variables, strict=True):
        i = _leaf(leaves, v)
        slot, power, kept = _gathers(leaves[i], v)
        found[path] = Layer(
            dtype=tf.as_dtype(v.dtype).name,
            rank=_rank(v),
            size=math.prod(int(n) for n in v.shape),
            weight_norm=norms.get(path, math.nan),
            optimizer=type(leaves[i]).__name__,
            leaf=i,
            slot=slot,
            power=power,
            kept=kept,
            epsilon=_number(leaves[i], "epsilon"),
            weight_decay=_weight_decay(leaves[i], v),
            underflows=underflows,
        )
    return found


def _leaf(leaves: list, variable: Variable) -> int:
    for i, leaf in enumerate(leaves):
        if leaf.built and compat.index_of(leaf, variable) is not None:
            return i
    return 0


def _rank(variable: Variable) -> int:
    """Axes; those of an embedding count as one: most of its rows have no gradient in a step."""
    is_table = compat.path_of(variable).rpartition("/")[2].startswith("embedding")
    return 1 if is_table else len(variable.shape)


def _gathers(leaf: Any, variable: Variable) -> tuple[str, int, float]:
    """Slot that gathers gradients, its power of them, and what it keeps in a step."""
    try:
        source = reader_of(leaf).gradient(variable)
    except Exception:  # not built, or of a kind that tells nothing
        return "", 1, 0.0
    if source is None:
        return "", 1, 0.0
    if source.power == 2 and source.kept < 1:
        # A momentum goes on without gradients, and shows sooner than squares that there are none.
        kept = _number(leaf, "beta_1") or _number(leaf, "momentum")
        if kept and "momentum" in dict(reader_of(leaf).slots(variable)):
            return "momentum", 1, kept
    return source.slot, source.power, float(source.kept)


def _weight_decay(leaf: Any, variable: Variable) -> float:
    if not leaf.built or not compat.may_decay(leaf, variable):
        return 0.0
    return _number(leaf, "weight_decay")


def _number(leaf: Any, name: str) -> float:
    """An argument of an optimizer, 0 where it has none or None."""
    found = getattr(leaf, name, None)
    return float(found) if isinstance(found, int | float) else 0.0


def _is_unscaled_float16(model: Any) -> bool:
    if isinstance(getattr(model, "optimizer", None), keras.optimizers.LossScaleOptimizer):
        return False
    layers = getattr(model, "layers", ())
    return any(getattr(layer, "compute_dtype", "") == "float16" for layer in layers)

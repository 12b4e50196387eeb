"""Which units of a model say the same whatever they are shown: activations on a probe batch."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.callbacks.layers import View
from tfadaopt.callbacks.measure import Series, Together
from tfadaopt.callbacks.sources import Before, MakeRows
from tfadaopt.callbacks.summaries import VALUE

# Whose units may be off: what is not here has none, or is a sum or a distribution.
_ACTIVATIONS = (keras.layers.Activation, keras.layers.ReLU, keras.layers.ELU)
_NO_UNITS = ("linear", "softmax", "log_softmax")


@dataclass(frozen=True, eq=False)
class Probe:
    """A batch of inputs on which activations are looked at.

    Args:
        batch: What the model is called with: an array, or a list or dictionary of arrays.

    Raises:
        ValueError: It has fewer than two examples, or none that a tensor can hold.
    """

    batch: Any
    tensors: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            tensors = tf.nest.map_structure(tf.convert_to_tensor, self.batch)
            examples = {int(x.shape[0]) for x in tf.nest.flatten(tensors)}
        except (ValueError, TypeError, IndexError) as error:
            raise ValueError(
                f"OptimizerMonitor: probe is no batch of inputs ({error}); give what the model is "
                "called with, such as x_train[:64]."
            ) from error
        if len(examples) != 1 or min(examples) < 2:
            raise ValueError(
                f"OptimizerMonitor: probe has {sorted(examples)} examples; give at least 2 (64 are "
                "good), as a unit is dead if it is the same for all of them."
            )
        object.__setattr__(self, "tensors", tensors)


@dataclass(frozen=True)
class DeadUnits:
    """Share of the units of each layer whose activation is the same in all of a probe batch.

    One forward pass of the model on the probe, as for inference, in each snapshot; nothing in the
    step that trains, so whatever XLA or ``steps_per_execution`` make of it. A ReLU that is off for
    all examples is such a unit, and a sigmoid that is saturated to the last bit. Layers without
    activation (linear, softmax) are left out; an activation layer without weights counts for the
    last layer with weights before it.

    Attributes:
        probe: The batch.
    """

    probe: Probe

    def __call__(self, view: View) -> list[Series]:
        paths = {compat.key_of(layer.variable): layer.path for layer in view.layers}
        found: dict[str, keras.layers.Layer] = {}
        path = None
        for layer in compat.layers_inside(view.model):
            if weights := layer.trainable_variables:
                own = (paths.get(compat.key_of(v)) for v in weights)
                path = next((x for x in own if x is not None), None)
            if path is not None and _has_units(layer):
                found[path] = layer
        together = Activations(view.model, self.probe, found)
        return [
            Series("dead_units", path, lambda before: tf.zeros([]), VALUE, together=together)
            for path in found
        ]


@dataclass(frozen=True, eq=False)
class Activations(Together):
    """One forward pass for the units of all layers.

    Attributes:
        model: What is called.
        probe: With what.
        layers: Whose outputs are looked at, by the path of their series.
    """

    model: Any
    probe: Probe
    layers: Mapping[str, keras.layers.Layer]

    def read(self, series: Sequence[Series], before: Before, rows: MakeRows) -> tf.Tensor:
        layers = [self.layers[s.layer] for s in series if s.layer is not None]
        with _recorded(layers) as outputs:
            self.model(self.probe.tensors, training=False)
        return tf.stack([_dead(layer, outputs[id(layer)]) for layer in layers])


def _has_units(layer: keras.layers.Layer) -> bool:
    if hasattr(layer, "state_size") and not isinstance(layer, keras.layers.RNN):
        return False  # a cell, which the layer around it calls for each place
    activation = getattr(layer, "activation", None)
    if activation is None:
        return isinstance(layer, _ACTIVATIONS)
    return getattr(activation, "__name__", "") not in _NO_UNITS


@contextmanager
def _recorded(layers: Sequence[keras.layers.Layer]) -> Iterator[dict[int, list[tf.Tensor]]]:
    """Keep what these layers return while a graph of the model is traced."""
    outputs: dict[int, list[tf.Tensor]] = {id(layer): [] for layer in layers}
    graph = tf.compat.v1.get_default_graph()

    def recording(layer: keras.layers.Layer, call: Any) -> Any:
        def record(*args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            if tf.compat.v1.get_default_graph() is graph:  # what is inside a loop stays there
                outputs[id(layer)].append(tf.nest.flatten(result)[0])
            return result

        return record

    for layer in layers:
        # Past Keras, which would track what is set.
        object.__setattr__(layer, "call", recording(layer, layer.call))
    try:
        yield outputs
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")


def _dead(layer: keras.layers.Layer, outputs: Sequence[tf.Tensor]) -> tf.Tensor:
    """Share of the units whose numbers are all the same, over examples, places and calls."""
    if not outputs:  # a layer that the model does not call, or in a loop only
        return tf.constant(float("nan"))
    first = getattr(layer, "data_format", None) == "channels_first"
    highs, lows = [], []
    for x in outputs:
        x = tf.cast(x, "float32")
        unit = 1 if first else x.shape.rank - 1
        others = [axis for axis in range(x.shape.rank) if axis != unit]
        highs.append(tf.reduce_max(x, others))
        lows.append(tf.reduce_min(x, others))
    same = tf.equal(tf.reduce_max(tf.stack(highs), 0), tf.reduce_min(tf.stack(lows), 0))
    return tf.reduce_mean(tf.cast(same, "float32"))

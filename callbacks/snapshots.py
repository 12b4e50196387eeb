"""The snapshots of one optimizer's layers: found, put together and traced once."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from tfadaopt import compat, effective
from tfadaopt.callbacks import watched as watched_by
from tfadaopt.callbacks.changes import weights_before
from tfadaopt.callbacks.clock import counter_of
from tfadaopt.callbacks.layers import Layer, View, layers_of, paths_of
from tfadaopt.callbacks.measure import Series, Snapshot
from tfadaopt.callbacks.quantities import eta_before, eta_key
from tfadaopt.callbacks.request import What
from tfadaopt.callbacks.sources import Before, Reading
from tfadaopt.lookahead import Lookahead


class Snapshots:
    """Measures layers as callbacks ask for them; what compares equal is traced once.

    Args:
        optimizer: What is watched, without wrappers.

    Attributes:
        model: The model, or what stands for one (see ``watched.Loop``); it may change.
        layers: The layers that were found.
    """

    def __init__(self, optimizer: Any):
        self._optimizer = optimizer
        self.model: Any = None
        self.layers: tuple[Layer, ...] = ()
        # What the run calls layers that have other numbers now.
        self._name_in_run: dict[str, str] = {}
        self._series: dict[What, list[Series]] = {}
        self._snapshots: dict[frozenset[What], Snapshot] = {}

    @property
    def variables(self) -> list:
        """Variables that are trained."""
        return watched_by.variables_of(self.model, self._optimizer)

    def rename(self, names: dict[str, str]) -> None:
        """Call layers as the run does that goes on."""
        self._name_in_run = names
        if names:
            self._take(())

    def find_layers(self) -> bool:
        """Look which layers there are; return whether they are others than before."""
        variables = self.variables
        layers = tuple(
            layer
            for layer in layers_of(self._optimizer, variables, self._names(variables))
            if tf.as_dtype(layer.variable.dtype).is_floating
            and not compat.is_overwritten_by_gradient(layer.variable)
            and 0 not in layer.variable.shape
        )
        if [id(x.variable) for x in layers] == [id(x.variable) for x in self.layers]:
            return False
        self._take(layers)
        return True

    def series_of(self, what: What) -> list[Series]:
        """What is read of each layer that is asked for."""
        if what not in self._series:
            steps = getattr(self.model, "steps_per_execution", 1) or 1
            given = getattr(self.model, "optimizer", None)
            around = () if given is None else effective.shells_of(given)
            lookaheads = tuple(x for x in around if isinstance(x, Lookahead))
            layers = tuple(x for x in self.layers if what.wants(x.path))
            view = View(layers, steps, lookaheads, self.model)
            self._series[what] = [s for quantity in what.quantities for s in quantity(view)]
        return self._series[what]

    def of(self, whats: Collection[What]) -> Snapshot:
        """The snapshot of all that is asked for."""
        wanted = frozenset(whats)
        if wanted not in self._snapshots:
            merged: dict[tuple[str, str | None], Series] = {}
            for what in sorted(wanted, key=repr):
                for series in self.series_of(what):
                    key = series.quantity, series.layer
                    known = merged.get(key)
                    if known is None or known.sampled:
                        merged[key] = series
            leaves = list({id(x.optimizer): x.optimizer for x in self.layers}.values())
            leaves = leaves or effective.leaves(self._optimizer)
            counter = counter_of(self._optimizer)
            kept: dict[tuple, Reading] = {}
            for leaf in leaves:
                kept |= eta_before(leaf)
            self._snapshots[wanted] = Snapshot(
                steps=lambda: compat.micro_steps(counter).value,
                rates=_rates(leaves),
                series=list(merged.values()),
                kept=kept,
            )
        return self._snapshots[wanted]

    def before_build(self, whats: Iterable[What]) -> Before:
        """What a snapshot needs from before the first step, in which Keras builds the optimizer."""
        wanted = [quantity for what in whats for quantity in what.quantities]
        variables = self.variables
        before = weights_before(variables, self._names(variables), wanted)
        for leaf in effective.leaves(self._optimizer):
            before |= {key: read() for key, read in eta_before(leaf).items()}
        return before

    def _names(self, variables: list) -> list[str]:
        return [self._name_in_run.get(path, path) for path in paths_of(variables)]

    def _take(self, layers: tuple[Layer, ...]) -> None:
        self.layers = layers
        self._series.clear()
        self._snapshots.clear()


def _rates(leaves: list) -> dict[str, Callable[[Before], tf.Tensor]]:
    def rate(leaf: keras.optimizers.Optimizer, before: Before) -> tf.Tensor:
        kept = before.get(eta_key(leaf))
        return compat.applied_learning_rate(leaf) if kept is None else kept

    if len(leaves) == 1:
        return {"learning_rate": partial(rate, leaves[0])}
    return {f"learning_rate/{leaf.name}": partial(rate, leaf) for leaf in leaves}

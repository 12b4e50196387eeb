"""An optimizer around another one, which keeps weights of its own beside those that are trained."""

import abc
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Gradient, Variable
from tfadaopt.optimizers import incoming
from tfadaopt.optimizers.engine.plan import precision_of
from tfadaopt.optimizers.engine.step import assign, native_of

UPDATES = "updates"


class Around(keras.optimizers.Optimizer, abc.ABC):
    """Abstract base: another optimizer steps, and after some updates all weights are looked at.

    What is kept begins at the weights before the first update, which may be loaded after it was
    made. A subclass says after which updates it is due, and what is done to one variable then.

    Args:
        optimizer: The optimizer that steps: an instance, or a name that Keras knows.
        name: Name of this one, or None.

    Raises:
        TypeError: ``optimizer`` is none, or has loss scaling around it.
    """

    # Name of what is kept of each variable.
    kept: str

    def __init__(self, optimizer: keras.optimizers.Optimizer | str, name: str | None) -> None:
        inner = keras.optimizers.get(optimizer) if isinstance(optimizer, str) else optimizer
        wrapped = isinstance(inner, keras.optimizers.LossScaleOptimizer)
        if wrapped or not isinstance(inner, keras.optimizers.Optimizer):
            owner = type(self).__name__
            raise TypeError(
                f"{owner}: optimizer={optimizer!r} was received; give an optimizer, such as "
                f"tfadaopt.Adam(), and loss scaling, where it is wanted, around {owner}."
            )
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner
        self._kept: list[keras.Variable | None] = []
        self._waiting: Mapping[str, Any] | None = None

    @abc.abstractmethod
    def due(self, t: tf.Tensor) -> tf.Tensor:
        """Whether something is done after update t = 1, 2, …"""

    @abc.abstractmethod
    def changed(
        self, theta: tf.Tensor, kept: tf.Tensor, t: tf.Tensor
    ) -> tuple[tf.Tensor | None, tf.Tensor]:
        """θ after that (None: as it is), and what is kept then."""

    # What is the optimizer's

    @property
    def learning_rate(self) -> Any:
        """The rate η of the optimizer inside."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self) -> Any:
        """Updates of the optimizer inside."""
        return self.inner_optimizer.iterations

    @property
    def variables(self) -> list[keras.Variable]:
        """State of both."""
        return [*super().variables, *self.inner_optimizer.variables]

    @property
    def loss_scale_factor(self) -> float | None:
        """The factor of the loss, which loss scaling around it takes away."""
        inner = self.__dict__.get("inner_optimizer")  # there is none yet in Keras' __init__
        return None if inner is None else inner.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        inner = self.__dict__.get("inner_optimizer")
        if inner is not None:
            inner.loss_scale_factor = value

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss, times what the optimizer inside divides its gradients by."""
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """What the optimizer inside does with the weights at the end of ``fit``."""
        self.inner_optimizer.finalize_variable_values(var_list)

    # A step

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make the state of both, once; Keras calls this before the first update."""
        if self.built:
            return
        variables = list(variables)
        self.inner_optimizer.build(variables)
        with compat.outside_functions():
            super().build(variables)
            self._kept = [self._made(v) for v in variables]
            self._updates = compat.add_counts(self, UPDATES, 1)
            self.make_numbers(len(self.pairs()))
        if self._waiting is not None:
            self._take(self._waiting)
            self._waiting = None

    def make_numbers(self, count: int) -> None:
        """Make further state, given for how many variables something is kept."""

    def _made(self, variable: keras.Variable) -> keras.Variable | None:
        if not incoming.is_float(variable) or compat.is_overwritten_by_gradient(variable):
            return None
        return compat.add_slot(self, variable, self.kept, 0.0, precision_of(variable))

    def pairs(self) -> list[tuple[keras.Variable, keras.Variable]]:
        """Each variable of which something is kept, with that."""
        return [
            (variable, kept)
            for variable, kept in zip(compat.variables_of(self), self._kept, strict=True)
            if kept is not None
        ]

    def apply(
        self,
        grads: Iterable[Gradient | None],
        trainable_variables: Iterable[Variable] | None = None,
    ) -> None:
        """Do a step of the optimizer inside, and then what is due.

        Raises:
            ValueError: As of the optimizer inside.
        """
        grads = list(grads)
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
            self.build(trainable_variables)
        self._everywhere(tf.equal(self._updates.value[0], 0), self._begin)
        before = tf.identity(tf.convert_to_tensor(self.inner_optimizer.iterations))
        self.inner_optimizer.apply(grads, trainable_variables)
        updated = tf.convert_to_tensor(self.inner_optimizer.iterations) > before
        self._updates.assign_add([tf.cast(updated, "int64")])
        self._everywhere(updated & self.due(self._updates.value[0]), self.change)

    def _everywhere(
        self, condition: tf.Tensor, do: Callable[[tf.distribute.Strategy], Any]
    ) -> None:
        """Do something to all variables, on all devices, under one condition."""

        def across(strategy: tf.distribute.Strategy, condition: Any) -> None:
            def branch() -> None:
                do(strategy)

            agreed = strategy.experimental_local_results(condition)[0]
            tf.cond(agreed, branch, lambda: None)

        tf.distribute.get_replica_context().merge_call(across, args=(condition,))

    def _begin(self, strategy: tf.distribute.Strategy) -> None:
        for variable, kept in self.pairs():
            strategy.extended.update(kept.value, assign, args=(native_of(variable),), group=False)

    def change(self, strategy: tf.distribute.Strategy) -> list[tf.Tensor]:
        """Change all variables; how far each was from what is kept of it."""
        distances = []
        t = self._updates.value[0]
        for variable, kept in self.pairs():
            constraint = getattr(variable, "constraint", None)

            def change(
                native: tf.Variable,
                kept: tf.Variable,
                t: tf.Tensor,
                constraint: Callable[[tf.Tensor], tf.Tensor] | None = constraint,
            ) -> tf.Tensor:
                theta, old = (tf.cast(tf.identity(x), kept.dtype) for x in (native, kept))
                new_theta, new = self.changed(theta, old, t)
                if new_theta is not None:
                    assign(native, new_theta if constraint is None else constraint(new_theta))
                    new = new if constraint is None else constraint(new)
                kept.assign(new)
                return tf.cast(tf.norm(theta - old), "float32")

            args = (kept.value, t)
            done = strategy.extended.update(native_of(variable), change, args=args, group=False)
            # One result for each replica; they agree.
            distances.append(done[0] if isinstance(done, tuple | list) else done)
        return distances

    # What can be read

    def begun(self) -> tf.Tensor:
        """Whether what is kept stands for something."""
        return self._updates.value[0] > 0

    def averaged(self, variable: Variable) -> tf.Tensor:
        """What is kept of a variable; before there is such, what it is itself."""
        kept = self.kept_of(variable)
        theta = tf.convert_to_tensor(variable)
        if kept is None:
            return theta
        return tf.where(self.begun(), tf.cast(tf.convert_to_tensor(kept), theta.dtype), theta)

    def kept_of(self, variable: Variable) -> keras.Variable | None:
        """The variable that is kept of one of the model, or None.

        Raises:
            ValueError: There is no state of it.
        """
        index = compat.index_of(self, variable) if self.built else None
        if index is None:
            raise ValueError(
                f"{self.name} has no state of {compat.path_of(variable)!r}. Train one step first, "
                "or call optimizer.build(model.trainable_variables)."
            )
        return self._kept[index]

    # Configuration and files

    @abc.abstractmethod
    def arguments(self) -> dict[str, Any]:
        """What the constructor takes besides ``optimizer`` and ``name``."""

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal optimizer (without its state)."""
        inner = keras.saving.serialize_keras_object(self.inner_optimizer)
        return {"optimizer": inner, **self.arguments(), "name": self.name}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> "Around":
        """An optimizer of a configuration that ``get_config`` gave."""
        inner = keras.saving.deserialize_keras_object(config["optimizer"], custom_objects)
        return cls(**{**config, "optimizer": inner})

    def state(self) -> dict[str, keras.Variable]:
        """What is this one's own, by its name in a file."""
        kept = {f"{self.kept}_{i}": x for i, x in enumerate(self._kept) if x is not None}
        return {UPDATES: self._updates, **kept}

    def save_own_variables(self, store: Any) -> None:
        """Write what is kept; Keras has the optimizer inside write its own."""
        if self._waiting is not None:  # loaded, and never trained since
            for name, array in self._waiting.items():
                store[name] = array
        elif self.built:
            for name, variable in self.state().items():
                store[name] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take it from a file; before ``build`` it waits until then.

        What is of other variables is not taken, and a warning says so.
        """
        found = {name: np.asarray(store[name]) for name in store.keys()}  # noqa: SIM118
        if found and self.built:
            self._take(found)
        elif found:
            self._waiting = found

    def _take(self, found: Mapping[str, Any]) -> None:
        mine = self.state()
        theirs = {name: tuple(array.shape) for name, array in found.items()}
        if theirs != {name: tuple(x.shape) for name, x in mine.items()}:
            warnings.warn(
                f"{self.name}: what the file has of it does not fit and was not taken: {theirs}. "
                "To go on from the file, compile the model with the optimizer that was saved, with "
                "the same layers trainable, before loading.",
                stacklevel=3,
            )
            return
        for name, variable in mine.items():
            variable.assign(found[name])

"""Lookahead: slow weights that follow the fast ones of any optimizer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Gradient, Variable
from tfadaopt.optimizers import incoming
from tfadaopt.optimizers.arguments import count, number
from tfadaopt.optimizers.engine.plan import precision_of
from tfadaopt.optimizers.engine.step import assign, native_of

SLOW, UPDATES, PULLED = "slow", "updates", "sync_distance"


@keras.saving.register_keras_serializable(package="tfadaopt")
class Lookahead(keras.optimizers.Optimizer):
    r"""Lookahead: every few updates of another optimizer, go back part of the way that it went.

    .. math::
        \theta_t = \text{the optimizer's step}, \qquad \text{and where } k \text{ divides } t: \quad
        \varphi \leftarrow \varphi + \alpha (\theta_t - \varphi), \quad \theta_t \leftarrow \varphi

    with φ = θ at the first update. It wraps any optimizer, of tfadaopt or of Keras, which does the
    rest: rate, decay, clipping, accumulation (k counts its updates, not batches). All weights are
    pulled under one condition, and the optimizer keeps its state over it. What is to be evaluated
    is φ: by ``tfadaopt.averaged_weights(model)`` or the callback ``AveragedWeights``; at an update
    that k divides, the model holds it.

    Everything that is read is the optimizer's: ``tfadaopt.effective_learning_rate``, accumulators,
    the callbacks. ‖θ − φ‖ before θ was pulled the last time is logged apart, as ``sync_distance``
    of each layer. Under mixed precision, ``compile`` puts its loss scaling around it.

    ==============  ==========================  =====  =====
    implementation  φ begins                    k      α
    ==============  ==========================  =====  =====
    tfadaopt        at the first update         5      0.5
    authors' code   with the optimizer (torch)  5      0.8
    Addons          with the state              6      0.5
    timm            at the first sync           6      0.5
    Keras, PyTorch  —                           —      —
    ==============  ==========================  =====  =====

    The authors' TensorFlow code syncs every k + 1 updates, the first time from slow weights of 0.

    Args:
        optimizer: The optimizer that steps: an instance, or a name that Keras knows.
        period: k ≥ 1, updates from one sync to the next. Default 5.
        alpha: α in (0, 1], the share of the way that φ goes. With 1, only φ differs from θ between
            two syncs. Default 0.5.
        name: Name of the optimizer. Default None: ``"lookahead"``.

    Raises:
        TypeError: ``optimizer`` is none, or has loss scaling around it.
        ValueError: ``period`` or ``alpha`` is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.Lookahead(tfadaopt.SGD(1.0), period=2, alpha=0.5)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.array([-1.0])], [w])
        ...     print(w.numpy().tolist())
        [1.0]
        [1.0]

    Source:
        M. Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", NeurIPS 2019,
        arXiv 1907.08610, Algorithm 1.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer | str,
        period: int = 5,
        alpha: float = 0.5,
        name: str | None = None,
    ) -> None:
        inner = keras.optimizers.get(optimizer) if isinstance(optimizer, str) else optimizer
        wrapped = isinstance(inner, keras.optimizers.LossScaleOptimizer)
        if wrapped or not isinstance(inner, keras.optimizers.Optimizer):
            raise TypeError(
                f"Lookahead: optimizer={optimizer!r} was received; give an optimizer, such as "
                "tfadaopt.Adam(), and loss scaling, where it is wanted, around Lookahead."
            )
        hint = "give updates from one sync to the next, such as 5"
        period = count("Lookahead", "period", period, at_least=1, hint=hint)
        hint = "give the share of the way that the slow weights go, such as 0.5"
        alpha = number("Lookahead", "alpha", alpha, above=0.0, hint=hint)
        if alpha > 1:
            raise ValueError(f"Lookahead: alpha={alpha} is not allowed; it is at most 1: {hint}.")
        super().__init__(learning_rate=0.0, name=name)
        self.period, self.alpha = period, alpha
        self.inner_optimizer = inner
        self._slow: list[keras.Variable | None] = []
        self._waiting: Mapping[str, Any] | None = None

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
            self._slow = [self._slow_of(v) for v in variables]
            self._updates = compat.add_counts(self, UPDATES, 1)
            self._pulled = self.add_variable(
                (len(self._pairs()),),
                dtype="float32",
                aggregation="only_first_replica",
                name=PULLED,
            )
        if self._waiting is not None:
            self._take(self._waiting)
            self._waiting = None

    def _slow_of(self, variable: keras.Variable) -> keras.Variable | None:
        if not incoming.is_float(variable) or compat.is_overwritten_by_gradient(variable):
            return None
        return compat.add_slot(self, variable, SLOW, 0.0, precision_of(variable))

    def apply(
        self,
        grads: Iterable[Gradient | None],
        trainable_variables: Iterable[Variable] | None = None,
    ) -> None:
        """Do a step of the optimizer inside, and every ``period`` updates a sync.

        Raises:
            ValueError: As of the optimizer inside.
        """
        grads = list(grads)
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
        if not self.built and trainable_variables is not None:
            self.build(trainable_variables)
        # Weights may be loaded after the state was made: φ begins at the first update.
        self._everywhere(tf.equal(self._updates.value[0], 0), self._begin)
        before = tf.identity(tf.convert_to_tensor(self.inner_optimizer.iterations))
        self.inner_optimizer.apply(grads, trainable_variables)
        updated = tf.convert_to_tensor(self.inner_optimizer.iterations) > before
        self._updates.assign_add([tf.cast(updated, "int64")])
        due = tf.equal(self._updates.value[0] % self.period, 0)
        self._everywhere(updated & due, self._sync)

    def _everywhere(
        self, condition: tf.Tensor, do: Callable[[tf.distribute.Strategy], None]
    ) -> None:
        """Do something to all variables, on all devices, under one condition."""

        def across(strategy: tf.distribute.Strategy, condition: Any) -> None:
            agreed = strategy.experimental_local_results(condition)[0]
            tf.cond(agreed, lambda: do(strategy), lambda: None)

        tf.distribute.get_replica_context().merge_call(across, args=(condition,))

    def _begin(self, strategy: tf.distribute.Strategy) -> None:
        for variable, slow in self._pairs():
            strategy.extended.update(slow.value, assign, args=(native_of(variable),), group=False)

    def _sync(self, strategy: tf.distribute.Strategy) -> None:
        distances = []
        for variable, slow in self._pairs():
            constraint = getattr(variable, "constraint", None)

            def pull(
                fast: tf.Variable,
                slow: tf.Variable,
                constraint: Callable[[tf.Tensor], tf.Tensor] | None = constraint,
            ) -> tf.Tensor:
                theta = tf.cast(fast, slow.dtype)
                apart = theta - slow
                pulled = theta - (1 - self.alpha) * apart
                slow.assign(pulled if constraint is None else constraint(pulled))
                assign(fast, slow)
                return tf.cast(tf.norm(apart), "float32")

            args = (slow.value,)
            done = strategy.extended.update(native_of(variable), pull, args=args, group=False)
            # One result for each replica; they agree.
            distances.append(done[0] if isinstance(done, tuple | list) else done)
        if distances:
            now = tf.stack(distances)
            strategy.extended.update(self._pulled.value, assign, args=(now,), group=False)

    def _pairs(self) -> list[tuple[keras.Variable, keras.Variable]]:
        return [
            (variable, slow)
            for variable, slow in zip(compat.variables_of(self), self._slow, strict=True)
            if slow is not None
        ]

    # What can be read

    def averaged(self, variable: Variable) -> tf.Tensor:
        """φ of a variable; what it is itself before the first update."""
        slow = self._slow_at(variable)
        theta = tf.convert_to_tensor(variable)
        if slow is None:
            return theta
        begun = self._updates.value[0] > 0
        return tf.where(begun, tf.cast(tf.convert_to_tensor(slow), theta.dtype), theta)

    def sync_distance(self, variable: Variable) -> tf.Tensor | None:
        """‖θ − φ‖ before the last sync, 0 before the first; None of what is not pulled."""
        slow = self._slow_at(variable)
        if slow is None:
            return None
        mine = [i for i, (_, x) in enumerate(self._pairs()) if x is slow]
        return tf.convert_to_tensor(self._pulled)[mine[0]]

    def _slow_at(self, variable: Variable) -> keras.Variable | None:
        index = compat.index_of(self, variable) if self.built else None
        if index is None:
            raise ValueError(
                f"{self.name} has no state of {compat.path_of(variable)!r}. Train one step first, "
                "or call optimizer.build(model.trainable_variables)."
            )
        return self._slow[index]

    # Configuration and files

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal optimizer (without its state)."""
        inner = keras.saving.serialize_keras_object(self.inner_optimizer)
        return {
            "optimizer": inner,
            "period": self.period,
            "alpha": self.alpha,
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> "Lookahead":
        """An optimizer of a configuration that ``get_config`` gave."""
        inner = keras.saving.deserialize_keras_object(config["optimizer"], custom_objects)
        return cls(**{**config, "optimizer": inner})

    def save_own_variables(self, store: Any) -> None:
        """Write φ and the count of updates; Keras has the optimizer inside write its own."""
        if self._waiting is not None:  # loaded, and never trained since
            for name, array in self._waiting.items():
                store[name] = array
            return
        if self.built:
            store[UPDATES], store[PULLED] = self._updates.numpy(), self._pulled.numpy()
            for i, slow in enumerate(self._slow):
                if slow is not None:
                    store[f"{SLOW}_{i}"] = slow.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take them from a file; before ``build`` they wait until then.

        Raises:
            ValueError: They are of other variables.
        """
        found = {name: np.asarray(store[name]) for name in store.keys()}  # noqa: SIM118
        if not found:
            return
        if self.built:
            self._take(found)
        else:
            self._waiting = found

    def _take(self, found: Mapping[str, Any]) -> None:
        mine = {UPDATES: self._updates, PULLED: self._pulled}
        mine |= {f"{SLOW}_{i}": x for i, x in enumerate(self._slow) if x is not None}
        theirs = {name: tuple(array.shape) for name, array in found.items()}
        if theirs != {name: tuple(x.shape) for name, x in mine.items()}:
            raise ValueError(
                f"{self.name}: the slow weights in the file do not fit. It has {theirs}; compile "
                "the model with the optimizer that was saved, with the same layers trainable."
            )
        for name, variable in mine.items():
            variable.assign(found[name])

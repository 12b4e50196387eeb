"""Lookahead: slow weights that follow the fast ones of any optimizer."""

from typing import Any

import keras
import tensorflow as tf

from tfadaopt.around import Around
from tfadaopt.compat import Variable
from tfadaopt.optimizers.arguments import count, number
from tfadaopt.optimizers.engine.step import assign

PULLED = "sync_distance"


@keras.saving.register_keras_serializable(package="tfadaopt")
class Lookahead(Around):
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

    kept = "slow"

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer | str,
        period: int = 5,
        alpha: float = 0.5,
        name: str | None = None,
    ) -> None:
        hint = "give updates from one sync to the next, such as 5"
        period = count("Lookahead", "period", period, at_least=1, hint=hint)
        hint = "give the share of the way that the slow weights go, such as 0.5"
        alpha = number("Lookahead", "alpha", alpha, above=0.0, hint=hint)
        if alpha > 1:
            raise ValueError(f"Lookahead: alpha={alpha} is not allowed; it is at most 1: {hint}.")
        super().__init__(optimizer, name)
        self.period, self.alpha = period, alpha

    def arguments(self) -> dict[str, Any]:
        return {"period": self.period, "alpha": self.alpha}

    def due(self, t: tf.Tensor) -> tf.Tensor:
        return tf.equal(t % self.period, 0)

    def changed(
        self, theta: tf.Tensor, kept: tf.Tensor, t: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        slow = theta - (1 - self.alpha) * (theta - kept)
        return slow, slow

    # How far θ had to be pulled is logged

    def make_numbers(self, count: int) -> None:
        self._pulled = self.add_variable(
            (count,), dtype="float32", aggregation="only_first_replica", name=PULLED
        )

    def state(self) -> dict[str, keras.Variable]:
        return {PULLED: self._pulled, **super().state()}

    def change(self, strategy: tf.distribute.Strategy) -> list[tf.Tensor]:
        distances = super().change(strategy)
        now = tf.stack(distances)
        strategy.extended.update(self._pulled.value, assign, args=(now,), group=False)
        return distances

    def sync_distance(self, variable: Variable) -> tf.Tensor | None:
        """‖θ − φ‖ before the last sync, 0 before the first; None of what is not pulled."""
        kept = self.kept_of(variable)
        if kept is None:
            return None
        (mine,) = [i for i, (_, x) in enumerate(self.pairs()) if x is kept]
        return tf.convert_to_tensor(self._pulled)[mine]

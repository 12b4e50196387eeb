"""WeightAverage: a mean of the weights that any optimizer goes through."""

import math
from typing import Any

import keras
import tensorflow as tf

from tfadaopt.around import Around
from tfadaopt.optimizers.arguments import boolean, choice, count, number


@keras.saving.register_keras_serializable(package="tfadaopt")
class WeightAverage(Around):
    r"""Keep a mean of the weights that another optimizer trains: an EMA, SWA or a tail average.

    .. math::
        \text{ema}: \; \bar\theta \leftarrow d_n \bar\theta + (1 - d_n) \, \theta, \quad
        d_n = \min\left(d, \frac{n}{9+n}\right) \qquad
        \text{swa, tail}: \; \bar\theta \leftarrow \bar\theta + \frac{\theta - \bar\theta}{n}

    for the n-th weights that are averaged; the mean begins at the first of them, not where the
    optimizer was made. It wraps any optimizer, of tfadaopt or of Keras, and leaves its training bit
    for bit as it is. Updates are counted, not batches: it stands still while gradients accumulate,
    and under ``steps_per_execution`` misses none. The mean is saved with the optimizer.

    What to do with it: ``tfadaopt.callbacks.AveragedWeights`` validates and saves at the mean, and
    ``tfadaopt.averaged_weights(model)`` shows it in a block. Both bring batch normalization up to
    date where they are given data for it: SWA needs that, an EMA hardly.

    ==============  =====================================  ============
    implementation  decay                                  begins
    ==============  =====================================  ============
    tfadaopt        min(d, n/(9 + n)), or d                first update
    Keras use_ema   d                                      first update
    TensorFlow      min(d, (1 + u)/(10 + u)) where u is    when it is
                    given, else d                          first applied
    PyTorch SWA     mean                                   first update
    ==============  =====================================  ============

    Where u counts the updates of the mean, the decay of TensorFlow is the same: u = n − 1.

    Args:
        optimizer: The optimizer that steps: an instance, or a name that Keras knows.
        average: "ema", "swa", or "tail": the mean of the last share of all updates. Default "ema".
        decay: d in [0, 1), the share of the mean that is kept by "ema". Default 0.999.
        warmup: Whether "ema" keeps less at first, as above. Default True.
        start: Update ≥ 1 after which weights are averaged first. Default 1.
        every: Updates ≥ 1 from one average to the next. Default 1.
        share: Share in (0, 1] of all updates that "tail" is the mean of. Default 0.25.
        steps: Number of all updates, which "tail" has to know. Default None.
        name: Name of the optimizer. Default None: ``"weight_average"``.

    Raises:
        TypeError: ``optimizer`` is none, or an argument is not a number.
        ValueError: An argument is out of range, or ``steps`` is missing for "tail".

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.WeightAverage(tfadaopt.SGD(1.0), average="swa", start=2)
        >>> for _ in range(4):
        ...     optimizer.apply([keras.ops.array([-1.0])], [w])
        >>> w.numpy().tolist(), optimizer.averaged(w).numpy().tolist()  # the mean of 2, 3 and 4
        ([4.0], [3.0])

    Source:
        B. Polyak and A. Juditsky, "Acceleration of stochastic approximation by averaging", 1992;
        P. Izmailov et al., "Averaging weights leads to wider optima and better generalization",
        UAI 2018, arXiv 1803.05407, Algorithm 1; the warm-up is that of
        ``tf.train.ExponentialMovingAverage``.
    """

    kept = "average"

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer | str,
        average: str = "ema",
        decay: float = 0.999,
        warmup: bool = True,
        start: int = 1,
        every: int = 1,
        share: float = 0.25,
        steps: int | None = None,
        name: str | None = None,
    ) -> None:
        owner, hint = "WeightAverage", "the first keeps less and less of old weights"
        average = choice(owner, "average", average, ("ema", "swa", "tail"), hint)
        hint = "give the share of the mean that is kept, such as 0.999"
        decay = number(owner, "decay", decay, at_least=0.0, below=1.0, hint=hint)
        warmup = boolean(owner, "warmup", warmup)
        hint = "give a number of updates, such as 1 or 100"
        start = count(owner, "start", start, at_least=1, hint=hint)
        every = count(owner, "every", every, at_least=1, hint=hint)
        hint = "give the share of all updates that are averaged, such as 0.25"
        share = number(owner, "share", share, above=0.0, hint=hint)
        if share > 1:
            raise ValueError(f"{owner}: share={share} is not allowed; it is at most 1: {hint}.")
        if steps is not None or average == "tail":
            hint = "give the number of all updates: epochs times batches of one"
            steps = count(owner, "steps", steps, at_least=1, hint=hint)
        super().__init__(optimizer, name)
        self.average, self.decay, self.warmup = average, decay, warmup
        self.start, self.every, self.share, self.steps = start, every, share, steps

    def arguments(self) -> dict[str, Any]:
        names = ("average", "decay", "warmup", "start", "every", "share", "steps")
        return {name: getattr(self, name) for name in names}

    @property
    def first(self) -> int:
        """Update after which weights are averaged first."""
        if self.average != "tail" or self.steps is None:
            return self.start
        return self.steps - math.ceil(self.share * self.steps) + 1

    def due(self, t: tf.Tensor) -> tf.Tensor:
        return (t >= self.first) & tf.equal((t - self.first) % self.every, 0)

    def changed(self, theta: tf.Tensor, kept: tf.Tensor, t: tf.Tensor) -> tuple[None, tf.Tensor]:
        n = tf.cast((t - self.first) // self.every + 1, theta.dtype)
        weight = 1 / n
        if self.average == "ema":
            decay = tf.minimum(self.decay, n / (9 + n)) if self.warmup else self.decay
            weight = 1 - decay
        # Of the first, nothing is kept: what was there before are weights of no average.
        return None, tf.where(tf.equal(n, 1), theta, kept + weight * (theta - kept))

    def begun(self) -> tf.Tensor:
        return self._updates.value[0] >= self.first

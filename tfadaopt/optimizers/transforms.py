"""What is done to the gradient of each variable before a method sees it."""

import abc
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Variable
from tfadaopt.optimizers.arguments import matching, number, patterns


class GradientTransform(abc.ABC):
    """Abstract base of what any method takes as ``gradient_transforms=[…]``.

    Transforms come after the clips of Keras, in their order, once per update: also where gradients
    of several batches are averaged, and on the sum of those of several devices. A class of your own
    writes ``__call__`` and ``get_config``, and is registered with Keras so that files can name it.

    Example:
        >>> import keras, tfadaopt
        >>> @keras.saving.register_keras_serializable(package="mine")
        ... class Half(tfadaopt.GradientTransform):
        ...     def __call__(self, g, theta):
        ...         return g / 2, None
        ...
        ...     def get_config(self):
        ...         return {}
        >>> w = keras.Variable([1.0])
        >>> optimizer = tfadaopt.SGD(1.0, gradient_transforms=[Half()])
        >>> optimizer.apply([keras.ops.array([1.0])], [w])
        >>> w.numpy().tolist()
        [0.5]
    """

    # Name of a number per variable that it finds in each update, from 0 to 1; None: of none.
    share: ClassVar[str | None] = None

    @abc.abstractmethod
    def __call__(self, g: tf.Tensor, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return the gradient that counts, and the number named ``share`` or None.

        Args:
            g: Gradient of a variable.
            theta: θ, the variable, before the step.
        """

    def takes(self, variables: Sequence[Variable]) -> list[bool]:
        """Whether it changes the gradient of each of the variables of a model."""
        return [True] * len(variables)

    @abc.abstractmethod
    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal one, as plain Python values."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "GradientTransform":
        """Make one from what ``get_config`` returned."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="tfadaopt")
class AdaptiveClip(GradientTransform):
    """Adaptive gradient clipping: no unit's gradient is larger than a share of its weights.

    For each unit i of a variable, with gradient gᵢ and weights θᵢ:
        gᵢ ← gᵢ · λ max(‖θᵢ‖, ε) / ‖gᵢ‖   where ‖gᵢ‖ > λ max(‖θᵢ‖, ε)

    A unit is what one output sees: of a kernel, all axes but the last; of a vector, all of it. In
    the share of units that were clipped in the last update, ``clipped_share``, each layer has an
    accumulator (``tfadaopt.accumulators``), which ``OptimizerMonitor`` logs. In a kernel of
    ``DepthwiseConv2D`` and ``Conv2DTranspose``, the last axis is not that of the outputs.

    Args:
        clipping: λ > 0, the largest ratio of the two norms. Default 0.01.
        epsilon: ε > 0, the norm that a smaller unit counts as, so that zeros can learn. Default
            1e-3.
        exclude: Regular expressions; variables whose path matches one are not clipped. Default
            None: the last kernel of the model and what follows it, as the authors leave out the
            last layer. ``[]`` clips all.

    Raises:
        TypeError: An argument of the wrong type.
        ValueError: An argument out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([[3.0], [4.0]])
        >>> clip = tfadaopt.AdaptiveClip(0.5, exclude=[])
        >>> optimizer = tfadaopt.SGD(1.0, gradient_transforms=[clip])
        >>> optimizer.apply([keras.ops.array([[6.0], [8.0]])], [w])  # of norm 10, 2.5 is allowed
        >>> w.numpy().tolist()
        [[1.5], [2.0]]
        >>> float(tfadaopt.accumulators(optimizer, w)["clipped_share"])
        1.0

    Source: Brock, De, Smith & Simonyan, High-performance large-scale image recognition without
    normalization (2021), arXiv 2102.06171, equation 3. Their code and Optax' divide by
    max(‖gᵢ‖, 1e-6), which is the same in all units that are clipped.
    """

    share = "clipped_share"

    def __init__(
        self,
        clipping: float = 0.01,
        epsilon: float = 1e-3,
        exclude: str | Iterable[str] | None = None,
    ) -> None:
        owner = type(self).__name__
        hint = "give the largest ratio ‖g‖/‖θ‖ of a unit, such as 0.01"
        self.clipping = number(owner, "clipping", clipping, above=0.0, hint=hint)
        hint = "give a small norm, such as 1e-3"
        self.epsilon = number(owner, "epsilon", epsilon, above=0.0, hint=hint)
        self.exclude = None if exclude is None else patterns(owner, "exclude", exclude)

    def takes(self, variables: Sequence[Variable]) -> list[bool]:
        if self.exclude is None:
            kernels = [i for i, v in enumerate(variables) if len(v.shape) > 1]
            last = kernels[-1] if kernels else len(variables)
            return [i < last for i in range(len(variables))]
        out = matching(self.exclude, [compat.path_of(v) for v in variables])
        return [i not in out for i in range(len(variables))]

    def __call__(self, g: tf.Tensor, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        axes = [0] if g.shape.rank == 1 else list(range(g.shape.rank - 1))
        norm = tf.sqrt(tf.reduce_sum(tf.square(g), axes, keepdims=True))
        weights = tf.sqrt(tf.reduce_sum(tf.square(theta), axes, keepdims=True))
        largest = self.clipping * tf.maximum(weights, self.epsilon)
        # A norm that does not fit is passed on as NaN, for ``nonfinite`` to decide.
        fits = tf.math.is_finite(norm)
        factor = tf.where(fits, largest / tf.where(norm > 0, norm, 1), norm - norm)
        clipped = tf.logical_not(norm <= largest)
        share = tf.reduce_mean(tf.cast(clipped, g.dtype))
        return tf.where(clipped, g * factor, g), share

    def get_config(self) -> dict[str, Any]:
        exclude = None if self.exclude is None else list(self.exclude)
        return {"clipping": self.clipping, "epsilon": self.epsilon, "exclude": exclude}


@keras.saving.register_keras_serializable(package="tfadaopt")
class Centralize(GradientTransform):
    """Gradient centralization: the gradients of a unit's weights have the mean 0.

    For each unit i of a kernel (all axes but the last):  gᵢ ← gᵢ − mean gᵢ

    Vectors stay as they are. The sum of each unit's weights then does not move, but by weight
    decay and by methods that size each coordinate by itself.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([[1.0], [1.0]])
        >>> optimizer = tfadaopt.SGD(1.0, gradient_transforms=[tfadaopt.Centralize()])
        >>> optimizer.apply([keras.ops.array([[3.0], [1.0]])], [w])
        >>> w.numpy().tolist()
        [[0.0], [2.0]]

    Source: Yong, Huang, Hua & Zhang, Gradient centralization (2020), arXiv 2004.01461, equation 1.
    """

    def takes(self, variables: Sequence[Variable]) -> list[bool]:
        return [len(v.shape) > 1 for v in variables]

    def __call__(self, g: tf.Tensor, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        return g - tf.reduce_mean(g, axis=list(range(g.shape.rank - 1)), keepdims=True), None

    def get_config(self) -> dict[str, Any]:
        return {}


def transforms(owner: str, given: Iterable[Any] | None) -> tuple[GradientTransform, ...]:
    """Return transforms (or their configurations, from a file) as a tuple.

    Raises:
        TypeError: One is no transform.
    """
    if given is not None and (isinstance(given, str) or not isinstance(given, Iterable)):
        raise TypeError(
            f"{owner}: gradient_transforms must be a list, but {given!r} was received; give "
            "[tfadaopt.AdaptiveClip(0.01)]."
        )
    found = []
    for x in given or ():
        made = keras.saving.deserialize_keras_object(x) if isinstance(x, dict) else x
        if not isinstance(made, GradientTransform):
            raise TypeError(
                f"{owner}: gradient_transforms has {x!r}, which is no GradientTransform; give "
                "objects such as tfadaopt.AdaptiveClip(0.01) or tfadaopt.Centralize()."
            )
        found.append(made)
    return tuple(found)


class Transforms:
    """The transforms of an optimizer, applied to the variables that it was built for.

    Args:
        given: The transforms, in their order.
        variables: The variables.
        shares: What keeps the numbers that are found for each variable, by name.
    """

    def __init__(
        self,
        given: Sequence[GradientTransform],
        variables: Sequence[Variable],
        shares: Sequence[dict[str, keras.Variable]],
    ) -> None:
        self._given = given
        takes = [t.takes(variables) for t in given]
        self._of = {
            compat.key_of(v): (
                [t for t, takes_it in zip(given, takes, strict=True) if takes_it[i]],
                shares[i],
            )
            for i, v in enumerate(variables)
        }

    def __call__(self, g: tf.Tensor, variable: Variable) -> tf.Tensor:
        """The gradient of a variable that counts; what is found out on the way is kept."""
        chosen, shares = self._of[compat.key_of(variable)]
        theta = tf.cast(tf.convert_to_tensor(variable), g.dtype)
        for transform in chosen:
            g, share = transform(g, theta)
            if transform.share is not None and share is not None:
                kept = shares[transform.share]
                kept.assign(tf.cast(share, kept.dtype))
        return g


def share_names(given: Sequence[GradientTransform]) -> list[str]:
    """Names of the numbers per variable that transforms find, each once."""
    return list(dict.fromkeys(t.share for t in given if t.share is not None))

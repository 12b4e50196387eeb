"""What SGDP and AdamP take out of a step: its part along weights whose length does not matter."""

import tensorflow as tf

from tfadaopt.optimizers.arguments import number


def checked_projection(owner: str, cosine: object, wd_ratio: object) -> tuple[float, float]:
    """δ and ω as floats ≥ 0, or an error that says what is allowed."""
    hint = "give the cosine δ, times √n of n weights, below which a step is projected, such as 0.1"
    cosine = number(owner, "cosine", cosine, at_least=0.0, hint=hint)
    hint = "give the share ω of the decay that is left where a step is projected, such as 0.1"
    return cosine, number(owner, "wd_ratio", wd_ratio, at_least=0.0, hint=hint)


def projected(
    p: tf.Tensor, g: tf.Tensor, theta: tf.Tensor, delta: float, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """A step, orthogonal to the weights where their gradient is; and whether that is so.

    Looked at are the weights of each output channel (the last axis), and if the gradient of any of
    them is not orthogonal to it, all weights as one. Vectors are left as they are.

    Args:
        p: The step.
        g: The gradient.
        theta: The weights θ that it was taken at.
        delta: δ: n weights are orthogonal to their gradient if their cosine is below δ / √n.
        epsilon: ε, beside the norms.
    """
    if p.shape.rank < 2:
        return p, tf.constant(False)
    every = list(range(p.shape.rank))
    along_channels, channels = _along(p, g, theta, delta, epsilon, every[:-1])
    along_all, whole = _along(p, g, theta, delta, epsilon, every)
    return p - tf.where(channels, along_channels, tf.where(whole, along_all, 0)), channels | whole


def _along(p, g, theta, delta, epsilon, axes):
    """The part of p along the weights over these axes, and whether g has none in any of them."""

    def dot(x, y):
        return tf.reduce_sum(x * y, axes, keepdims=True)

    length = tf.sqrt(dot(theta, theta)) + epsilon
    below = length * (tf.sqrt(dot(g, g)) + epsilon)
    cosine = tf.abs(tf.math.divide_no_nan(dot(g, theta), below))
    n = tf.cast(tf.size(p) // tf.maximum(tf.size(cosine), 1), p.dtype)
    direction = tf.math.divide_no_nan(theta, length)
    return direction * dot(direction, p), tf.reduce_max(cosine) < delta / tf.sqrt(n)

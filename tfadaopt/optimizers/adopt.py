"""ADOPT: Adam that sizes a gradient by those before it."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.first import UPDATES, is_first
from tfadaopt.optimizers.pieces.moments import reciprocal, running_mean
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class ADOPT(Optimizer):
    r"""ADOPT: g is divided by the root of v from *before* it, then enters the momentum.

    The first update only sets v = g². Afterwards, with k = 1, 2, … updates before this one,

    .. math::
        m \leftarrow \beta_1 m + (1-\beta_1)\,
        \mathrm{clip}\left(\frac{g}{\max(\sqrt{v}, \varepsilon)}, \pm k^{1/4}\right), \qquad
        \theta \leftarrow \theta - \eta \, m, \qquad
        v \leftarrow \beta_2 v + (1-\beta_2) g^2

    Unclipped, it converges for every β₂, where Adam may not. The clip, on by default as in the
    paper's last version, costs that guarantee while rare large gradients are cut off.

    Effective learning rate: η / max(√v, ε), elementwise: that with which the *next* gradient
    enters, as the paper divides by the v before it; 0 before the first update. Accumulators:
    ``momentum`` m, ``velocity`` v and the number ``updates``.

    ===============  ==============================
    implementation   difference
    ===============  ==============================
    tfadaopt, Optax  clip at k^¼ (an option here)
    Keras, PyTorch   —
    ===============  ==============================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.001.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.9999.
        epsilon: ε ≥ 0, the least that g is divided by. Default 1e-6.
        clip: Whether to clip the divided gradient at k^¼. Default True.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or ``clip`` no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.ADOPT(learning_rate=0.5, beta_1=0.0)
        >>> for g in (4.0, 2.0):
        ...     optimizer.apply([keras.ops.array([g])], [w])
        ...     print(w.numpy().tolist())
        [0.0]
        [-0.25]

    Source:
        S. Taniguchi et al., "ADOPT: modified Adam can converge with any β₂ with the optimal rate",
        NeurIPS 2024, arXiv 2411.02853, Algorithm 2.
    """

    unit = "coordinate"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.9999,
        epsilon: float = 1e-6,
        clip: bool = True,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.9999")
        self.epsilon = small(owner, epsilon, "1e-6")
        self.clip = boolean(owner, "clip", clip)

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": 0.0, **UPDATES}

    def scale(self, state, t):
        root = tf.maximum(tf.sqrt(state["velocity"]), self.epsilon)
        return tf.where(is_first(state), tf.zeros_like(root), reciprocal(root))

    def decay_now(self, state, decay):
        return tf.where(is_first(state), tf.zeros_like(state["updates"]), decay)

    def update(self, theta, state, g, t, eta):
        k, m, v = state["updates"], state["momentum"], state["velocity"]
        normalized = self.scale(state, t) * g
        if self.clip:
            bound = tf.pow(k, 0.25)
            normalized = tf.clip_by_value(normalized, -bound, bound)
        m = running_mean(m, normalized, self.beta_1)
        v = tf.where(is_first(state), tf.square(g), running_mean(v, tf.square(g), self.beta_2))
        return {"momentum": m, "velocity": v, "updates": k + 1}, eta * m

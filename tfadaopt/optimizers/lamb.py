"""LAMB: Adam with a trust ratio per layer."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.engine.norms import norm, trust_ratio
from tfadaopt.optimizers.pieces.moments import first_and_second, reciprocal, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn, Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class LAMB(Optimizer):
    r"""LAMB: Adam's step, decay included, scaled to the norm of the layer's weights.

    .. math::
        r_t = \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon} + \lambda \theta_{t-1}, \qquad
        \theta_t = \theta_{t-1} - \eta \, \frac{\|\theta_{t-1}\|}{\|r_t\|} \, r_t

    per variable, with Adam's m̂ and v̂; the ratio is 1 where one of the norms is 0.

    Effective learning rate: η · ratio / ((1 − β₁^t)(√v̂ + ε)) on the direction m; what the decay
    subtracts is apart from it. Accumulators: ``momentum`` m, ``velocity`` v and the number
    ``trust_ratio``.

    ===============  =========  =================================
    implementation   default ε  weight decay
    ===============  =========  =================================
    tfadaopt, Optax  1e-6       inside the ratio (paper)
    Keras            1e-7       before the step, outside the ratio
    PyTorch          —          —
    ===============  =========  =================================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.001.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root. Default 1e-6.
        weight_decay: λ ≥ 0 or None, inside the ratio. Default None.
        skip_vectors: Whether variables of less than two dimensions (biases, normalizations) get
            the ratio 1, as most training recipes do. Default False.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or ``skip_vectors`` no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([4.0])
        >>> optimizer = tfadaopt.LAMB(learning_rate=0.25, beta_1=0.0, beta_2=0.0, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([7.0])], [w])
        >>> w.numpy().tolist()  # a quarter of the norm of w
        [3.0]

    Source:
        Y. You et al., "Large batch optimization for deep learning: training BERT in 76 minutes",
        ICLR 2020, arXiv 1904.00962, Algorithm 2 with φ(x) = x.
    """

    unit = "variable"
    gradient_in = GradientIn("momentum", kept="beta_1", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        weight_decay: float | None = None,
        skip_vectors: bool = False,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-6")
        self.skip_vectors = boolean(owner, "skip_vectors", skip_vectors)

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": 0.0, "trust_ratio": Slot((), 1.0)}

    def adam_scale(self, state, t):
        """Adam's scale, without the ratio."""
        v_hat = state["velocity"] / weight_so_far(self.beta_2, t)
        return reciprocal(weight_so_far(self.beta_1, t) * (tf.sqrt(v_hat) + self.epsilon))

    def scale(self, state, t):
        return state["trust_ratio"] * self.adam_scale(state, t)

    def decay_and_update(self, theta, state, g, t, eta, decay):
        new = first_and_second(state, g, self.beta_1, self.beta_2)
        r = self.adam_scale(new, t) * new["momentum"] + decay * theta
        ratio = trust_ratio(norm(theta), norm(r))
        if self.skip_vectors and theta.shape.rank < 2:
            ratio = tf.ones_like(ratio)
        return {**new, "trust_ratio": ratio}, eta * ratio * r

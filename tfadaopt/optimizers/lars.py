"""LARS: momentum with a rate per layer, from the norms of weights and gradients."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, number, share
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.engine.norms import norm, trust_ratio
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class LARS(Optimizer):
    r"""LARS: each layer moves by a share of its own norm, so that large batches do not diverge.

    .. math::
        \rho = \frac{\tau \|\theta\|}{\|g\| + \lambda \|\theta\|}, \qquad
        b_t = \mu b_{t-1} + \rho \, (g_t + \lambda \theta), \qquad
        \theta_t = \theta_{t-1} - \eta \, b_t

    per variable; ρ = 1 where one of the norms is 0.

    Effective learning rate: η ρ, one per variable, on the direction b / ρ. Accumulators:
    ``momentum`` b and the number ``trust_ratio`` ρ.

    ==============  ==========================  ===========
    implementation  below the line of ρ         η
    ==============  ==========================  ===========
    tfadaopt        ‖g‖ + λ‖θ‖ (paper)          outside b
    paper           ‖g‖ + λ‖θ‖                  inside b
    Optax           ‖g + λθ‖                    inside b
    Keras, PyTorch  —                           —
    ==============  ==========================  ===========

    With a constant η, inside and outside b are the same; outside, a lower η takes effect at once.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.1.
        momentum: μ in [0, 1), the share of b that is kept per step. Default 0.9.
        trust_coefficient: τ > 0. Default 0.001.
        weight_decay: λ ≥ 0 or None, inside the ratio and the momentum. Default None.
        skip_vectors: Whether variables of less than two dimensions (biases, normalizations) get
            ρ = 1, as most training recipes do; the paper has no such exception. Default False.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or ``skip_vectors`` no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([3.0, 4.0])
        >>> optimizer = tfadaopt.LARS(learning_rate=1.0, momentum=0.0, trust_coefficient=0.5)
        >>> optimizer.apply([keras.ops.array([0.0, 10.0])], [w])
        >>> w.numpy().tolist()  # half of the norm of w, whatever the norm of g
        [3.0, 1.5]

    Source:
        Y. You, I. Gitman and B. Ginsburg, "Large batch training of convolutional networks",
        arXiv 1708.03888 (2017), Algorithm 1.
    """

    unit = "variable"

    def __init__(
        self,
        learning_rate: Rate = 0.1,
        momentum: float = 0.9,
        trust_coefficient: float = 0.001,
        weight_decay: float | None = None,
        skip_vectors: bool = False,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.momentum = share(owner, "momentum", momentum, "the buffer, such as 0.9")
        self.trust_coefficient = number(
            owner,
            "trust_coefficient",
            trust_coefficient,
            above=0.0,
            hint="give the share τ of its norm that a layer moves by, such as 0.001",
        )
        self.skip_vectors = boolean(owner, "skip_vectors", skip_vectors)

    def slots(self, shape):
        return {"momentum": 0.0, "trust_ratio": Slot((), 1.0)}

    def scale(self, state, t):
        return state["trust_ratio"]

    def ratio(self, theta, g, decay):
        """ρ of this variable."""
        if self.skip_vectors and theta.shape.rank < 2:
            return tf.ones([], theta.dtype)
        of_theta, of_g = norm(theta), norm(g)
        below = tf.where(of_g > 0, of_g + decay * of_theta, 0)
        return trust_ratio(self.trust_coefficient * of_theta, below)

    def decay_and_update(self, theta, state, g, t, eta, decay):
        ratio = self.ratio(theta, g, decay)
        b = self.momentum * state["momentum"] + ratio * (g + decay * theta)
        return {"momentum": b, "trust_ratio": ratio}, eta * b

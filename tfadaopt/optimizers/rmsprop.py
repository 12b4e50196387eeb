"""RMSProp, plain, centered and with momentum."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import inverse_root
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class RMSprop(Optimizer):
    r"""RMSProp: Adagrad that forgets, with a running mean of squares in place of their sum.

    .. math::
        v_t = \rho v_{t-1} + (1 - \rho) g_t^2, \qquad
        \theta_t = \theta_{t-1} - \frac{\eta}{\sqrt{\varepsilon + v_t}} \, g_t

    Centered (Graves), the variance takes the place of the second moment:
    a ← ρ a + (1 − ρ) g and √(ε + v − a²), where rounding below zero counts as zero. With momentum,
    b ← μ b + g / √(ε + v) and θ ← θ − η b. All state starts at 0 and nothing corrects for that:
    the first step is η g / √(ε + (1 − ρ) g²), more than three times η at ρ = 0.9.

    Effective learning rate: η / √(ε + v), or η / √(ε + v − a²), elementwise, on the direction g. It
    falls and rises again. With momentum it is the rate at which the *new* gradient enters.

    ==============  =====================  ====  =======  ==========================
    implementation  ε                      ρ     ε        η with momentum
    ==============  =====================  ====  =======  ==========================
    tfadaopt        in the root            0.9   1e-7     outside the buffer
    Keras           in the root            0.9   1e-7     inside
    Optax           in the root            0.9   1e-8     inside
    PyTorch         outside                0.99  1e-8     outside
    ==============  =====================  ====  =======  ==========================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.001.
        rho: ρ in [0, 1), the share of the running mean that is kept per step. Default 0.9.
        momentum: μ in [0, 1), the share of the buffer that is kept per step. Default 0.
        epsilon: ε ≥ 0, inside the root. Default 1e-7. Centered, it alone bounds the step under
            steady gradients (v − a² → 0): Graves used 1e-4.
        centered: Whether to divide by the standard deviation of the gradient. Default False.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or ``centered`` not a bool.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0, 0.0])
        >>> optimizer = tfadaopt.RMSprop(learning_rate=1.0, rho=0.75, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([4.0, 0.5])], [w])
        >>> tfadaopt.accumulators(optimizer, w)["velocity"].numpy().tolist()
        [4.0, 0.0625]
        >>> w.numpy().tolist()
        [-2.0, -2.0]

    Source:
        T. Tieleman and G. Hinton, "Lecture 6e", Neural Networks for Machine Learning (2012), slide
        29; centered, with momentum and ε in the root: A. Graves, "Generating sequences with
        recurrent neural networks", arXiv 1308.0850 (2013), equations 38–45 (which keep η inside the
        momentum buffer).
    """

    unit = "coordinate"
    gradient_in = GradientIn("velocity", power=2, kept="rho", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.rho = share(owner, "rho", rho, "the running mean, such as 0.9")
        self.momentum = share(owner, "momentum", momentum, "the buffer, such as 0 or 0.9")
        self.epsilon = small(owner, epsilon, "1e-7")
        self.centered = boolean(owner, "centered", centered)

    def slots(self, shape):
        slots = {"velocity": 0.0}
        if self.centered:
            slots["average_gradient"] = 0.0
        if self.momentum:
            slots["momentum"] = 0.0
        return slots

    def advance(self, state, g, t):
        new = {"velocity": self.rho * state["velocity"] + (1 - self.rho) * tf.square(g)}
        if self.centered:
            new["average_gradient"] = self.rho * state["average_gradient"] + (1 - self.rho) * g
        if self.momentum:
            new["momentum"] = self.momentum * state["momentum"] + self.scale(new, t) * g
        return new

    def scale(self, state, t):
        v = state["velocity"]
        if self.centered:
            v = tf.maximum(v - tf.square(state["average_gradient"]), 0.0)
        return inverse_root(self.epsilon + v)

    def direction(self, state, g, t):
        return g

    def update(self, theta, state, g, t, eta):
        if not self.momentum:
            return super().update(theta, state, g, t, eta)
        new = self.advance(state, g, t)
        return new, eta * new["momentum"]

"""Adadelta: steps in the units of the parameters."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import inverse_root, running_mean
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class Adadelta(Optimizer):
    r"""Adadelta: the size of recent steps over the size of recent gradients, with no rate to tune.

    .. math::
        E_g = \rho E_g + (1-\rho) g_t^2, \qquad
        \Delta_t = \frac{\sqrt{E_x + \varepsilon}{\sqrt{E_g + \varepsilon} \, g_t, \qquad
        E_x = \rho E_x + (1-\rho) \Delta_t^2, \qquad \theta_t = \theta_{t-1} - \eta \Delta_t

    Effective learning rate: η √(E_x + ε) / √(E_g + ε), elementwise, on the direction g. A step
    uses E_x from before it: what is read after a step has the new E_x, the rate with which the
    next one begins. Accumulators: ``accumulated_grad`` E_g and ``accumulated_delta_var`` E_x.

    ==============  =======  =========  =========
    implementation  ρ        default ε  default η
    ==============  =======  =========  =========
    tfadaopt        0.95     1e-6       1 (paper)
    PyTorch         0.9      1e-6       1
    Optax           0.9      1e-6       1
    Keras           0.95     1e-7       0.001
    ==============  =======  =========  =========

    The first step is about √(ε / (1 − ρ)) = 0.0045 whatever the gradient: ε *is* the starting rate.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 1.
        rho: ρ in [0, 1), the share of both means that is kept per step. Default 0.95.
        epsilon: ε ≥ 0, inside both roots. With 0, nothing ever moves. Default 1e-6.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.Adadelta(rho=0.0, epsilon=9.0)
        >>> optimizer.apply([keras.ops.array([4.0])], [w])
        >>> round(float(w.numpy()[0]), 4)  # 3 / √(16 + 9) of the gradient
        -2.4

    Source:
        M. D. Zeiler, "ADADELTA: an adaptive learning rate method", arXiv 1212.5701 (2012),
        Algorithm 1.
    """

    unit = "coordinate"
    follows_gradient = True
    gradient_in = GradientIn("accumulated_grad", power=2, kept="rho", mean=True)

    def __init__(
        self, learning_rate: Rate = 1.0, rho: float = 0.95, epsilon: float = 1e-6, **kwargs
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.rho = share(owner, "rho", rho, "both running means, such as 0.95")
        self.epsilon = small(owner, epsilon, "1e-6")

    def slots(self, shape):
        return {"accumulated_grad": 0.0, "accumulated_delta_var": 0.0}

    def advance(self, state, g, t):
        e_g = running_mean(state["accumulated_grad"], tf.square(g), self.rho)
        step = self.scale({**state, "accumulated_grad": e_g}, t) * g
        e_x = running_mean(state["accumulated_delta_var"], tf.square(step), self.rho)
        return {"accumulated_grad": e_g, "accumulated_delta_var": e_x}

    def scale(self, state, t):
        root = tf.sqrt(state["accumulated_delta_var"] + self.epsilon)
        return root * inverse_root(state["accumulated_grad"] + self.epsilon)

    def direction(self, state, g, t):
        return g

    def update(self, theta, state, g, t, eta):
        new = self.advance(state, g, t)
        before = {**new, "accumulated_delta_var": state["accumulated_delta_var"]}
        return new, self.delta(before, g, t, eta)

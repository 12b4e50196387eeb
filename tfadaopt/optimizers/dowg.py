"""DoWG: DoG with weights that grow with the distance."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import number, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.first import UPDATES, start_of
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class DoWG(Optimizer):
    r"""DoWG: as DoG, but each squared gradient counts with the squared distance at its time.

    .. math::
        \bar r_t^2 = \max(\bar r_{t-1}^2, \|\theta_t - \theta_0\|^2), \qquad
        v_t = v_{t-1} + \bar r_t^2 \|g_t\|^2, \qquad
        \theta_{t+1} = \theta_t - \eta \, \frac{\bar r_t^2}{\sqrt{v_t} + \varepsilon} \, g_t

    over all variables together, with r̄₀ = r_ε.

    Effective learning rate: η r̄² / (√v + ε), one for all variables, on the direction g.
    Accumulators: ``start`` θ₀, and the numbers ``squared_distance`` r̄², ``gradient_sum`` v (both
    shared by all variables) and ``updates``.

    ======================  ==============  =========
    implementation          r_ε²            default ε
    ======================  ==============  =========
    tfadaopt                1e-4            1e-4
    Optax (contrib)         1e-4            1e-4
    Keras, PyTorch          —               —
    ======================  ==============  =========

    The ε beside the root is from the authors' code; the paper has none.

    Args:
        learning_rate: η ≥ 0, a factor; the method is meant for 1. Default 1.
        initial_distance: r_ε > 0, the least distance. Default 0.01.
        epsilon: ε ≥ 0, beside the root. Default 1e-4.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0, 0.0])
        >>> optimizer = tfadaopt.DoWG(initial_distance=0.25, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([8.0, 0.0])], [w])
        >>> w.numpy().tolist()  # the first step has the length r_ε
        [-0.25, 0.0]

    Source:
        A. Khaled, K. Mishchenko and C. Jin, "DoWG unleashed: an efficient universal parameter-free
        gradient descent method", NeurIPS 2023, arXiv 2305.16284, Algorithm 1.
    """

    unit = "coordinate"

    def __init__(
        self,
        learning_rate: Rate = 1.0,
        initial_distance: float = 0.01,
        epsilon: float = 1e-4,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.initial_distance = number(
            owner,
            "initial_distance",
            initial_distance,
            above=0.0,
            hint="give the length r_ε of the first step, such as 0.01",
        )
        self.epsilon = small(owner, epsilon, "1e-4")

    def slots(self, shape):
        return {"start": 0.0, **UPDATES}

    def shared(self):
        return {"squared_distance": self.initial_distance**2, "gradient_sum": 0.0}

    def terms(self, shared, theta, state, g, t, eta):
        moved = theta - start_of(theta, state)
        return {"distances": tf.square(moved), "squares": tf.square(g)}

    def combine(self, shared, sums, t, eta):
        r2 = tf.maximum(shared["squared_distance"], sums["distances"])
        # Where somebody sets all state to zeros, the method starts anew.
        r2 = tf.maximum(r2, self.shared()["squared_distance"])
        v = shared["gradient_sum"] + r2 * sums["squares"]
        return {"squared_distance": r2, "gradient_sum": v}

    def scale(self, state, t):
        root = tf.sqrt(state["gradient_sum"]) + self.epsilon
        return tf.math.divide_no_nan(state["squared_distance"], root)

    def update(self, theta, state, g, t, eta):
        new = {"start": start_of(theta, state), "updates": state["updates"] + 1}
        return new, self.rate(state, t, eta) * g

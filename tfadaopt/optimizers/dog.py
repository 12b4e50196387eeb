"""DoG: the rate is the distance over the gradients."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import number, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.first import UPDATES, is_first, start_of
from tfadaopt.optimizers.pieces.moments import inverse_root, running_mean
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class DoG(Optimizer):
    r"""DoG: SGD whose rate is the distance from the start over the root of all squared gradients.

    .. math::
        \bar r_t = \max_{i \le t} \|\theta_i - \theta_0\|, \qquad
        G_t = \sum_{i \le t} \|g_i\|^2, \qquad
        \theta_{t+1} = \theta_t - \eta \, \frac{\bar r_t}{\sqrt{G_t + \varepsilon}} \, g_t

    over all variables together, with r̄ ≥ r_ε (1 + ‖θ₀‖). The paper's result is a mean of the
    weights, x̄_t = (1 − w) x̄_{t−1} + w θ_{t+1} with w = (1 + a) / (t + a): evaluate, save and export
    inside ``with tfadaopt.averaged_weights(model):``, and give ``fit`` the callback
    ``tfadaopt.callbacks.AveragedWeights``.

    Effective learning rate: η r̄ / √(G + ε), one for all variables, on the direction g.
    Accumulators: ``start`` θ₀, ``average`` x̄, and the numbers ``max_distance`` r̄,
    ``gradient_sum`` G (both shared by all variables) and ``updates``.

    ==================  ==========================
    implementation      difference
    ==================  ==========================
    tfadaopt, paper     —
    Optax (contrib)     no mean of the weights
    Keras, PyTorch      not there
    ==================  ==========================

    Args:
        learning_rate: η ≥ 0, a factor; the method is meant for 1. Default 1.
        initial_distance: r_ε > 0, as a share of 1 + ‖θ₀‖; 1e-4 with batch normalization. Default
            1e-6.
        epsilon: ε ≥ 0, inside the root. Default 1e-8.
        averaging: a ≥ 0, how fast the mean forgets, or None for no mean and no memory for it.
            Default 8.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0, 0.0])
        >>> optimizer = tfadaopt.DoG(initial_distance=0.25, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([8.0, 0.0])], [w])
        >>> w.numpy().tolist()  # the first step has the length r_ε
        [-0.25, 0.0]

    Source:
        M. Ivgi, O. Hinder and Y. Carmon, "DoG is SGD's best friend: a parameter-free dynamic step
        size schedule", ICML 2023, arXiv 2302.12022, equation 1; the mean: section 4.1.
    """

    unit = "coordinate"

    def __init__(
        self,
        learning_rate: Rate = 1.0,
        initial_distance: float = 1e-6,
        epsilon: float = 1e-8,
        averaging: float | None = 8.0,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.initial_distance = number(
            owner,
            "initial_distance",
            initial_distance,
            above=0.0,
            hint="give the first step r_ε as a share of 1 + ‖θ₀‖, such as 1e-6",
        )
        self.epsilon = small(owner, epsilon, "1e-8")
        if averaging is not None:
            hint = "give how fast the mean of the weights forgets, such as 8, or None for no mean"
            averaging = number(owner, "averaging", averaging, at_least=0.0, hint=hint)
        self.averaging = averaging

    def slots(self, shape):
        average = {} if self.averaging is None else {"average": 0.0}
        return {"start": 0.0, **average, **UPDATES}

    def shared(self):
        return {"max_distance": 0.0, "gradient_sum": 0.0}

    def terms(self, shared, theta, state, g, t, eta):
        # Before the first step nothing has moved yet, and ‖θ₀‖ is wanted instead.
        origin = tf.where(shared["max_distance"] > 0, start_of(theta, state), 0)
        return {"distances": tf.square(theta - origin), "squares": tf.square(g)}

    def combine(self, shared, sums, t, eta):
        r, distance = shared["max_distance"], tf.sqrt(sums["distances"])
        least = self.initial_distance * (1 + distance)
        return {
            "max_distance": tf.where(r > 0, tf.maximum(r, distance), least),
            "gradient_sum": shared["gradient_sum"] + sums["squares"],
        }

    def scale(self, state, t):
        return state["max_distance"] * inverse_root(state["gradient_sum"] + self.epsilon)

    def update(self, theta, state, g, t, eta):
        delta = self.rate(state, t, eta) * g
        new = {"start": start_of(theta, state), "updates": state["updates"] + 1}
        if self.averaging is not None:
            kept = (t - 1) / (t + self.averaging)
            average = tf.where(is_first(state), theta - delta, state["average"])
            new["average"] = running_mean(average, theta - delta, kept)
        return new, delta

    def inside(self, theta, state, t, eta, constraint):
        if self.averaging is None:
            return {}, theta
        kept = (t - 1) / (t + self.averaging)
        kept = tf.where(tf.equal(state["updates"], 1), tf.zeros_like(kept), kept)
        return {"average": state["average"] + (1 - kept) * (constraint(theta) - theta)}, theta

    def averaged(self, variable):
        """x̄ of a variable of the model: what to evaluate and keep."""
        theta, state = self.now(variable)
        return (
            theta if self.averaging is None else tf.where(is_first(state), theta, state["average"])
        )

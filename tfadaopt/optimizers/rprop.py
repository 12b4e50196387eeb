"""Rprop: steps that grow while the sign of the gradient stays, and shrink when it changes."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import number
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class Rprop(Optimizer):
    r"""Rprop (iRprop−), for full batches: a step per coordinate, whatever the size of its gradient.

    .. math::
        \Delta_t = \begin{cases}
        \min(1.2 \, \Delta_{t-1}, \Delta_{\max}) & g_t \, g_{t-1} > 0 \\
        \max(0.5 \, \Delta_{t-1}, \Delta_{\min}), \quad g_t \leftarrow 0 & g_t \, g_{t-1} < 0 \\
        \Delta_{t-1} & \text{else}
        \end{cases}
        \qquad \theta_t = \theta_{t-1} - \eta \, \Delta_t \, \mathrm{sign}(g_t)

    After a change of sign a coordinate waits a step, and does not shrink a second time.

    It needs the gradient of all data. On small batches signs change by chance: nine gradients of
    0.1 and one of −0.9 should move a weight nowhere, but move it by eight steps, and each change
    halves the step, so that the noisiest weights stop first. RMSprop began as a mend of that.

    Effective learning rate: η Δ, elementwise, on the direction sign(g), 0 in a coordinate that
    waits. Accumulators: ``step_size`` Δ and ``previous_gradient``.

    ==============  ==========  ========  ========================  =======================
    implementation  default Δ₀  factors   what is given as a rate   steps under g = 1, 1, 1
    ==============  ==========  ========  ========================  =======================
    tfadaopt        0.01        0.5, 1.2  η, a factor on all steps  Δ₀ (1, 1.2, 1.44)
    PyTorch         0.01        0.5, 1.2  Δ₀, of no effect later    Δ₀ (1, 1.2, 1.44)
    Optax           —           0.5, 1.2  Δ₀, of no effect later    Δ₀ (0, 1, 1.2)
    Keras           —           —         —                         —
    ==============  ==========  ========  ========================  =======================

    Optax (0.2.8) moves by the step of the update before: not at first, nor twice after a change of
    sign. The product of two gradients of 1e-23 is 0 in float32, so that PyTorch leaves Δ as it is;
    here the signs are multiplied.

    Args:
        initial_step: Δ₀ > 0. Default 0.01.
        increase: Factor > 1 while the sign stays. Default 1.2.
        decrease: Factor in (0, 1) when it changes. Default 0.5.
        smallest: Δ_min > 0. Default 1e-6.
        largest: Δ_max ≥ Δ_min. Default 50.
        learning_rate: η ≥ 0, a factor on all steps, meant to be 1 or a schedule that begins there.
            Default 1.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.Rprop(initial_step=1.0, increase=1.5)
        >>> for g in (9.0, 0.1, -5.0, -5.0):
        ...     optimizer.apply([keras.ops.array([g])], [w])
        >>> w.numpy().tolist()  # by −1, −1.5, 0 and 0.75
        [-1.75]

    Source:
        M. Riedmiller and H. Braun, "A direct adaptive method for faster backpropagation learning:
        the RPROP algorithm", ICNN 1993; in the form of C. Igel and M. Hüsken, "Empirical evaluation
        of the improved Rprop learning algorithms", Neurocomputing 50 (2003), iRprop−.
    """

    unit = "coordinate"
    follows_gradient = True
    gradient_in = GradientIn("previous_gradient")

    def __init__(
        self,
        initial_step: float = 0.01,
        increase: float = 1.2,
        decrease: float = 0.5,
        smallest: float = 1e-6,
        largest: float = 50.0,
        learning_rate: Rate = 1.0,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        hint = "give the step that each coordinate begins with, such as 0.01"
        self.initial_step = number(owner, "initial_step", initial_step, above=0.0, hint=hint)
        hint = "give the factor of a step while the sign stays, such as 1.2"
        self.increase = number(owner, "increase", increase, above=1.0, hint=hint)
        hint = "give the factor of a step after a change of sign, such as 0.5"
        self.decrease = number(owner, "decrease", decrease, above=0.0, below=1.0, hint=hint)
        hint = "give the smallest step, such as 1e-6"
        self.smallest = number(owner, "smallest", smallest, above=0.0, hint=hint)
        hint = f"give the largest step, at least the smallest of {self.smallest}, such as 50"
        self.largest = number(owner, "largest", largest, at_least=self.smallest, hint=hint)

    def slots(self, shape):
        return {"step_size": self.initial_step, "previous_gradient": 0.0}

    def advance(self, state, g, t):
        # Δ₀ again where all state was set to 0, as is usual to begin anew.
        step = tf.where(state["step_size"] > 0, state["step_size"], self.initial_step)
        same = tf.sign(g) * tf.sign(state["previous_gradient"])
        longer = tf.minimum(self.increase * step, self.largest)
        shorter = tf.maximum(self.decrease * step, self.smallest)
        return {
            "step_size": tf.where(same > 0, longer, tf.where(same < 0, shorter, step)),
            "previous_gradient": tf.where(same < 0, tf.zeros_like(g), g),
        }

    def scale(self, state, t):
        return state["step_size"]

    def direction(self, state, g, t):
        return tf.sign(state["previous_gradient"])

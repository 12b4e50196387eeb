"""SM3: Adagrad whose sums are kept per row and column."""

import functools

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import inverse_root, running_mean
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class SM3(Optimizer):
    r"""SM3: Adagrad in the memory of its rows and columns, which bound each sum from above.

    .. math::
        \nu_t(i) = \min_{r \ni i} \mu_{t-1}(r) + g_t(i)^2, \qquad
        \mu_t(r) = \max_{i \in r} \nu_t(i)

    .. math::
        m_t = \beta m_{t-1} + (1-\beta) \frac{g_t}{\sqrt{\nu_t + \varepsilon}}, \qquad
        \theta_t = \theta_{t-1} - \eta \, m_t

    where r runs over the slices of the variable along each axis. For vectors, ν is Adagrad's sum.

    Effective learning rate: η / √(min μ + ε), elementwise, read from what is kept: the least with
    which the step's gradient entered (exactly that for vectors), as ν itself is not kept.
    Accumulators: ``accumulator_0``, ``accumulator_1``, … with μ of each axis, and ``momentum`` m.

    ==============  ===================  ========================
    implementation  ε                    momentum
    ==============  ===================  ========================
    tfadaopt        0, inside the root   running mean of g/√ν
    Optax           1e-8, inside         running mean of g/√ν
    Keras, PyTorch  —                    —
    ==============  ===================  ========================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.1.
        momentum: β in [0, 1), the share of m that is kept per step. Default 0.9.
        epsilon: ε ≥ 0, inside the root. With 0, a coordinate without any gradient so far stands
            still. Default 0.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([[0.0, 0.0], [0.0, 0.0]])
        >>> optimizer = tfadaopt.SM3(learning_rate=1.0, momentum=0.0)
        >>> optimizer.apply([keras.ops.array([[1.0, 2.0], [0.0, 3.0]])], [w])
        >>> tfadaopt.accumulators(optimizer, w)["accumulator_0"].numpy().tolist()
        [4.0, 9.0]

    Source:
        R. Anil, V. Gupta, T. Koren and Y. Singer, "Memory-efficient adaptive optimization",
        NeurIPS 2019, arXiv 1901.11150, Algorithm SM3-II.
    """

    unit = "variable"

    def __init__(
        self,
        learning_rate: Rate = 0.1,
        momentum: float = 0.9,
        epsilon: float = 0.0,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.momentum = share(owner, "momentum", momentum, "the mean of steps, such as 0.9")
        self.epsilon = small(owner, epsilon, "0 or 1e-8")

    def slots(self, shape):
        lengths = [Slot((n,)) for n in shape] or [Slot(())]
        covers = {f"accumulator_{axis}": slot for axis, slot in enumerate(lengths)}
        return {**covers, "momentum": 0.0}

    def bound(self, state):
        """min μ of the slices through each coordinate."""
        covers = [mu for name, mu in state.items() if name.startswith("accumulator_")]
        rank = len(covers)
        spread = [
            tf.reshape(mu, [-1 if k == axis else 1 for k in range(rank)]) if mu.shape.rank else mu
            for axis, mu in enumerate(covers)
        ]
        return functools.reduce(tf.minimum, spread)

    def scale(self, state, t):
        return inverse_root(self.bound(state) + self.epsilon)

    def update(self, theta, state, g, t, eta):
        nu = self.bound(state) + tf.square(g)
        m = running_mean(state["momentum"], inverse_root(nu + self.epsilon) * g, self.momentum)
        new = {"momentum": m}
        for axis in range(max(g.shape.rank, 1)):
            others = [k for k in range(g.shape.rank) if k != axis]
            # The largest of no coordinates is −∞, but a sum of squares is never below 0.
            new[f"accumulator_{axis}"] = tf.maximum(tf.reduce_max(nu, axis=others), 0)
        return new, eta * m

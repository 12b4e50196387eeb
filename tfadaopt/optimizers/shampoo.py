"""Shampoo: a matrix for the rows and one for the columns of each gradient."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import count, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces import matrices
from tfadaopt.optimizers.pieces.first import UPDATES
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class Shampoo(Optimizer):
    r"""Shampoo: Adagrad with matrices, one for each side of the gradient as a matrix.

    .. math::
        L_t = L_{t-1} + G_t G_t^\top, \qquad R_t = R_{t-1} + G_t^\top G_t, \qquad
        W_t = W_{t-1} - \eta \,
        (\varepsilon I + L_t)^{-1/4} \, G_t \, (\varepsilon I + R_t)^{-1/4}

    A vector has one matrix, with the power −1/2: full-matrix Adagrad. The kernel of a convolution
    is a matrix of (height · width · inputs, outputs), and sides of 1 are dropped. A side longer
    than ``max_dimension`` keeps the diagonal of its matrix only, as in the paper's section 5.

    There is no effective learning rate per coordinate: asking for it raises
    ``tfadaopt.UnsupportedOptimizerError``. Accumulators: ``statistics_0`` L and ``statistics_1`` R,
    ``root_0`` and ``root_1`` (their powers when last refreshed), and the number ``updates``.

    ===================  ==========================================================
    implementation       difference
    ===================  ==========================================================
    tfadaopt, paper      sums, −1/4 for a matrix
    Distributed Shampoo  running means, grafted step sizes, blocks of large kernels
    Optax, Keras         —
    PyTorch              —
    ===================  ==========================================================

    The roots are taken in float64, whatever the variable.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.1.
        epsilon: ε ≥ 0, added to the eigenvalues. With 0, directions without any gradient so far
            stand still. Default 1e-4.
        refresh_every: Updates ≥ 1 between two computations of the roots; 10 to 20 makes large
            kernels affordable and costs little. Default 1, as in Algorithm 1.
        max_dimension: Longest side ≥ 1 that has a full matrix. Default 1024.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([[0.0, 0.0], [0.0, 0.0]])
        >>> optimizer = tfadaopt.Shampoo(learning_rate=1.0, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([[0.0, 4.0], [-9.0, 0.0]])], [w])
        >>> w.numpy().round(5).tolist()  # singular values become 1
        [[0.0, -1.0], [1.0, 0.0]]

    Source:
        V. Gupta, T. Koren and Y. Singer, "Shampoo: preconditioned stochastic tensor optimization",
        ICML 2018, arXiv 1802.09568, Algorithm 1.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.1,
        epsilon: float = 1e-4,
        refresh_every: int = 1,
        max_dimension: int = 1024,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.epsilon = small(owner, epsilon, "1e-4")
        self.refresh_every = count(
            owner, "refresh_every", refresh_every, at_least=1, hint="give a number such as 10"
        )
        self.max_dimension = count(
            owner, "max_dimension", max_dimension, at_least=1, hint="give a length such as 1024"
        )

    def slots(self, shape):
        if 0 in shape:
            return dict(UPDATES)
        slots = dict(UPDATES)
        for side, n in enumerate(matrices.sides(shape)):
            square = Slot((n, n) if n <= self.max_dimension else (n,))
            slots |= {f"statistics_{side}": square, f"root_{side}": square}
        return slots

    def scale(self, state, t):
        raise matrices.no_rate(self.name)

    def update(self, theta, state, g, t, eta):
        (done,) = self.update_all([theta], [state], [g], t, eta)
        return done

    def update_all(self, thetas, states, gradients, t, eta):
        shapes = [() if 0 in theta.shape else matrices.sides(theta.shape) for theta in thetas]
        steps = [
            tf.reshape(g, shape) if shape else g for g, shape in zip(gradients, shapes, strict=True)
        ]
        sides = [(i, side) for i, shape in enumerate(shapes) for side in range(len(shape))]
        statistics = [
            self.next_statistics(states[i][f"statistics_{side}"], steps[i], side)
            for i, side in sides
        ]
        new = [{"updates": state["updates"] + 1} for state in states]
        roots = self.roots(states, statistics, sides, [2 * len(shape) for shape in shapes])
        for (i, side), sums, root in zip(sides, statistics, roots, strict=True):
            new[i] |= {f"statistics_{side}": sums, f"root_{side}": root}
            steps[i] = matrices.multiply(root, steps[i], side)
        return [
            (state, eta * tf.reshape(step, theta.shape))
            for state, step, theta in zip(new, steps, thetas, strict=True)
        ]

    def next_statistics(self, statistics, gradient, side):
        """L or R, or its diagonal, after a gradient."""
        full = statistics.shape.rank == 2
        of_g = matrices.gram if full else matrices.gram_diagonal
        return statistics + of_g(gradient, side)

    def roots(self, states, statistics, sides, orders):
        """The roots of all sides of all variables: fresh for those that are due."""
        before = [states[i][f"root_{side}"] for i, side in sides]
        due = [tf.equal(states[i]["updates"] % self.refresh_every, 0) for i, _ in sides]

        def fresh():
            roots = matrices.in_stacks(
                lambda stack, orders: matrices.inverse_power(stack, orders, self.epsilon),
                statistics,
                [orders[i] for i, _ in sides],
            )
            return [tf.where(*x) for x in zip(due, roots, before, strict=True)]

        if self.refresh_every == 1 or not sides:
            return fresh()
        return tf.cond(tf.reduce_any(due), fresh, lambda: before)

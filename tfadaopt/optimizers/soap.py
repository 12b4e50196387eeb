"""SOAP: Adam in the eigenbasis of Shampoo's matrices."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import count, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces import matrices
from tfadaopt.optimizers.pieces.eigenbases import refreshed
from tfadaopt.optimizers.pieces.first import UPDATES, is_first
from tfadaopt.optimizers.pieces.moments import reciprocal, running_mean, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class SOAP(Optimizer):
    r"""SOAP: Adam on the gradient rotated by the eigenvectors of its mean G Gᵀ and Gᵀ G.

    .. math::
        G' = Q_L^\top G \, Q_R, \qquad M \leftarrow \beta_1 M + (1-\beta_1) G, \qquad
        V \leftarrow \beta_2 V + (1-\beta_2) G'^2

    .. math::
        W \leftarrow W - \eta Q_L \frac{Q_L^\top \hat M Q_R}{\sqrt{\hat V} + \varepsilon} Q_R^\top

    and L ← β₂ L + (1 − β₂) G Gᵀ, R likewise, whose eigenvectors Q follow every ``refresh_every``
    updates by one power iteration and a QR decomposition. The first update only sets L, R and Q.
    Vectors are stepped by Adam; a side longer than ``max_dimension`` is not rotated.

    No coordinate has an effective learning rate: ``tfadaopt.UnsupportedOptimizerError``.
    Accumulators: ``momentum`` M, ``velocity`` V, ``statistics_0`` L, ``statistics_1`` R,
    ``basis_0`` and ``basis_1`` Q, and the number ``updates``.

    =====================  =========================================
    implementation         kernels of convolutions
    =====================  =========================================
    tfadaopt               matrix (height · width · inputs, outputs)
    authors' code          one basis per axis (merged by option)
    Keras, PyTorch, Optax  —
    =====================  =========================================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.003.
        beta_1: β₁ in [0, 1), the share of M that is kept per step. Default 0.95.
        beta_2: β₂ in [0, 1), the share of V, L and R that is kept per step. Default 0.95.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        weight_decay: λ ≥ 0 or None. Default 0.01.
        refresh_every: Updates ≥ 1 between two refreshments of Q. Default 10.
        max_dimension: Longest side ≥ 1 that is rotated. Default 1024 (the authors' is 10,000).
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([[0.0, 0.0], [0.0, 0.0]])
        >>> optimizer = tfadaopt.SOAP(learning_rate=1.0, weight_decay=None)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.array([[0.0, 4.0], [-9.0, 0.0]])], [w])
        >>> w.numpy().round(5).tolist()  # the first update moves nothing
        [[0.0, -1.0], [1.0, 0.0]]

    Source:
        N. Vyas et al., "SOAP: improving and stabilizing Shampoo using Adam", ICLR 2025,
        arXiv 2409.11321, Algorithm 3, with the bias correction of the authors' code.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.003,
        beta_1: float = 0.95,
        beta_2: float = 0.95,
        epsilon: float = 1e-8,
        weight_decay: float | None = 0.01,
        refresh_every: int = 10,
        max_dimension: int = 1024,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.95")
        self.beta_2 = share(owner, "beta_2", beta_2, "the other means, such as 0.95")
        self.epsilon = small(owner, epsilon, "1e-8")
        hint = "give a number such as 10 or 1024"
        self.refresh_every = count(owner, "refresh_every", refresh_every, at_least=1, hint=hint)
        self.max_dimension = count(owner, "max_dimension", max_dimension, at_least=1, hint=hint)

    def slots(self, shape):
        rotated = matrices.short_sides(shape, self.max_dimension)
        velocity = Slot(matrices.sides(shape)) if rotated else 0.0
        slots = {"momentum": 0.0, "velocity": velocity, **UPDATES}
        for side, n in rotated.items():
            slots |= {f"statistics_{side}": Slot((n, n)), f"basis_{side}": Slot((n, n))}
        return slots

    def scale(self, state, t):
        raise matrices.no_rate(self.name)

    def adam_step(self, m, v, k):
        """m̂ / (√v̂ + ε)."""
        root = tf.sqrt(v / weight_so_far(self.beta_2, k)) + self.epsilon
        return m / weight_so_far(self.beta_1, k) * reciprocal(root)

    def decay_now(self, state, decay):
        if "statistics_0" not in state and "statistics_1" not in state:
            return decay  # Vectors take Adam's steps from the first on.
        return tf.where(is_first(state), tf.zeros_like(state["updates"]), decay)

    def update(self, theta, state, g, t, eta):
        (done,) = self.update_all([theta], [state], [g], t, eta)
        return done

    def update_all(self, thetas, states, gradients, t, eta):
        done = [self.step_in_basis(*x, eta) for x in zip(thetas, states, gradients, strict=True)]
        news, deltas = zip(*done, strict=True)
        return list(zip(refreshed(states, news, self.refresh_every), deltas, strict=True))

    def step_in_basis(self, theta, state, g, eta):
        """State after g, but for the bases, and what is subtracted from θ."""
        k, rotated = state["updates"], matrices.short_sides(theta.shape, self.max_dimension)
        m = running_mean(state["momentum"], g, self.beta_1)
        if not rotated:
            v = running_mean(state["velocity"], tf.square(g), self.beta_2)
            new = {"momentum": m, "velocity": v, "updates": k + 1}
            return new, eta * self.adam_step(m, v, k + 1)
        first, shape = is_first(state), matrices.sides(theta.shape)
        gradient = tf.reshape(g, shape)
        bases = {side: state[f"basis_{side}"] for side in rotated}
        there = {side: tf.transpose(basis) for side, basis in bases.items()}
        v = running_mean(
            state["velocity"], tf.square(matrices.rotate(gradient, there)), self.beta_2
        )
        m_there, v_known = matrices.rotate(tf.reshape(m, shape), there), matrices.known_squares(v)
        step = self.adam_step(m_there, v_known, tf.maximum(k, 1))
        step = matrices.rotate(step, bases)
        statistics = {
            f"statistics_{side}": running_mean(
                state[f"statistics_{side}"], matrices.gram(gradient, side), self.beta_2
            )
            for side in rotated
        }

        def not_yet(x):
            return tf.where(first, tf.zeros_like(x), x)

        new = {"momentum": not_yet(m), "velocity": not_yet(v), "updates": k + 1, **statistics}
        return new, not_yet(eta * tf.reshape(step, theta.shape))

"""Muon: momentum whose matrices are orthogonalized."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Variable
from tfadaopt.optimizers.arguments import boolean, choice, count, number, patterns, share
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.matrices import no_rate
from tfadaopt.optimizers.pieces.moments import adam_scale, first_and_second
from tfadaopt.optimizers.pieces.orthogonal import (
    SCALES,
    Recipe,
    is_matrix,
    muon_steps,
    scale_of,
)
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.routes import Routes, routes_of
from tfadaopt.optimizers.rule import Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class Muon(Optimizer):
    r"""Muon: the step of a kernel is its momentum with all singular values brought near to 1.

    .. math::
        M_t = \mu M_{t-1} + (1-\mu) G_t, \qquad U = \mu M_t + (1-\mu) G_t, \qquad
        X_0 = \frac{U}{\|U\|_F + 10^{-7}}

    .. math::
        X_{k+1} = a X_k + (b A + c A^2) X_k, \quad A = X_k X_k^\top, \qquad
        W_t = W_{t-1} - \eta \, s \, X_{\text{steps}}

    with (a, b, c) = (3.4445, −4.7750, 2.0315), which brings singular values to 0.7 … 1.2, and s
    from the sides of the kernel. A kernel of any rank is the matrix (fan_in, out), all axes but the
    last being its rows; equal shapes go through the iteration in one batch.

    Not all variables are such matrices: ``optimizer.routes()`` is a table of which is and why.
    Stepped by Muon are those of rank ≥ 2 but embeddings, the first kernel of a convolution, the
    last of a ``Dense``, kernels of depthwise convolutions, and what has a side below 4 or one more
    than 128 times the other. Patterns (``only_muon``, ``only_adamw``) override that. All else is
    stepped by AdamW with η · ``adamw_ratio``, so that a schedule moves both.

    A matrix has no effective learning rate, as no coordinate is sized by itself: asking for it is a
    ``tfadaopt.UnsupportedOptimizerError``. What there is instead is η s, which the largest
    singular value of its step is near to: ``optimizer.spectral_scale(variable)``, logged as
    ``spectral_scale``. The rest has Adam's rate. Accumulators: ``momentum`` M, and v of the neurons
    as ``neurons`` and ``sgd_momentum`` where they are used; ``momentum`` and ``velocity`` of the
    rest.

    ==============  =======================  ================  =====
    implementation  kernels                  iteration in      λ
    ==============  =======================  ================  =====
    tfadaopt        any rank                 float32, float64  0
    muon.py         2 axes, or 4             bfloat16          0
    Keras           2 axes, all else AdamW   float32           0.004
    PyTorch         2 axes, others refused   bfloat16          0.1
    Optax           2 axes                   float32           0
    ==============  =======================  ================  =====

    Of a kernel of 3 × 3 × 16 × 288, s is √2 here and 1 in ``muon.py``, which takes the sides of the
    convolution's window. Optax corrects M and G for their start, so that it mixes them otherwise
    in the first steps.

    *NorMuon* (``normalize="neurons"``) divides each column of X, which feeds one neuron, by the
    root of a running mean of its squares, and gives X its old norm back. The authors' code takes
    that mean over the width of a convolution alone. *MuSGD* (``sgd_weight`` > 0) adds a step of
    SGD with a momentum of its own: θ ← θ − η (``muon_weight`` s X + ``sgd_weight`` d); its decay is
    coupled, in d only, and what is no matrix is stepped by such a d with η.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable; 0.001 is usual with "match_rms".
            Default 0.02.
        momentum: μ in [0, 1), the share of M that is kept per step. Default 0.95.
        nesterov: Whether U looks ahead; else U is M. Default True.
        steps: Iterations ≥ 1. Default 5.
        scale: s: "original" √max(1, out/fan_in), "match_rms" 0.2 √max(out, fan_in), with which a
            step is as large as AdamW's usually is, or "spectral" √(out/fan_in). Default
            "original".
        normalize: None, or "neurons" for NorMuon. Default None.
        beta_2: β₂ in [0, 1), the share of NorMuon's v that is kept per step. Default 0.95.
        muon_weight: Weight ≥ 0 of the matrix. Default 1.
        sgd_weight: Weight ≥ 0 of SGD's step; more than 0 is MuSGD. Its authors use 0.5 and 0.5, or
            0.1 and 1 for more than 10,000 updates. Default 0.
        adamw_ratio: AdamW's rate as a share ≥ 0 of η. Default 0.015: 3e-4 of 0.02.
        adamw_beta_1: β₁ in [0, 1) of AdamW. Default 0.9.
        adamw_beta_2: β₂ in [0, 1) of AdamW. Default 0.95.
        adamw_epsilon: ε ≥ 0 of AdamW, beside the root. Default 1e-10.
        weight_decay: λ ≥ 0 or None, times the rate that its variable is stepped with. Default None.
        only_adamw: Regular expressions, searched in the paths of variables: these are no matrices.
        only_muon: Regular expressions: those of rank ≥ 2 are, whatever the rule above says.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.
        re.error: A pattern is no regular expression.

    Example:
        >>> import keras, tfadaopt
        >>> x = inputs = keras.Input([28, 28, 1])
        >>> for name, width in (("stem", 8), ("conv", 16)):
        ...     x = keras.layers.Conv2D(width, 3, use_bias=False, name=name)(x)
        >>> model = keras.Model(inputs, x)
        >>> model.compile(tfadaopt.Muon(), "mse")
        >>> model.optimizer.build(model.trainable_variables)
        >>> model.optimizer.routes()
        variable     shape           stepped by  because
        -----------  --------------  ----------  ---------------------
        stem/kernel  3 × 3 × 1 × 8   AdamW       the first convolution
        conv/kernel  3 × 3 × 8 × 16  Muon        a matrix of 72 × 16

    Source:
        K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024,
        kellerjordan.github.io/posts/muon, and its code; "match_rms": J. Liu et al., "Muon is
        scalable for LLM training", 2025, arXiv 2502.16982, equation 4; NorMuon: Z. Li et al.,
        2025, arXiv 2510.05491, Algorithm 1; MuSGD: Ultralytics, 2026.
    """

    some_rates = True

    def __init__(
        self,
        learning_rate: Rate = 0.02,
        momentum: float = 0.95,
        nesterov: bool = True,
        steps: int = 5,
        scale: str = "original",
        normalize: str | None = None,
        beta_2: float = 0.95,
        muon_weight: float = 1.0,
        sgd_weight: float = 0.0,
        adamw_ratio: float = 0.015,
        adamw_beta_1: float = 0.9,
        adamw_beta_2: float = 0.95,
        adamw_epsilon: float = 1e-10,
        weight_decay: float | None = None,
        only_adamw: Sequence[str] | None = None,
        only_muon: Sequence[str] | None = None,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.momentum = share(owner, "momentum", momentum, "the mean of gradients, such as 0.95")
        self.nesterov = boolean(owner, "nesterov", nesterov)
        self.steps = count(owner, "steps", steps, at_least=1, hint="give a number such as 5")
        self.factor = choice(owner, "scale", scale, tuple(SCALES), "they are forms of s")
        self.normalize = choice(
            owner, "normalize", normalize, (None, "neurons"), "the latter is NorMuon"
        )
        self.beta_2 = share(owner, "beta_2", beta_2, "the neurons' squares, such as 0.95")
        hint = "give a factor such as 1, 0.5 or 0.015"
        self.muon_weight = number(owner, "muon_weight", muon_weight, at_least=0.0, hint=hint)
        self.sgd_weight = number(owner, "sgd_weight", sgd_weight, at_least=0.0, hint=hint)
        self.adamw_ratio = number(owner, "adamw_ratio", adamw_ratio, at_least=0.0, hint=hint)
        self.adamw_beta_1 = share(owner, "adamw_beta_1", adamw_beta_1, "AdamW's mean, such as 0.9")
        self.adamw_beta_2 = share(
            owner, "adamw_beta_2", adamw_beta_2, "AdamW's mean of squares, such as 0.95"
        )
        self.adamw_epsilon = number(
            owner, "adamw_epsilon", adamw_epsilon, at_least=0.0, hint="give a small number ε"
        )
        self.only_adamw = patterns(owner, "only_adamw", only_adamw) or None
        self.only_muon = patterns(owner, "only_muon", only_muon) or None
        self._routes: Routes | None = None

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if not self.built:
            names = ("MuSGD", "SGD") if self.sgd_weight else ("Muon", "AdamW")
            self._routes = routes_of(variables, self.only_muon, self.only_adamw, names)
        super().build(variables)

    def routes(self) -> Routes:
        """Which variable is stepped by what, and why, as a table when it is printed.

        Raises:
            ValueError: The optimizer is not built yet.
        """
        return Routes.known(self.name, self._routes)

    def slots(self, shape):
        slots = {"momentum": 0.0, "velocity": 0.0, "sgd_momentum": 0.0}
        return slots | ({"neurons": Slot(shape[-1:])} if len(shape) > 1 else {})

    def slots_at(self, index, shape):
        matrix = Routes.known(self.name, self._routes).of[index].matrix
        wanted = {
            "momentum": matrix or not self.sgd_weight,
            "velocity": not matrix and not self.sgd_weight,
            "sgd_momentum": bool(self.sgd_weight),
            "neurons": matrix and self.normalize == "neurons",
        }
        return {name: x for name, x in self.slots(shape).items() if wanted[name]}

    def update_all(self, thetas, states, gradients, t, eta):
        return self.steps_of(states, gradients, gradients, t, eta)

    def decay_now(self, state, decay):
        return decay if is_matrix(state) else decay * self.adamw_ratio

    def decay_and_update(self, theta, state, g, t, eta, decay):
        (done,) = self.decay_and_update_all([theta], [state], [g], t, eta, [decay])
        return done

    def decay_and_update_all(self, thetas, states, gradients, t, eta, decays):
        if not self.sgd_weight:
            return super().decay_and_update_all(thetas, states, gradients, t, eta, decays)
        pulled = [
            g + decay * theta if decay else g
            for theta, g, decay in zip(thetas, gradients, decays, strict=True)
        ]
        return self.steps_of(states, gradients, pulled, t, eta)

    def steps_of(self, states, gradients, pulled, t, eta):
        """State after the gradients, and what is subtracted; ``pulled``: with coupled decay."""
        recipe = Recipe(
            self.momentum, self.nesterov, self.steps, self.factor, self.normalize, self.beta_2
        )
        matrices = muon_steps(recipe, states, gradients)
        done = []
        for state, g, matrix in zip(states, pulled, matrices, strict=True):
            new, step = matrix or ({}, 0.0)
            step *= self.muon_weight
            if self.sgd_weight:
                b = self.momentum * state["sgd_momentum"] + g
                d = g + self.momentum * b if self.nesterov else b
                new, step = (
                    {**new, "sgd_momentum": b},
                    step + d * (self.sgd_weight if matrix else 1),
                )
            elif not matrix:
                new = first_and_second(state, g, self.adamw_beta_1, self.adamw_beta_2)
                step = self.scale(new, t) * new["momentum"]
            done.append((new, eta * step))
        return done

    def scale(self, state, t):
        if is_matrix(state):
            raise no_rate(self.name)
        if "velocity" not in state:
            return tf.ones_like(t)
        betas = self.adamw_beta_1, self.adamw_beta_2
        return self.adamw_ratio * adam_scale(state["velocity"], t, *betas, self.adamw_epsilon)

    def spectral_scale(self, variable: Variable, eta: tf.Tensor | None = None) -> tf.Tensor | None:
        """η s of the last update, near to which the singular values of a matrix's step are.

        Of NorMuon, whose singular values differ more, it is their root mean square that is near to
        it. SGD's part of MuSGD is not in it.

        Args:
            variable: A variable that the optimizer was built for.
            eta: η, if it was kept from before the step.

        Returns:
            A number, or None: the variable is no matrix.
        """
        if not is_matrix(self.held.of(variable)):
            return None
        eta = compat.applied_learning_rate(self) if eta is None else eta
        eta *= self.engine.planned.of(variable).multiplier
        return self.muon_weight * scale_of(self.factor, tuple(variable.shape)) * eta

    def get_config(self):
        return {**super().get_config(), "scale": self.factor}

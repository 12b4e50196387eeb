"""The methods that tfadaopt ships, as data: readable without importing Keras."""

import importlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One optimization method: what it is called, where it comes from, what it costs.

    Attributes:
        name: Name of the class, as in ``tfadaopt.Adagrad``.
        module: Module that defines the class; imported only when ``cls`` is asked for.
        year: Year of the source.
        source: Authors, title and the equation or algorithm number.
        rule: The update in one line, in the symbols of the source.
        state: Floats of state per parameter with default arguments.
        elementwise: Whether each coordinate is sized by its own state alone.
    """

    name: str
    module: str
    year: int
    source: str
    rule: str
    state: int
    elementwise: bool = True

    @property
    def cls(self) -> type:
        """The optimizer class itself (importing it imports Keras)."""
        return getattr(importlib.import_module(self.module), self.name)


METHODS = (
    Method(
        name="SGD",
        module="tfadaopt.optimizers.sgd",
        year=1951,
        source="Robbins & Monro, A stochastic approximation method",
        rule="θ ← θ − η g",
        state=0,
    ),
    Method(
        name="Momentum",
        module="tfadaopt.optimizers.momentum",
        year=1964,
        source="Polyak, Some methods of speeding up the convergence of iteration methods",
        rule="b ← μ b + g; θ ← θ − η b",
        state=1,
    ),
    Method(
        name="Nesterov",
        module="tfadaopt.optimizers.nesterov",
        year=1983,
        source="Nesterov; form of Bengio, Boulanger-Lewandowski & Pascanu 2013, section 3.5",
        rule="b ← μ b + g; θ ← θ − η (g + μ b)",
        state=1,
    ),
    Method(
        name="Adagrad",
        module="tfadaopt.optimizers.adagrad",
        year=2011,
        source="Duchi, Hazan & Singer, Adaptive subgradient methods, Figure 1 (diagonal)",
        rule="r ← r + g²; θ ← θ − η g / √(ε + r)",
        state=1,
    ),
    Method(
        name="RMSprop",
        module="tfadaopt.optimizers.rmsprop",
        year=2012,
        source="Tieleman & Hinton, Lecture 6e; centered: Graves 2013, equations 38–45",
        rule="v ← ρ v + (1 − ρ) g²; θ ← θ − η g / √(ε + v)",
        state=1,
    ),
    Method(
        name="Adadelta",
        module="tfadaopt.optimizers.adadelta",
        year=2012,
        source="Zeiler, ADADELTA, Algorithm 1",
        rule="Δ = √(E_x + ε)/√(E_g + ε) g; θ ← θ − η Δ",
        state=2,
    ),
    Method(
        name="Adam",
        module="tfadaopt.optimizers.adam",
        year=2015,
        source="Kingma & Ba, Adam, Algorithm 1",
        rule="θ ← θ − η m̂ / (√v̂ + ε)",
        state=2,
    ),
    Method(
        name="Adamax",
        module="tfadaopt.optimizers.adamax",
        year=2015,
        source="Kingma & Ba, Adam, Algorithm 2",
        rule="u ← max(β₂ u, |g|); θ ← θ − η m̂ / u",
        state=2,
    ),
    Method(
        name="Nadam",
        module="tfadaopt.optimizers.nadam",
        year=2016,
        source="Dozat, Incorporating Nesterov momentum into Adam, Algorithm 2",
        rule="θ ← θ − η m̄ / (√v̂ + ε), m̄ looks ahead",
        state=2,
    ),
    Method(
        name="AMSGrad",
        module="tfadaopt.optimizers.amsgrad",
        year=2018,
        source="Reddi, Kale & Kumar, On the convergence of Adam and beyond, Algorithm 2",
        rule="v̂ ← max(v̂, v); θ ← θ − η m / (√v̂ + ε)",
        state=3,
    ),
    Method(
        name="Yogi",
        module="tfadaopt.optimizers.yogi",
        year=2018,
        source="Zaheer et al., Adaptive methods for nonconvex optimization, Algorithm 2",
        rule="v ← v − (1 − β₂) sign(v − g²) g²; θ ← θ − η m / (√v + ε)",
        state=2,
    ),
    Method(
        name="AdamW",
        module="tfadaopt.optimizers.adamw",
        year=2019,
        source="Loshchilov & Hutter, Decoupled weight decay regularization, Algorithm 2",
        rule="θ ← (1 − η λ) θ − η m̂ / (√v̂ + ε)",
        state=2,
    ),
    Method(
        name="RAdam",
        module="tfadaopt.optimizers.radam",
        year=2020,
        source="Liu et al., On the variance of the adaptive learning rate and beyond, Algorithm 2",
        rule="θ ← θ − η r m̂ / (√v̂ + ε)",
        state=2,
    ),
    Method(
        name="AdaBelief",
        module="tfadaopt.optimizers.adabelief",
        year=2020,
        source="Zhuang et al., AdaBelief, Algorithm 2",
        rule="s ← β₂ s + (1 − β₂)(g − m)² + ε; θ ← θ − η m̂ / (√ŝ + ε)",
        state=2,
    ),
    Method(
        name="NadamW",
        module="tfadaopt.optimizers.nadamw",
        year=2023,
        source="Dozat 2016 and Loshchilov & Hutter 2019; in the form of Dahl et al. 2023",
        rule="θ ← (1 − η λ) θ − η m̄ / (√v̂ + ε)",
        state=2,
    ),
)


def methods() -> tuple[Method, ...]:
    """Return one record per method, in the order in which the methods appeared.

    Example:
        >>> import tfadaopt
        >>> [method.name for method in tfadaopt.methods()][:3]
        ['SGD', 'Momentum', 'Nesterov']
        >>> tfadaopt.methods()[0].cls is tfadaopt.SGD
        True
    """
    return METHODS

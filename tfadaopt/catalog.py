"""The methods that tfadaopt ships, as data: readable without importing Keras."""

import difflib
import importlib
import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Method:
    """One optimization method: what it is called, where it comes from, what it costs.

    Attributes:
        name: Name of the class, as in ``tfadaopt.Adagrad``.
        module: Module that defines the class; imported only when ``cls`` is asked for.
        year: Year of the source.
        source: Authors, title and the equation or algorithm number.
        rule: The update in one line, in the symbols of the source.
        state: Floats of state per parameter with default arguments (of a square matrix, for
            ``Shampoo`` and ``SOAP``); numbers per variable are not counted.
        elementwise: Whether each coordinate is sized by its own state alone.
        has_rate: Whether a coordinate has an effective learning rate.
        peers: How each of ``PEERS`` has it: its name or difference there; empty where it has not.

    Example:
        >>> import tfadaopt
        >>> [(m.name, m.year) for m in tfadaopt.methods() if m.has_rate and m.state == 4]
        [('Adan', 2022), ('Prodigy', 2024)]
    """

    name: str
    module: str
    year: int
    source: str
    rule: str
    state: int
    elementwise: bool = True
    has_rate: bool = True
    peers: tuple[str, ...] = ("", "", "", "")

    @property
    def cls(self) -> type:
        """The optimizer class itself (importing it imports Keras)."""
        return getattr(importlib.import_module(self.module), self.name)


# Libraries that the methods are compared with, in the versions that were read.
PEERS = ("Keras 3.15", "PyTorch 2.13", "Optax 0.2.8", "TensorFlow Addons")

METHODS = (
    Method(
        name="SGD",
        module="tfadaopt.optimizers.sgd",
        year=1951,
        source="Robbins & Monro, A stochastic approximation method",
        rule="θ ← θ − η g",
        state=0,
        peers=("`SGD`", "`SGD`", "`sgd`", ""),
    ),
    Method(
        name="Momentum",
        module="tfadaopt.optimizers.momentum",
        year=1964,
        source="Polyak, Some methods of speeding up the convergence of iteration methods",
        rule="b ← μ b + g; θ ← θ − η b",
        state=1,
        peers=("`SGD(momentum)`: η inside the buffer", "`SGD(momentum)`", "`sgd(momentum)`", ""),
    ),
    Method(
        name="Nesterov",
        module="tfadaopt.optimizers.nesterov",
        year=1983,
        source="Nesterov; form of Bengio, Boulanger-Lewandowski & Pascanu 2013, section 3.5",
        rule="b ← μ b + g; θ ← θ − η (g + μ b)",
        state=1,
        peers=("`SGD(nesterov)`: η inside", "`SGD(nesterov)`", "`sgd(nesterov)`", ""),
    ),
    Method(
        name="Rprop",
        module="tfadaopt.optimizers.rprop",
        year=1993,
        source="Riedmiller & Braun, The RPROP algorithm; iRprop− of Igel & Hüsken 2003",
        rule="Δ ← 1.2 Δ where the sign of g stays, 0.5 Δ where it changes; θ ← θ − Δ sign g",
        state=2,
        peers=("", "`Rprop`: η is Δ₀", "moves a step late", ""),
    ),
    Method(
        name="Adagrad",
        module="tfadaopt.optimizers.adagrad",
        year=2011,
        source="Duchi, Hazan & Singer, Adaptive subgradient methods, Figure 1 (diagonal)",
        rule="r ← r + g²; θ ← θ − η g / √(ε + r)",
        state=1,
        peers=("r₀ = 0.1, η 0.001", "ε beside the root", "r₀ = 0.1", ""),
    ),
    Method(
        name="RMSprop",
        module="tfadaopt.optimizers.rmsprop",
        year=2012,
        source="Tieleman & Hinton, Lecture 6e; centered: Graves 2013, equations 38–45",
        rule="v ← ρ v + (1 − ρ) g²; θ ← θ − η g / √(ε + v)",
        state=1,
        peers=("η inside the buffer; NaN where v − a² < 0", "ε beside, ρ 0.99", "same", ""),
    ),
    Method(
        name="Adadelta",
        module="tfadaopt.optimizers.adadelta",
        year=2012,
        source="Zeiler, ADADELTA, Algorithm 1",
        rule="Δ = √(E_x + ε)/√(E_g + ε) g; θ ← θ − η Δ",
        state=2,
        peers=("η 0.001: hardly moves", "ρ 0.9", "ρ 0.9", ""),
    ),
    Method(
        name="Ftrl",
        module="tfadaopt.optimizers.ftrl",
        year=2013,
        source="McMahan et al., Ad click prediction: a view from the trenches, Algorithm 1",
        rule="z ← z + g − (s − s₋₁) θ, s = √n / η; θ ← (clip(z, ±λ₁) − z) / (s + 2 λ₂)",
        state=2,
        peers=("n₀ 0.1: forgets the start", "", "", ""),
    ),
    Method(
        name="Adam",
        module="tfadaopt.optimizers.adam",
        year=2015,
        source="Kingma & Ba, Adam, Algorithm 1",
        rule="θ ← θ − η m̂ / (√v̂ + ε)",
        state=2,
        peers=("ε̂ form, 1e-7", "same", "same", ""),
    ),
    Method(
        name="Adamax",
        module="tfadaopt.optimizers.adamax",
        year=2015,
        source="Kingma & Ba, Adam, Algorithm 2",
        rule="u ← max(β₂ u, |g|); θ ← θ − η m̂ / u",
        state=2,
        peers=("ε 1e-7", "ε inside the maximum", "ε inside the maximum", ""),
    ),
    Method(
        name="Nadam",
        module="tfadaopt.optimizers.nadam",
        year=2016,
        source="Dozat, Incorporating Nesterov momentum into Adam, Algorithm 2",
        rule="θ ← θ − η m̄ / (√v̂ + ε), m̄ looks ahead",
        state=2,
        peers=("ψ = 1; m without μ", "m without μ", "μ = β₁", ""),
    ),
    Method(
        name="LARS",
        module="tfadaopt.optimizers.lars",
        year=2017,
        source="You, Gitman & Ginsburg, Large batch training of CNNs, Algorithm 1",
        rule="b ← μ b + ρ (g + λ θ), ρ = τ‖θ‖/(‖g‖ + λ‖θ‖); θ ← θ − η b",
        state=1,
        elementwise=False,
        peers=("", "", "other ratio", ""),
    ),
    Method(
        name="AMSGrad",
        module="tfadaopt.optimizers.amsgrad",
        year=2018,
        source="Reddi, Kale & Kumar, On the convergence of Adam and beyond, Algorithm 2",
        rule="v̂ ← max(v̂, v); θ ← θ − η m / (√v̂ + ε)",
        state=3,
        peers=("corrected, maximum of raw v", "corrected", "maximum of corrected v", ""),
    ),
    Method(
        name="Yogi",
        module="tfadaopt.optimizers.yogi",
        year=2018,
        source="Zaheer et al., Adaptive methods for nonconvex optimization, Algorithm 2",
        rule="v ← v − (1 − β₂) sign(v − g²) g²; θ ← θ − η m / (√v + ε)",
        state=2,
        peers=("", "", "corrected, m₀ = 1e-6", "corrected"),
    ),
    Method(
        name="Shampoo",
        module="tfadaopt.optimizers.shampoo",
        year=2018,
        source="Gupta, Koren & Singer, Shampoo, Algorithm 1",
        rule="W ← W − η (ε + L)^(−1/4) G (ε + R)^(−1/4)",
        state=4,
        elementwise=False,
        has_rate=False,
    ),
    Method(
        name="Signum",
        module="tfadaopt.optimizers.signum",
        year=2018,
        source="Bernstein et al., signSGD, Algorithm 2",
        rule="m ← β m + (1 − β) g; θ ← θ − η sign m",
        state=1,
        peers=("", "", "same", ""),
    ),
    Method(
        name="Adafactor",
        module="tfadaopt.optimizers.adafactor",
        year=2018,
        source="Shazeer & Stern, Adafactor, Algorithms 4 to 6",
        rule="V = R Cᵀ / mean R; U = g / √V; θ ← θ − ρ RMS(θ) U / max(1, RMS(U) / d)",
        state=0,
        elementwise=False,
        peers=("≤ 1/√t always, V in full", "a matrix per position", "no 1/√t, sides ≥ 128", ""),
    ),
    Method(
        name="AdamW",
        module="tfadaopt.optimizers.adamw",
        year=2019,
        source="Loshchilov & Hutter, Decoupled weight decay regularization, Algorithm 2",
        rule="θ ← (1 − η λ) θ − η m̂ / (√v̂ + ε)",
        state=2,
        peers=("λ 0.004", "λ 0.01", "λ 1e-4", "same rule, λ required"),
    ),
    Method(
        name="AdaGradNorm",
        module="tfadaopt.optimizers.adagradnorm",
        year=2019,
        source="Ward, Wu & Bottou, AdaGrad stepsizes, Algorithm 1",
        rule="b² ← b² + ‖g‖²; θ ← θ − η g / b",
        state=0,
        elementwise=False,
    ),
    Method(
        name="SM3",
        module="tfadaopt.optimizers.sm3",
        year=2019,
        source="Anil, Gupta, Koren & Singer, Memory-efficient adaptive optimization, SM3-II",
        rule="ν = min μ + g²; μ ← max ν; m ← mean of g/√ν; θ ← θ − η m",
        state=1,
        elementwise=False,
        peers=("", "", "ε 1e-8", ""),
    ),
    Method(
        name="NovoGrad",
        module="tfadaopt.optimizers.novograd",
        year=2019,
        source="Ginsburg et al., Training deep networks with normalized gradients, Algorithm 1",
        rule="v ← β₂ v + (1 − β₂)‖g‖²; m ← β₁ m + g / (√v + ε) + λ θ; θ ← θ − η m",
        state=1,
        elementwise=False,
        peers=("", "", "β₂ 0.25, λ 0", "β₂ 0.999, λ 0"),
    ),
    Method(
        name="AdaBound",
        module="tfadaopt.optimizers.adabound",
        year=2019,
        source="Luo, Xiong, Liu & Sun, Adaptive gradient methods with dynamic bound, Algorithm 2",
        rule="θ ← θ − clip(η / (√v̂ + ε), l_t, u_t) m",
        state=2,
    ),
    Method(
        name="RAdam",
        module="tfadaopt.optimizers.radam",
        year=2020,
        source="Liu et al., On the variance of the adaptive learning rate and beyond, Algorithm 2",
        rule="θ ← θ − η r m̂ / (√v̂ + ε)",
        state=2,
        peers=("", "threshold 5", "threshold 5", "threshold 5"),
    ),
    Method(
        name="AdaBelief",
        module="tfadaopt.optimizers.adabelief",
        year=2020,
        source="Zhuang et al., AdaBelief, Algorithm 2",
        rule="s ← β₂ s + (1 − β₂)(g − m)² + ε; θ ← θ − η m̂ / (√ŝ + ε)",
        state=2,
        peers=("", "", "same", "rectified by default"),
    ),
    Method(
        name="LAMB",
        module="tfadaopt.optimizers.lamb",
        year=2020,
        source="You et al., Large batch optimization for deep learning, Algorithm 2",
        rule="r = m̂ / (√v̂ + ε) + λ θ; θ ← θ − η r ‖θ‖/‖r‖",
        state=2,
        elementwise=False,
        peers=("decay outside the ratio", "", "same", "same rule"),
    ),
    Method(
        name="SGDP",
        module="tfadaopt.optimizers.sgdp",
        year=2021,
        source="Heo et al., AdamP: slowing down the slowdown, Algorithm 1",
        rule="b ← μ b + g; θ ← θ − η (b less its part along θ), where g has none",
        state=1,
        elementwise=False,
    ),
    Method(
        name="AdamP",
        module="tfadaopt.optimizers.adamp",
        year=2021,
        source="Heo et al., AdamP: slowing down the slowdown, Algorithm 2",
        rule="θ ← θ − η (m̂ / (√v̂ + ε) less its part along θ), where g has none",
        state=2,
        elementwise=False,
    ),
    Method(
        name="MADGRAD",
        module="tfadaopt.optimizers.madgrad",
        year=2022,
        source="Defazio & Jelassi, Adaptivity without compromise, Algorithm 1",
        rule="z = θ₀ − s / (∛ν + ε); θ ← μ θ + (1 − μ) z",
        state=3,
        peers=("", "", "λ = (η + ε) √t", ""),
    ),
    Method(
        name="Adan",
        module="tfadaopt.optimizers.adan",
        year=2022,
        source="Xie et al., Adan, Algorithm 1",
        rule="θ ← (θ − η (m̂ + β₂ v̂) / (√n̂ + ε)) / (1 + η λ)",
        state=4,
        peers=("", "", "weight of v is 1 − β₂", ""),
    ),
    Method(
        name="NadamW",
        module="tfadaopt.optimizers.nadamw",
        year=2023,
        source="Dozat 2016 and Loshchilov & Hutter 2019; in the form of Dahl et al. 2023",
        rule="θ ← (1 − η λ) θ − η m̄ / (√v̂ + ε)",
        state=2,
        peers=("", "`NAdam(decoupled_weight_decay)`, ψ 0.004", "same", ""),
    ),
    Method(
        name="DoG",
        module="tfadaopt.optimizers.dog",
        year=2023,
        source="Ivgi, Hinder & Carmon, DoG is SGD's best friend, equation 1",
        rule="θ ← θ − η g max‖θ − θ₀‖ / √(Σ‖g‖² + ε)",
        state=2,
        elementwise=False,
        peers=("", "", "no mean of the weights", ""),
    ),
    Method(
        name="DAdaptAdam",
        module="tfadaopt.optimizers.dadaptadam",
        year=2023,
        source="Defazio & Mishchenko, Learning-rate-free learning by D-Adaptation, Algorithm 5",
        rule="m ← β₁ m + (1 − β₁) d η g; θ ← θ − m / (√v + ε)",
        state=3,
        elementwise=False,
        peers=("", "", "bias-corrected", ""),
    ),
    Method(
        name="DoWG",
        module="tfadaopt.optimizers.dowg",
        year=2023,
        source="Khaled, Mishchenko & Jin, DoWG unleashed, Algorithm 1",
        rule="θ ← θ − η g r̄² / √Σ r̄²‖g‖², r̄ = max‖θ − θ₀‖",
        state=1,
        elementwise=False,
        peers=("", "", "same", ""),
    ),
    Method(
        name="StableAdamW",
        module="tfadaopt.optimizers.stableadamw",
        year=2023,
        source="Wortsman et al., Stable and low-precision training, Algorithm 2",
        rule="η_t = η / max(1, RMS(g/√v̂)); θ ← (1 − η_t λ) θ − η_t m̂ / (√v̂ + ε)",
        state=2,
        elementwise=False,
    ),
    Method(
        name="Lion",
        module="tfadaopt.optimizers.lion",
        year=2023,
        source="Chen et al., Symbolic discovery of optimization algorithms, Algorithm 2",
        rule="c = β₁ m + (1 − β₁) g; θ ← θ − η sign c; m ← β₂ m + (1 − β₂) g",
        state=1,
        peers=("η 0.001", "", "λ 1e-3", ""),
    ),
    Method(
        name="ScheduleFreeSGD",
        module="tfadaopt.optimizers.schedulefreesgd",
        year=2024,
        source="Defazio et al., The road less scheduled, equations 3–5",
        rule="z ← z − γ g(y); x ← mean of z; y = (1 − β) z + β x",
        state=1,
        peers=("", "", "weights (max γ)²", ""),
    ),
    Method(
        name="ScheduleFreeAdamW",
        module="tfadaopt.optimizers.schedulefreeadamw",
        year=2024,
        source="Defazio et al., The road less scheduled, Algorithm 1",
        rule="z ← z − γ (g(y) / (√v̂ + ε) + λ y); x ← mean of z",
        state=2,
        peers=("wrong z, decays x alone, no x to evaluate", "", "weights (max γ)²", ""),
    ),
    Method(
        name="ADOPT",
        module="tfadaopt.optimizers.adopt",
        year=2024,
        source="Taniguchi et al., ADOPT, Algorithm 2",
        rule="m ← β₁ m + (1 − β₁) g / max(√v, ε), v of before; θ ← θ − η m",
        state=2,
        peers=("", "", "same", ""),
    ),
    Method(
        name="Prodigy",
        module="tfadaopt.optimizers.prodigy",
        year=2024,
        source="Mishchenko & Defazio, Prodigy, Algorithm 4",
        rule="θ ← θ − η d m / (√v + d ε), d estimates ‖θ₀ − θ*‖",
        state=4,
        elementwise=False,
        peers=("", "", "bias-corrected", ""),
    ),
    Method(
        name="Muon",
        module="tfadaopt.optimizers.muon",
        year=2024,
        source="Jordan et al., Muon: an optimizer for hidden layers in neural networks",
        rule="M ← μ M + (1 − μ) G; W ← W − η s NewtonSchulz(μ M + (1 − μ) G); others: AdamW",
        state=1,
        elementwise=False,
        has_rate=False,
        peers=("convolutions by AdamW", "kernels of 2 axes only", "M corrected", ""),
    ),
    Method(
        name="AdEMAMix",
        module="tfadaopt.optimizers.ademamix",
        year=2025,
        source="Pagliardini, Ablin & Grangier, The AdEMAMix optimizer, Algorithm 1",
        rule="θ ← θ − η (m̂₁ + α m₂) / (√v̂ + ε), m₂ a slower mean",
        state=3,
        peers=("", "", "warm-up at t − 1", ""),
    ),
    Method(
        name="MARS",
        module="tfadaopt.optimizers.mars",
        year=2025,
        source="Yuan et al., MARS: unleashing the power of variance reduction, Algorithm 2",
        rule="c = g + γ β₁/(1 − β₁) (g − g₋₁), of norm ≤ 1; AdamW on c",
        state=3,
        elementwise=False,
    ),
    Method(
        name="SOAP",
        module="tfadaopt.optimizers.soap",
        year=2025,
        source="Vyas et al., SOAP, Algorithm 3",
        rule="W ← W − η Q_L Adam(Q_Lᵀ G Q_R) Q_Rᵀ",
        state=6,
        elementwise=False,
        has_rate=False,
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


def get(name: Any, **arguments: Any) -> Any:
    """Return an optimizer by the name of its method, for ``model.compile``.

    Args:
        name: Name of a method in any case, with or without hyphens: ``"adagrad"``,
            ``"schedule-free-sgd"``. An optimizer is returned as it is.
        **arguments: What the constructor of the method takes.

    Returns:
        A ``keras.optimizers.Optimizer``.

    Raises:
        ValueError: There is no such method; the error names the nearest.
        TypeError: ``name`` is no string, or an optimizer together with arguments.

    Example:
        >>> import tfadaopt
        >>> tfadaopt.get("rmsprop", rho=0.99).rho
        0.99
        >>> tfadaopt.get("adagard")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        ValueError: tfadaopt has no method 'adagard'; did you mean 'Adagrad' ...
    """
    if not isinstance(name, str):
        if hasattr(name, "apply_gradients") and not isinstance(name, type) and not arguments:
            return name
        given = f" with {sorted(arguments)}" if arguments else ""
        raise TypeError(
            f"tfadaopt.get takes the name of a method, but {name!r}{given} was received; give a "
            "name such as 'adagrad', and the arguments of the method with it."
        )
    names = {_plain(method.name): method for method in METHODS}
    if _plain(name) in names:
        return names[_plain(name)].cls(**arguments)
    near = difflib.get_close_matches(_plain(name), names, n=3)
    guess = " or ".join(repr(names[n].name) for n in near)
    raise ValueError(
        f"tfadaopt has no method {name!r}{f'; did you mean {guess}?' if near else '.'} "
        f"'tfadaopt list' shows all: {', '.join(method.name for method in METHODS)}."
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())

"""What a method is, on paper: θ ← θ − rate ⊙ direction, with rate = η(t) · scale(state, t).

A rule has no variables and knows nothing of Keras: it maps the state and the gradient of a step to
the state and the change after it. The engine (``tfadaopt.optimizers.engine``) applies it.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple

import tensorflow as tf

State = Mapping[str, tf.Tensor]


class UnsupportedOptimizerError(TypeError):
    """The optimizer has no effective learning rate that tfadaopt can read.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([[1.0, 2.0]])
        >>> shampoo = tfadaopt.Shampoo()
        >>> shampoo.build([w])
        >>> try:
        ...     rate = tfadaopt.effective_learning_rate(shampoo, w)
        ... except tfadaopt.UnsupportedOptimizerError:
        ...     rate = None  # its steps are matrices
    """


class Slot(NamedTuple):
    """State of a shape of its own, where that is not the variable's.

    Attributes:
        shape: Shape of the state.
        initial_value: What all of it starts from.
    """

    shape: tuple[int, ...]
    initial_value: float = 0.0


class GradientIn(NamedTuple):
    """The slot from which the gradient can be had: ``kept · old + g ** power`` after an update.

    Attributes:
        slot: Its name.
        power: 1, or 2.
        kept: Share of the old value, or the name of the argument that says it.
        mean: Whether g has the weight 1 − kept instead of 1.
    """

    slot: str
    power: int = 1
    kept: str | float = 0.0
    mean: bool = False


class Rule(abc.ABC):
    """Abstract base of the update rules; a method fills in one of two forms.

    The product: ``advance`` · ``scale`` · ``direction``, each a line of the paper. The box, where
    a step is no product of the two: ``update`` (or ``decay_and_update``, where the paper decays
    otherwise), with ``scale`` for what is read and logged. Either may use numbers that all
    variables share: ``shared``, ``terms`` and ``combine``.
    """

    # Smallest part of the model that can be updated on its own, given the shared numbers: a
    # "coordinate" or a "variable". None: XLA is not asked to compile the step.
    unit: str | None = None
    # Whether a coordinate stays as it is, with its state, in a step in which its gradient is zero.
    still_without_gradient: ClassVar[bool] = False
    # Whether no coordinate ever moves against its gradient.
    follows_gradient: ClassVar[bool] = False
    # The same rule by a kernel of TensorFlow (see ``kernels``), where that is faster on a CPU.
    kernel: ClassVar[Callable[..., None] | None] = None
    # From which state the gradient of the last update can be had; None: from none.
    gradient_in: GradientIn | None = None

    @property
    def method(self) -> type:
        """The class of the method that a user chose."""
        return type(self)

    def argument(self, name: str) -> object:
        """Value of an argument of the method's constructor, as it is now; None: it has none."""
        return getattr(self, name, None)

    # Whether some variables have an effective rate and others none, so that ``scale`` may raise.
    some_rates: ClassVar[bool] = False

    @abc.abstractmethod
    def slots(self, shape: tuple[int, ...]) -> Mapping[str, float | Slot]:
        """State kept for a variable of this shape: its initial value, or a ``Slot``, by name."""

    def slots_at(self, index: int, shape: tuple[int, ...]) -> Mapping[str, float | Slot]:
        """State kept for the variable at this position: ``slots`` of its shape.

        A method whose rule is not the same for all variables overrides this, and leaves out of
        ``slots`` what one has no need of.
        """
        return self.slots(shape)

    @abc.abstractmethod
    def scale(self, state: State, t: tf.Tensor) -> tf.Tensor:
        """Size of each coordinate without η, from the state after step t; broadcasts to θ."""

    def advance(self, state: State, g: tf.Tensor, t: tf.Tensor) -> State:
        """State after gradient g arrives in step t = 1, 2, …"""
        raise NotImplementedError

    def direction(self, state: State, g: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        """Where the method goes, from the state after step t."""
        raise NotImplementedError

    def shared(self) -> Mapping[str, float]:
        """Numbers that all variables have in common, and what each starts from."""
        return {}

    def terms(
        self,
        shared: State,
        theta: tf.Tensor,
        state: State,
        g: tf.Tensor,
        t: tf.Tensor,
        eta: tf.Tensor,
    ) -> Mapping[str, tf.Tensor]:
        """What each coordinate adds to sums over all variables, when its gradient arrives."""
        raise NotImplementedError

    def combine(
        self, shared: State, sums: Mapping[str, tf.Tensor], t: tf.Tensor, eta: tf.Tensor
    ) -> State:
        """The shared numbers after these sums of the terms, before any variable moves."""
        raise NotImplementedError

    def rate(self, state: State, t: tf.Tensor, eta: tf.Tensor) -> tf.Tensor:
        """Effective learning rate η(t) · scale(state, t)."""
        return eta * self.scale(state, t)

    def delta(self, state: State, g: tf.Tensor, t: tf.Tensor, eta: tf.Tensor) -> tf.Tensor:
        """Rate ⊙ direction, which is subtracted from θ, from the state after step t."""
        return self.rate(state, t, eta) * self.direction(state, g, t)

    def update(
        self, theta: tf.Tensor, state: State, g: tf.Tensor, t: tf.Tensor, eta: tf.Tensor
    ) -> tuple[State, tf.Tensor]:
        """State after g, and what is subtracted from θ: all of a step but weight decay.

        A method whose step is not rate ⊙ direction, needs θ or the state before, overrides this.
        """
        new = self.advance(state, g, t)
        return new, self.delta({**state, **new}, g, t, eta)

    def decay_and_update(
        self,
        theta: tf.Tensor,
        state: State,
        g: tf.Tensor,
        t: tf.Tensor,
        eta: tf.Tensor,
        decay: float,
    ) -> tuple[State, tf.Tensor]:
        """All of a step, weight decay λ (0 for none) included: here θ shrinks by η λ θ first.

        A method whose paper decays otherwise overrides this.
        """
        if not decay:
            return self.update(theta, state, g, t, eta)
        shrink = eta * self.decay_now(state, decay) * theta
        state, delta = self.update(theta - shrink, state, g, t, eta)
        return state, delta + shrink

    def decay_now(self, state: State, decay: float) -> tf.Tensor | float:
        """Weight decay λ of a step, from the state before it.

        A method whose first update moves nothing overrides this: nothing shrinks in it either.
        """
        return decay

    def update_all(
        self,
        thetas: Sequence[tf.Tensor],
        states: Sequence[State],
        gradients: Sequence[tf.Tensor],
        t: tf.Tensor,
        eta: tf.Tensor,
    ) -> list[tuple[State, tf.Tensor]]:
        """``update`` of several variables at once, for methods that gain by it.

        Where a method writes it, all variables step together (see ``engine.at_once``).
        """
        raise NotImplementedError

    def decay_and_update_all(
        self,
        thetas: Sequence[tf.Tensor],
        states: Sequence[State],
        gradients: Sequence[tf.Tensor],
        t: tf.Tensor,
        eta: tf.Tensor,
        decays: Sequence[float],
    ) -> list[tuple[State, tf.Tensor]]:
        """``decay_and_update`` of several variables at once, each with its λ."""
        shrinks = [
            eta * self.decay_now(state, decay) * theta if decay else None
            for theta, state, decay in zip(thetas, states, decays, strict=True)
        ]
        inside = [
            theta if shrink is None else theta - shrink
            for theta, shrink in zip(thetas, shrinks, strict=True)
        ]
        done = self.update_all(inside, states, gradients, t, eta)
        return [
            (state, delta if shrink is None else delta + shrink)
            for (state, delta), shrink in zip(done, shrinks, strict=True)
        ]

    def inside(
        self,
        theta: tf.Tensor,
        state: State,
        t: tf.Tensor,
        eta: tf.Tensor,
        constraint: Callable[[tf.Tensor], tf.Tensor],
    ) -> tuple[State, tf.Tensor]:
        """State that changes, and θ, after step t of a variable with a constraint.

        Keras constrains θ next. A method whose state holds weights overrides this, or what it
        makes of them would be of weights that the model never had.
        """
        return {}, theta


def writes(rule: Rule, hook: str) -> bool:
    """Whether a rule has a form of its own of one of the hooks of ``Rule``."""
    return getattr(type(rule), hook) is not getattr(Rule, hook)


def complete(rule: Rule) -> None:
    """Raise a ``TypeError`` if a rule fills in neither form, or shares numbers without sums."""
    missing = []
    if not any(writes(rule, hook) for hook in ("update", "decay_and_update")):
        product = ("advance",) if writes(rule, "delta") else ("advance", "direction")
        missing += [hook for hook in product if not writes(rule, hook)]
    if writes(rule, "shared"):
        missing += [hook for hook in ("terms", "combine") if not writes(rule, hook)]
    if missing:
        raise TypeError(
            f"{type(rule).__name__} has no {' and no '.join(missing)}. A method writes slots, "
            "advance, scale and direction, or update in the place of advance and direction; one "
            "with shared numbers terms and combine as well."
        )

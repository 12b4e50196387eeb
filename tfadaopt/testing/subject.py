"""The optimizer that is checked: new copies of it, with other keywords, and its twin."""

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadaopt import effective
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.readers import UnsupportedOptimizerError
from tfadaopt.testing.trajectories import relative
from tfadaopt.testing.twins import Twins

Arrays = Sequence[np.ndarray]

# What all optimizers take, and what leaves a step as the method's paper has it.
NEUTRAL: dict[str, Any] = {
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


class BrokenContractError(AssertionError):
    """What a contract found, and what it expected."""


class NotApplicableError(Exception):
    """Why a contract cannot be tried on this optimizer."""


class Subject:
    """An optimizer under test.

    Args:
        make: Returns a new optimizer.
        reference: Its float64 twin: a class (it is given those arguments of the optimizer's that it
            takes), a function without arguments, or a fresh twin, which is copied.

    Raises:
        TypeError: ``make`` does not return a new optimizer, or ``reference`` is no twin.
    """

    def __init__(self, make: Callable[[], keras.optimizers.Optimizer], reference: Any = None):
        hint = "give a function that returns a new optimizer, such as lambda: MyOptimizer(0.01)"
        if isinstance(make, keras.optimizers.Optimizer) or not callable(make):
            raise TypeError(f"check_optimizer: make is {make!r}; {hint}.")
        first, second = make(), make()
        if not isinstance(first, keras.optimizers.Optimizer):
            raise TypeError(
                f"check_optimizer: make returned {first!r}, no Keras optimizer; {hint}."
            )
        if first is second:
            raise TypeError(f"check_optimizer: make returned the same optimizer twice; {hint}.")
        self.make = make
        self.cls: type[Any] = type(first)
        self.name = self.cls.__name__
        self.reference = None if reference is None else _twin_maker(reference, first)

    def copy(self) -> Any:
        """A new optimizer, from the configuration of another.

        Raises:
            NotApplicableError: That does not work, which the contract of configurations says.
        """
        try:
            return self.cls.from_config(self.make().get_config())
        except Exception as error:
            raise NotApplicableError(
                "it needs a copy, and get_config or from_config fails"
            ) from error

    def bare(self, **keywords: Any) -> Any:
        """A new optimizer with these keywords, and otherwise nothing that changes a step.

        Raises:
            BrokenContractError: It does not take one of the keywords.
        """
        try:
            config = self.copy().get_config()
            others = {name: value for name, value in NEUTRAL.items() if name in config}
            return self.cls.from_config({**config, **others, **keywords})
        except NotApplicableError:
            raise
        except Exception as error:
            given = ", ".join(f"{name}={value!r}" for name, value in keywords.items())
            raise BrokenContractError(
                f"{self.name}({given}) cannot be made: {type(error).__name__}: {error}. Let "
                "__init__ take **kwargs and hand them to the base class."
            ) from error

    def twins(self, count: int) -> Twins:
        """Fresh float64 twins.

        Raises:
            NotApplicableError: There is none.
        """
        if self.reference is None:
            raise NotApplicableError("no reference was given")
        return Twins(self.reference, count)

    @property
    def rate(self) -> float:
        """The learning rate η.

        Raises:
            NotApplicableError: It is no number, but a schedule or a callable.
        """
        rate = self.make().get_config().get("learning_rate")
        if not isinstance(rate, int | float):
            raise NotApplicableError("its learning rate is a schedule or a callable")
        return float(rate)

    def states_rate(self) -> bool:
        """Whether there is an effective learning rate to read of a matrix."""
        optimizer, w = self.make(), keras.Variable(np.ones((3, 2), "float32"))
        optimizer.build([w])
        try:
            effective.effective_learning_rate(optimizer, w)
        except UnsupportedOptimizerError:
            return False
        return True

    @property
    def is_matrix_method(self) -> bool:
        """Whether it is one of tfadaopt's kind that says it sizes no coordinate by itself."""
        return issubclass(self.cls, Optimizer) and not self.states_rate()


def _twin_maker(reference: Any, optimizer: Any) -> Callable[[], Any]:
    if inspect.isclass(reference) and hasattr(reference, "step"):
        taken = inspect.signature(reference).parameters
        given = {k: v for k, v in optimizer.get_config().items() if k in taken}

        def make() -> Any:
            return reference(**given)
    elif hasattr(reference, "step"):

        def make() -> Any:
            return copy.deepcopy(reference)
    else:
        make = reference
    if not callable(make) or not hasattr(make(), "step"):
        raise TypeError(
            f"check_optimizer: reference={reference!r} is no twin; give a class (or a function "
            "that returns an object) with step(theta, g), which returns the new theta in float64."
        )

    def in_the_rate_of_keras() -> Any:
        twin = make()
        rate = getattr(twin, "learning_rate", None)
        if isinstance(rate, int | float):
            # Keras keeps the rate in float32, even for float64 variables.
            twin.learning_rate = float(np.float32(rate))
        return twin

    return in_the_rate_of_keras


def values(variables: Sequence[Any]) -> list[np.ndarray]:
    """Variables or tensors as float64 arrays."""
    return [np.array(tf.cast(tf.convert_to_tensor(v), "float64")) for v in variables]


def agree(
    what: str, received: Sequence[Any], expected: Sequence[Any], tolerance: float = 0.0
) -> None:
    """Raise if arrays differ, relative to the largest magnitude in each.

    Args:
        what: What they are, for the message.
        received: What the optimizer made.
        expected: What it should have made.
        tolerance: How far they may differ; 0 for not at all.

    Raises:
        BrokenContractError: They differ, or something is not finite.
    """
    if len(received) != len(expected):
        raise BrokenContractError(
            f"{what}: received {len(received)} arrays, expected {len(expected)}."
        )
    for i, (one, other) in enumerate(zip(received, expected, strict=True)):
        one, other = np.asarray(one, "float64"), np.asarray(other, "float64")
        scale = np.full(other.shape, np.max(np.abs(other), initial=0.0))
        error = relative(one, other, scale)
        if error > tolerance:
            raise BrokenContractError(
                f"{what}: received {_short(one)}, expected {_short(other)} (array {i} of "
                f"{len(expected)}; they differ by {error:.2g} of the largest, allowed is "
                f"{tolerance:g})."
            )


def require(condition: bool, text: str) -> None:
    """Raise with a text that says what was received and expected, unless a condition holds.

    Raises:
        BrokenContractError: It does not.
    """
    if not condition:
        raise BrokenContractError(text)


def _short(x: np.ndarray) -> str:
    flat = np.ravel(x)
    more = ", …" if flat.size > 4 else ""
    return f"[{', '.join(f'{v:.7g}' for v in flat[:4])}{more}]"

"""What the engine knows of each variable, found out once when the optimizer is built."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, TypeVar

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Gradient, Variable
from tfadaopt.optimizers.pieces.once import once
from tfadaopt.optimizers.rule import Rule, Slot, State

Key = TypeVar("Key")
Made = TypeVar("Made")


class Settings(NamedTuple):
    """What a user may change between two steps.

    Attributes:
        nonfinite: "skip" or "ignore".
        jit_compile: True, False or "auto".
        weight_decay: λ, 0 for none.
    """

    nonfinite: str
    jit_compile: bool | str
    weight_decay: float


class Moment(NamedTuple):
    """What one step of all variables has in common.

    Attributes:
        iterations: Updates before it.
        learning_rate: η.
        settings: The settings of now.
    """

    iterations: tf.Tensor
    learning_rate: tf.Tensor
    settings: Settings

    def t(self, dtype: str) -> tf.Tensor:
        """Number of the step, from 1."""
        return _t(self.iterations, dtype)

    def eta(self, dtype: str, multiplier: float = 1.0) -> tf.Tensor:
        """η of variables with this factor, in the dtype of the arithmetic."""
        return _eta(self.learning_rate, dtype, multiplier)


@once
def _t(iterations: tf.Tensor, dtype: str) -> tf.Tensor:
    return tf.cast(iterations + 1, dtype)


@once
def _eta(learning_rate: tf.Tensor, dtype: str, multiplier: float) -> tf.Tensor:
    eta = tf.cast(learning_rate, dtype)
    return eta if multiplier == 1 else eta * multiplier


class Kind(NamedTuple):
    """What the variables that one compiled function serves have in common.

    Attributes:
        shape: Their shape, or None where the function does not depend on it.
        dtype: Their dtype.
        slots: Names of their own state.
        whole: For each of these, whether it has the shape of its variable by its nature.
        slot_shapes: Its shape, or None where the function does not depend on it.
        decay: Their weight decay λ, 0 for none.
        multiplier: Factor on their η.
        lazy: State that has rows, where rows without gradient stay as they are; or None.
    """

    shape: tuple[int, ...] | None
    dtype: str
    slots: tuple[str, ...]
    whole: tuple[bool, ...]
    slot_shapes: tuple[tuple[int, ...] | None, ...]
    decay: float
    multiplier: float
    lazy: tuple[str, ...] | None

    @property
    def precision(self) -> str:
        """Dtype of the state and of the arithmetic."""
        return precision(self.dtype)


class Checked(NamedTuple):
    """A gradient of which it is known whether it fits.

    Attributes:
        gradient: The gradient.
        finite: Whether it fits.
    """

    gradient: tf.Tensor
    finite: tf.Tensor


# What comes into a step for one variable.
Arriving: TypeAlias = Gradient | Checked


@dataclass(frozen=True)
class Plan:
    """One variable of the model.

    Attributes:
        index: Its position among those that the optimizer was built for.
        shape: Its shape.
        dtype: Its dtype.
        slots: Its own state, by name.
        whole: Names of the state that has its shape by its nature.
        decays: Whether it decays where there is weight decay.
        multiplier: Factor on its η.
        lazy: Whether rows without gradient stay as they are.
    """

    index: int
    shape: tuple[int, ...]
    dtype: str
    slots: Mapping[str, keras.Variable]
    whole: frozenset[str]
    decays: bool
    multiplier: float
    lazy: bool

    @property
    def precision(self) -> str:
        """Dtype of the state and of the arithmetic."""
        return precision(self.dtype)


@dataclass
class Planned:
    """The rule, and all that it is applied to.

    Attributes:
        rule: The rule.
        arguments: Names of its arguments, which a user may change: a compiled step holds for some.
        plans: What is known of each variable, by its key.
        shared: Numbers that all variables share, by name.
        functions: Compiled functions, by what they were made by and for.
    """

    rule: Rule
    arguments: Sequence[str]
    plans: Mapping[Any, Plan]
    shared: Mapping[str, keras.Variable]
    functions: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def of(self, variable: Variable) -> Plan:
        """The plan of a variable, of a native one, or of a replica's component of one."""
        return self.plans[compat.key_of(variable)]

    def kind(self, variable: Variable, settings: Settings, with_shape: bool = False) -> Kind:
        """What decides which compiled function a variable takes."""
        plan = self.of(variable)
        lazy = None
        if plan.lazy:
            lazy = tuple(k for k, slot in plan.slots.items() if tuple(slot.shape) == plan.shape)
        known = with_shape or lazy is not None or self.rule.unit != "coordinate"
        return Kind(
            plan.shape if known else None,
            plan.dtype,
            tuple(plan.slots),
            tuple(name in plan.whole for name in plan.slots),
            tuple(tuple(slot.shape) if known else None for slot in plan.slots.values()),
            settings.weight_decay if plan.decays else 0.0,
            plan.multiplier,
            lazy,
        )

    def function(
        self, make: Callable[["Planned", Key, Settings], Made], key: Key, settings: Settings
    ) -> Made:
        """The function that ``make`` makes for a key, with the settings of now."""
        arguments = (repr(self.rule.argument(name)) for name in self.arguments)
        full = (make, key, settings.nonfinite, *arguments)
        if full not in self.functions:
            self.functions[full] = make(self, key, settings)
        return self.functions[full]

    def state_of(self, variable: Variable) -> State:
        """Values of all state of a variable, that it shares too, in its precision."""
        plan = self.of(variable)
        return in_precision({**plan.slots, **self.shared}, plan.precision)

    def value_of(self, variable: Variable) -> tf.Tensor:
        """A variable in the precision of its update."""
        return tf.cast(tf.convert_to_tensor(variable), self.of(variable).precision)


def precision(dtype: str) -> str:
    """Dtype of the state and arithmetic for variables of a dtype: float32 for half precision."""
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def precision_of(variable: Variable) -> str:
    """``precision`` of a variable's dtype."""
    return precision(keras.backend.standardize_dtype(variable.dtype))


def in_precision(slots: Mapping[str, tf.Tensor | Variable], dtype: str) -> State:
    """Values of state variables, in the dtype of the arithmetic."""
    return {name: tf.cast(tf.convert_to_tensor(slot), dtype) for name, slot in slots.items()}


def planned(
    rule: Rule,
    arguments: Sequence[str],
    variables: Sequence[Variable],
    slots: Sequence[Mapping[str, keras.Variable]],
    shared: Mapping[str, keras.Variable],
    decays: Sequence[bool],
    multipliers: Sequence[float],
    lazy: Collection[int],
) -> Planned:
    """Plan for variables whose state has been made.

    Args:
        rule: The rule.
        arguments: Names of its arguments, without the rate.
        variables: The variables.
        slots: State of each, by name.
        shared: Numbers that all of them share.
        decays: Whether each decays where there is weight decay.
        multipliers: Factor on the η of each.
        lazy: Positions of those whose rows without gradient stay as they are.
    """
    plans = {}
    for i, (variable, own) in enumerate(zip(variables, slots, strict=True)):
        shape = tuple(variable.shape)
        kinds = rule.slots(shape) if own else {}
        whole = frozenset(name for name in own if not isinstance(kinds[name], Slot))
        dtype = keras.backend.standardize_dtype(variable.dtype)
        plan = Plan(i, shape, dtype, dict(own), whole, decays[i], multipliers[i], i in lazy)
        plans[compat.key_of(variable)] = plan
    return Planned(rule, arguments, plans, shared)

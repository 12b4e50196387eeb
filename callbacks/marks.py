"""What goes into a stall detector, and what comes out of it: plain records."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from tfadaopt.callbacks.log_format import Tables

# In place of a layer, where the loss itself is NaN or infinite, and the weights are not.
LOSS = "loss"


@dataclass(frozen=True)
class Mark:
    """What there is to say of one layer.

    Args:
        layer: Path of the variable, of one that is not trained too; or ``LOSS``.
        kind: One of ``stalled``, ``below_resolution``, ``saturated``, ``dead``, ``exploding``,
            ``nan``.
        quantity: The quantity that shows it.
        since: Step of the first snapshot that shows it.
        cause: The cause, as far as it is known.
        advice: What to try.

    Example:
        >>> from tfadaopt.callbacks.marks import Mark
        >>> mark = Mark("conv/kernel", "dead", "update_ratio", 230, "No gradient", "Lower η")
        >>> f"{mark.layer}: {mark.kind} since step {mark.since}"
        'conv/kernel: dead since step 230'
    """

    layer: str
    kind: str
    quantity: str
    since: int
    cause: str
    advice: str

    def as_dict(self) -> dict[str, object]:
        """What is logged of it: a layer of None stands for all."""
        return dataclasses.asdict(self) | {"layer": None if self.layer == LOSS else self.layer}


@dataclass(frozen=True)
class Thresholds:
    """When a layer counts as stopped; the defaults come from ``benchmarks/stalls``.

    Args:
        patience: Optimizer iterations that a state must last, ≥ 1.
        factor: How many times smaller a layer's step must be than its method would make it, or
            than it once was, > 1.
    """

    patience: int = 50
    factor: float = 30.0


@dataclass(frozen=True)
class Layer:
    """What must be known of a variable beside the numbers that change.

    Args:
        dtype: Type of the weights.
        rank: Number of axes: kernels have two or more, and are compared with kernels only.
        size: Number of elements; 0: unknown.
        weight_norm: ‖θ‖ before the first step; NaN: unknown, the first snapshot's counts.
        optimizer: Name of the class of the optimizer that steps it.
        leaf: Which of the optimizers of the model that is.
        slot: Slot that gathers gradients or, with ``power`` 2, their squares; empty: none.
        power: 1 or 2.
        kept: Share of the slot that one step keeps; 1: a sum.
        epsilon: ε that its method adds to squares, 0 if it has none.
        weight_decay: λ of decoupled weight decay, 0 if there is none.
        underflows: Whether its gradients are float16, and the loss is not scaled.
    """

    dtype: str = "float32"
    rank: int = 2
    size: int = 0
    weight_norm: float = math.nan
    optimizer: str = ""
    leaf: int = 0
    slot: str = ""
    power: int = 1
    kept: float = 0.0
    epsilon: float = 0.0
    weight_decay: float = 0.0
    underflows: bool = False


@dataclass(frozen=True)
class Look:
    """All that is seen at one step.

    Args:
        step: Optimizer iterations.
        tables: Numbers of each layer, of those quantities that are known: ``update_norm``,
            ``update_ratio``, ``weight_norm``, ``effective_learning_rate``,
            ``accumulator/<slot>``.
        rates: Scheduled η of the step, of each optimizer; none: constant.
        counts: Steps that each optimizer has done; none: not known.
        losses: Loss of each batch since the last look, as far as it is known.
        not_finite: What is NaN or infinite beside the tables: paths of variables that are not
            trained, or ``LOSS``.
    """

    step: int
    tables: Tables
    rates: Sequence[float] = ()
    counts: Sequence[int] = ()
    losses: Sequence[float] = ()
    not_finite: Sequence[str] = ()

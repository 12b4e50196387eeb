"""Run the optimizer of a case and its float64 twin on the same gradients."""

from tfadaopt.testing.trajectories import (
    MATRICES,
    ONE,
    SHAPES,
    STEPS,
    Trajectory,
    check_readings,
    check_updates,
    displacement_error,
    problem,
    train,
)
from tfadaopt.testing.trajectories import follow as follow_twins

__all__ = [
    "MATRICES",
    "ONE",
    "SHAPES",
    "STEPS",
    "Trajectory",
    "check_readings",
    "check_updates",
    "displacement_error",
    "follow",
    "problem",
    "problem_of",
    "train",
]


def problem_of(case, steps: int = STEPS, shapes=SHAPES):
    """The problem that a case is tested on."""
    if case.has_rate:
        return problem(steps, shapes, downhill=30 if case.downhill else 0)
    return problem(steps, MATRICES if shapes is SHAPES else shapes, gentle=True)


def follow(case, starts, gradients, rate=None) -> Trajectory:
    """What the float64 twins of a case do; the rate may be a function of the 0-based step."""
    twins = case.twins(len(starts), case.rate if rate is None else rate)
    return follow_twins(twins, starts, gradients)

"""All contracts on one optimizer, and what came of them."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tfadaopt.optimizers.base import Optimizer
from tfadaopt.testing import common, exactness, incoming, keeping, modes
from tfadaopt.testing.subject import BrokenContractError, NotApplicableError, Subject

Contract = Callable[[Subject], None]

CONTRACTS: dict[str, Contract] = {
    contract.__name__: contract
    for contract in (
        *(keeping.configuration, keeping.unknown_keyword),
        *(keeping.file_before_training, keeping.resume),
        *(modes.compiled_step, modes.xla, modes.several_steps_per_execution, modes.two_devices),
        *(common.zero_rate, common.assigned_rate, common.schedule),
        *(common.clipping, common.loss_scale, common.moving_average),
        *(common.gradient_accumulation, common.weight_decay),
        *(incoming.embedding_rows, incoming.missing_gradient, incoming.not_finite),
        *(incoming.huge_gradient, incoming.wrong_gradients),
        *(exactness.half_precision, exactness.reading, exactness.rate_times_direction),
        exactness.twin,
    )
}


@dataclass(frozen=True)
class Outcome:
    """What came of one contract.

    Attributes:
        contract: Its name.
        about: What it says, in a line.
        passed: True, False, or None where it could not be tried.
        text: What was received and expected, or why it could not be tried.

    Example:
        >>> from tfadaopt.testing import Outcome
        >>> print(Outcome("resume", "goes on where it was", True))
        passed     resume
    """

    contract: str
    about: str
    passed: bool | None
    text: str = ""

    def __str__(self) -> str:
        mark = {True: "passed", False: "FAILED", None: "not tried"}[self.passed]
        return f"{mark:9}  {self.contract}" + (f": {self.text}" if self.text else "")


@dataclass(frozen=True)
class Report:
    """What came of all contracts on one optimizer.

    Attributes:
        optimizer: Name of its class.
        outcomes: One of each contract, in the order in which they were tried.

    Example:
        >>> from tfadaopt.testing import Outcome, Report
        >>> len(Report("Mine", (Outcome("resume", "goes on", True),)).passed)
        1
    """

    optimizer: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> list[Outcome]:
        """Contracts that hold."""
        return [outcome for outcome in self.outcomes if outcome.passed]

    @property
    def failed(self) -> list[Outcome]:
        """Contracts that do not hold."""
        return [outcome for outcome in self.outcomes if outcome.passed is False]

    @property
    def not_tried(self) -> list[Outcome]:
        """Contracts that could not be tried, and why."""
        return [outcome for outcome in self.outcomes if outcome.passed is None]

    def __str__(self) -> str:
        head = f"{self.optimizer}: {len(self.passed)} of {len(self.outcomes)} contracts hold"
        return "\n".join([head, *(f"  {outcome}" for outcome in self.outcomes)])


class ContractError(AssertionError):
    """Some contracts do not hold; its text lists each, with what was received and expected.

    Attributes:
        report: What came of all of them.

    Example:
        >>> from tfadaopt.testing import ContractError, Outcome, Report
        >>> error = ContractError(Report("Mine", (Outcome("resume", "goes on", False),)))
        >>> [outcome.contract for outcome in error.report.failed]
        ['resume']
    """

    def __init__(self, report: Report, hint: str = "") -> None:
        self.report = report
        count = f"{len(report.failed)} of {len(report.outcomes)} contracts"
        lines = [f"{report.optimizer} breaks {count}:"]
        lines += [f"  {x.contract} ({x.about}): {x.text}" for x in report.failed]
        super().__init__("\n".join([*lines, hint] if hint else lines))


def check_optimizer(
    make: Callable[[], keras.optimizers.Optimizer],
    reference: Any = None,
    *,
    leave_out: Sequence[str] = (),
) -> Report:
    """Run all contracts that tfadaopt holds its own methods to on an optimizer of yours.

    Does it survive ``get_config``, and a ``.keras`` file in mid-training bit for bit? Does it do
    the same eagerly, compiled, under XLA, with ``steps_per_execution`` and (where the process has
    two) on two devices? Do clips, accumulation, averages, decay, schedules, embeddings, half
    precision, missing and infinite gradients do what they say? Is before − after the effective
    learning rate times the direction, and each of 200 steps that of a float64 twin?
    ``tfadaopt.testing.CONTRACTS`` has them all by name; each is a function with a docstring.

    Args:
        make: Returns a new optimizer at each call: of tfadaopt, of Keras or of your own.
        reference: A float64 twin in NumPy, or None: what needs one is not tried. A class, which is
            given those of the optimizer's arguments that it takes; a function without arguments; or
            a fresh twin. It has ``step(theta, g)``, which returns the new theta, and may say of its
            last step ``effective_learning_rate``, ``direction`` and ``accumulators``.
        leave_out: Names of contracts that are not tried. Default none.

    Returns:
        A report, with ``passed``, ``failed`` and ``not_tried``.

    Raises:
        ContractError: Some do not hold. It is an ``AssertionError`` that lists each, with what was
            received and what was expected.
        TypeError: ``make`` makes no optimizers, or ``reference`` is no twin.
        ValueError: ``leave_out`` names no contract.

    Example:
        >>> import keras, tfadaopt
        >>> from tfadaopt.testing import CONTRACTS, check_optimizer
        >>> fast = {"configuration", "clipping", "embedding_rows"}
        >>> report = check_optimizer(
        ...     lambda: tfadaopt.Adagrad(0.1), leave_out=sorted(CONTRACTS.keys() - fast)
        ... )
        >>> [outcome.contract for outcome in report.passed]
        ['configuration', 'clipping', 'embedding_rows']
    """
    unknown = [name for name in leave_out if name not in CONTRACTS]
    if unknown:
        raise ValueError(
            f"check_optimizer: leave_out names {', '.join(map(repr, unknown))}, which is no "
            f"contract; give some of {', '.join(CONTRACTS)}."
        )
    subject = Subject(make, reference)
    tried = [
        outcome_of(contract, subject)
        for name, contract in CONTRACTS.items()
        if name not in leave_out
    ]
    report = Report(subject.name, tuple(tried))
    if report.failed:
        raise ContractError(report, _hint(subject, report))
    return report


def outcome_of(contract: Contract, subject: Subject) -> Outcome:
    """Try one contract."""
    about = (contract.__doc__ or "").strip().splitlines()[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            contract(subject)
    except NotApplicableError as reason:
        return Outcome(contract.__name__, about, None, str(reason))
    except BrokenContractError as error:
        return Outcome(contract.__name__, about, False, str(error))
    except Exception as error:
        text = " ".join(str(error).split())[:500]
        return Outcome(contract.__name__, about, False, f"raised {type(error).__name__}: {text}")
    return Outcome(contract.__name__, about, True)


# What Keras' base class decides, and does otherwise.
_OF_KERAS = {"embedding_rows", "not_finite", "huge_gradient", "half_precision", "wrong_gradients"}


def _hint(subject: Subject, report: Report) -> str:
    found = [x.contract for x in report.failed if x.contract in _OF_KERAS]
    if not found or issubclass(subject.cls, Optimizer):
        return ""
    return (
        f"Of these, Keras' base class decides {', '.join(found)}: a subclass of "
        "tfadaopt.optimizers.Optimizer has them put right, or name them in leave_out=."
    )

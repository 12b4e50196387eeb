"""Where a monitor's numbers go besides TensorBoard: the protocol of a writer, and its guard."""

import importlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tfadaopt.callbacks.log_format import Tables


class Writer(Protocol):
    """What takes the numbers of a monitor: give some as ``OptimizerMonitor(…, writers=[…])``.

    TensorBoard's is one, and so are ``WandbWriter``, ``MlflowWriter`` and ``TrackioWriter``. A
    class of your own needs no base class, only these three methods. They are called in the process
    that trains, between two batches: let them be quick. An exception in one ends neither the
    training nor the other writers: it is said once, and that writer is not called any more.

    Example:
        >>> import keras, numpy
        >>> from tfadaopt.callbacks import OptimizerMonitor
        >>> class Printer:
        ...     def write(self, step, scalars, tables, marks):
        ...         layers, ratios = tables["update_ratio", "value"]
        ...         print(step, layers, len(ratios), "learning_rate" in scalars)
        ...     def flush(self):
        ...         print("an epoch ends")
        ...     def close(self):
        ...         print("the training ends")
        >>> layers = [keras.Input([3]), keras.layers.Dense(1, name="out")]
        >>> model = keras.Sequential(layers, name="net")
        >>> model.compile(optimizer="sgd", loss="mse")
        >>> monitor = OptimizerMonitor(every=2, writers=[Printer()], include=["kernel"])
        >>> x, y = numpy.ones([32, 3]), numpy.zeros([32, 1])
        >>> history = model.fit(x, y, batch_size=8, verbose=0, callbacks=[monitor])
        2 ('net/out/kernel',) 1 True
        4 ('net/out/kernel',) 1 True
        an epoch ends
        the training ends
    """

    def write(
        self,
        step: int,
        scalars: Mapping[str, float],
        tables: Tables,
        marks: Sequence[Mapping[str, Any]],
    ) -> None:
        """Take the numbers of one step.

        Args:
            step: Optimizer iterations done.
            scalars: Numbers by tag, of the layers that are shown one by one; a number may be NaN.
            tables: Of all layers: their paths and a float32 for each, by quantity and statistic,
                as ``("update_ratio", "value")`` or ``("effective_learning_rate", "p50")``.
            marks: What ``StallWarning`` of the same ``log_dir`` has to say at this step: mappings
                with ``layer``, ``kind``, ``quantity``, ``since``, ``cause`` and ``advice``.
        """
        ...

    def flush(self) -> None:
        """An epoch has ended."""
        ...

    def close(self) -> None:
        """A ``fit`` has ended; another may follow, which writes again."""
        ...


def of_board(writer: str, package: str) -> Any:
    """The package of a board.

    Args:
        writer: Name of the class that needs it, for the message.
        package: Its name.

    Raises:
        ImportError: It is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{writer} needs the package {package} ({error}). Install it: pip install {package}."
        ) from error


class Guarded:
    """A writer whose faults end no training.

    Args:
        writer: What a user gave.

    Raises:
        TypeError: It has not the methods of a ``Writer``.
    """

    def __init__(self, writer: Writer) -> None:
        missing = [m for m in ("write", "flush", "close") if not callable(getattr(writer, m, None))]
        if missing or isinstance(writer, type):
            lacks = "is a class" if isinstance(writer, type) else f"has no {', '.join(missing)}"
            raise TypeError(
                f"OptimizerMonitor: writers has {writer!r}, which {lacks}; give objects with "
                "write(step, scalars, tables, marks), flush() and close(), such as WandbWriter()."
            )
        self._writer = writer
        self._failed = False

    def write(
        self,
        step: int,
        scalars: Mapping[str, float],
        tables: Tables,
        marks: Sequence[Mapping[str, Any]],
    ) -> None:
        """Hand the numbers of a step on."""
        self._call("write", step, scalars, tables, marks)

    def flush(self) -> None:
        """Say that an epoch has ended."""
        self._call("flush")

    def close(self) -> None:
        """Say that a ``fit`` has ended."""
        self._call("close")

    def _call(self, method: str, *arguments: Any) -> None:
        if self._failed:
            return
        try:
            getattr(self._writer, method)(*arguments)
        except Exception as error:
            self._failed = True
            text = " ".join(str(error).split())[:300]
            warnings.warn(
                f"OptimizerMonitor: {type(self._writer).__name__} gets no more numbers, and the "
                f"training goes on. Its {method} raised {type(error).__name__}: {text}. What it "
                "was given before stays, and other writers go on.",
                stacklevel=2,
            )


def guarded(writers: Sequence[Writer]) -> tuple[Guarded, ...]:
    """Each writer, guarded.

    Raises:
        TypeError: They are no list, or one is no writer.
    """
    if not isinstance(writers, Sequence) or isinstance(writers, str):
        raise TypeError(
            f"OptimizerMonitor: writers takes a list of writers, but {writers!r} was received; "
            "give [WandbWriter()], for example."
        )
    return tuple(map(Guarded, writers))

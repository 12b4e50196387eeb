"""The event file of a run; what cannot be written is said once, and ends no training."""

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping

from tensorboard.compat.proto.summary_pb2 import Summary

from tfadaopt.callbacks.folder import free_for, held, names_in, release
from tfadaopt.callbacks.layers import Layer
from tfadaopt.callbacks.log_format import Tables
from tfadaopt.callbacks.where import EventWriter

Preface = Callable[[tuple[Layer, ...]], bytes]


class RunLog:
    """What one run writes into its folder.

    Args:
        log_dir: The folder; None: nothing is written.

    Attributes:
        run_dir: Where the run is, in it; known once the log is open.
    """

    def __init__(self, log_dir: str | None):
        self._log_dir = log_dir
        self.run_dir = log_dir
        self._writer: EventWriter | None = None
        # Who has written prefaces; None where the run had them before.
        self._prefaced: set[object] | None = None

    @property
    def is_open(self) -> bool:
        """Whether anything is written."""
        return self._writer is not None

    def open(self, step: int, paths: list[str], method: str) -> dict[str, str]:
        """Begin a run, or go on with the one that had reached ``step``.

        Args:
            step: Optimizer iterations done.
            paths: Paths of what is trained.
            method: Name of the class of the optimizer.

        Returns:
            What the run calls the layers that have other numbers now, by their paths.
        """
        names: dict[str, str] = {}
        if self._writer is not None or self._log_dir is None:
            return names
        with self._guarded():
            self.run_dir = free_for(self._log_dir, step, frozenset(paths))
            found = held(self.run_dir)
            names = names_in(paths, found.layers)
            self._prefaced = None if found.last_step >= 0 else set()
            self._writer = EventWriter(self.run_dir, method)
        return names

    def preface(
        self, asker: object, prefaces: Iterable[Preface], layers: tuple[Layer, ...]
    ) -> None:
        """Write what comes before the first event that one callback asks for."""
        if self._prefaced is None or asker in self._prefaced:
            return
        self._prefaced.add(asker)
        for preface in prefaces:
            try:
                summary = Summary.FromString(preface(layers))
            except Exception as error:  # a schedule or an optimizer without its arguments
                warnings.warn(
                    "The tab HParams has no row for this run, and all else is logged: the "
                    f"arguments of the optimizer cannot be read ({error!r}). Give the class a "
                    "get_config().",
                    stacklevel=2,
                )
                continue
            if self._writer is not None:
                with self._guarded():
                    self._writer.write_summary(summary)

    def write(
        self, step: int, scalars: Mapping[str, float], tables: Tables, marks: list[Mapping]
    ) -> None:
        """Write the event of a snapshot."""
        if self._writer is not None:
            with self._guarded():
                self._writer.write(step, scalars, tables, marks)

    def flush(self) -> None:
        """Let TensorBoard see what was written, and look whether it is there."""
        if self._writer is not None:
            with self._guarded():
                self._writer.flush()
                self._writer.check()

    def close(self) -> None:
        """Close the file; a later ``open`` goes on in the run."""
        if self._writer is not None:
            with self._guarded():
                self._writer.close()
            self._writer = None
        release(self.run_dir)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._writer = None
            warnings.warn(
                f"log_dir={self._log_dir!r}: nothing more is logged there, and the training goes "
                f"on ({' '.join(str(error).split())[:300] or type(error).__name__}). What was "
                "written before stays. Give a folder that this process may create files in, on a "
                "disk with free space.",
                stacklevel=2,
            )

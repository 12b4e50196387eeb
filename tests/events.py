"""What the callbacks wrote, and what they should have written."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

import tfadaopt


class Logged(NamedTuple):
    """One event: the scalars of one step, by tag."""

    step: int
    values: dict[str, float]


def files(folder) -> list[Path]:
    """Event files of a folder, in the order in which they were begun."""
    return sorted(Path(folder).rglob("*tfevents*"), key=lambda path: path.stat().st_ctime_ns)


def read(folder) -> list[Logged]:
    """Scalars of all events of a folder as they stand, without the one that names the version."""
    events = []
    for path in files(folder):
        first, *others = [Event.FromString(raw) for raw in RawEventFileLoader(str(path)).Load()]
        assert first.WhichOneof("what") == "file_version"
        for event in others:
            assert event.WhichOneof("what") == "summary"
            written = event.summary.value
            assert len({value.tag for value in written}) == len(written), "a tag twice in one event"
            scalars = [value for value in written if value.WhichOneof("value") == "simple_value"]
            values = {value.tag: value.simple_value for value in scalars}
            if values:  # Others tell of the run as a whole, before its first step.
                events.append(Logged(event.step, values))
    return sorted(events, key=lambda event: event.step)


def steps(folder) -> list[int]:
    """Steps of all events, in order; a step that was written twice is there twice."""
    return [event.step for event in read(folder)]


def tags(folder) -> set[str]:
    """All tags of all events."""
    return {tag for event in read(folder) for tag in event.values}


def state_holder(optimizer):
    """The optimizer itself, or the one inside loss scaling."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def statistics(prefix: str, tensor, norm: bool) -> dict[str, float]:
    """Statistics of a tensor by tag, from NumPy in float64."""
    x = np.asarray(tensor, "float64").ravel()
    found = {"mean": x.mean(), "min": x.min(), "max": x.max()}
    for name, q in (("p05", 0.05), ("p50", 0.50), ("p95", 0.95)):
        found[name] = np.quantile(x, q)
    if norm:
        found["norm"] = np.sqrt(np.sum(x * x))
    return {f"{prefix}/{name}": value for name, value in found.items()}


class Beside(keras.callbacks.Callback):
    """Reads the optimizer after every batch, by the public functions: what should be logged.

    Args:
        rate: η of a step; by default, what ``learning_rate`` is after it.

    Attributes:
        of_step: By iteration, by tag: statistics of the state after the last batch with this count.
        iterations: Iterations after each batch.
    """

    def __init__(self, rate: Callable[[int], float] | None = None):
        super().__init__()
        self.rate = rate
        self.of_step: dict[int, dict[str, float]] = {}
        self.iterations: list[int] = []

    def on_train_batch_end(self, batch, logs=None):
        optimizer = state_holder(self.model.optimizer)
        step = int(optimizer.iterations.numpy())
        self.iterations.append(step)
        eta = optimizer.learning_rate.numpy() if self.rate is None else self.rate(step)
        found = {"learning_rate": eta}
        for v in self.model.trainable_variables:
            if 0 in v.shape:
                continue
            rate = tfadaopt.effective_learning_rate(optimizer, v).numpy()
            found |= statistics(f"effective_learning_rate/{v.path}", rate, norm=False)
            for slot, value in tfadaopt.accumulators(optimizer, v).items():
                if slot == "skipped_updates" and value == 0:
                    continue  # A chart comes with the first one.
                magnitude = np.abs(value.numpy())
                if slot in optimizer.shared():
                    found[f"accumulator/{slot}/mean"] = magnitude
                elif value.shape == () and v.shape != ():
                    found[f"accumulator/{slot}/{v.path}/mean"] = magnitude
                else:
                    found |= statistics(f"accumulator/{slot}/{v.path}", magnitude, norm=True)
        self.of_step[step] = found


def same_values(events: list[Logged], beside: Beside, families=("effective", "accumulator")):
    """Each event has exactly the tags of these families, with what NumPy makes of the state."""
    for step, values in events:
        expected = {
            tag: value
            for tag, value in beside.of_step[step].items()
            if tag.startswith(("learning_rate", *families))
        }
        assert values.keys() == expected.keys()
        for tag, value in values.items():
            np.testing.assert_allclose(
                value, expected[tag], rtol=1e-5, atol=1e-12, err_msg=f"{tag} at step {step}"
            )

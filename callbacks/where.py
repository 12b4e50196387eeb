"""Where snapshots go: TensorBoard event files."""

import os
from collections.abc import Mapping

import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary


class EventWriter:
    """Writes each snapshot to ``log_dir`` as one event of many scalars.

    Raises:
        OSError: The folder cannot be made or written to.
    """

    def __init__(self, log_dir: str | os.PathLike):
        log_dir = os.fspath(log_dir)
        try:
            tf.io.gfile.makedirs(log_dir)
            self._writer = tf.summary.create_file_writer(log_dir, flush_millis=10_000)
            with self._writer.as_default(step=0):
                # The file is made only when something is written: fail now, not at a later step.
                tf.summary.flush()
        except (OSError, tf.errors.OpError) as error:
            raise OSError(
                f"log_dir={log_dir!r} cannot be written to ({error}). Give a folder that this "
                "process may create files in, on a disk with free space."
            ) from error

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write one event: the scalars of one step, by tag."""
        summary = Summary(
            value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        )
        with self._writer.as_default():
            tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=step)

    def flush(self) -> None:
        """Let TensorBoard see what was written so far."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is left and close the file."""
        self._writer.close()

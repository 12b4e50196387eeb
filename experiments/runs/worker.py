"""What a worker process does: cells, one after the other, until its parent is gone."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path

READY = "ready"


def serve(connection: Connection, log: Path, prepare: Callable[[], None]) -> None:
    """Compute the cells that come, and answer each with a tuple of its exception or None."""
    _end_with_parent()
    _begin(log)
    prepare()
    connection.send(READY)
    while True:
        try:
            work, cell = connection.recv()
        except (EOFError, OSError):
            _end_all()  # As the watching thread does, which may not have come to it yet.
        try:
            work(cell)
            answer = None
        except Exception as error:
            answer = portable(error)
        connection.send((answer,))


def end_group(pid: int) -> None:
    """End a worker and all that it has started, if it has come to have a group of its own."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def prepare_tensorflow() -> None:
    """Let TensorFlow compute on one thread, and the same each time."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for device in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)


def _end_with_parent() -> None:
    """End this process when its parent ends, however that ends, and its children with it.

    The parent holds one end of a pipe, which the system closes when the parent goes: also one that
    went before this process came so far. A signal that the kernel sends at the parent's death
    (``PR_SET_PDEATHSIG``) would end this process alone, and leave what it has started.
    """
    if hasattr(os, "setpgid"):
        # Its own group: then one signal ends it together with what it has started.
        with contextlib.suppress(PermissionError):
            os.setpgid(0, 0)
    parent = multiprocessing.parent_process()
    assert parent is not None  # this process was started by it
    sentinel = parent.sentinel

    def watch():
        wait([sentinel])
        _end_all()

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _end_all() -> None:
    end_group(os.getpid())
    os._exit(1)  # Where there are no groups.


def _begin(log: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides what Ctrl-C does.
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    print_to(log)


def print_to(log: Path) -> None:
    """Let what this process prints go to a file."""
    try:
        file = log.open("a")
    except OSError:
        file = Path(os.devnull).open("a")  # noqa: SIM115
    with file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def portable(error: Exception) -> Exception:
    """Return an exception that the parent can read: itself, or its words."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = None
    return error if type(copy) is type(error) else RuntimeError(f"{type(error).__name__}: {error}")

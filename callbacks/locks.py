"""What one process writes to at a time: a lock that ends with the process says so."""

import contextlib
import os
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

_held: dict[str, int] = {}


def take(path: str) -> bool:
    """Whether this process may write to what a lock file stands for; it may until ``release``.

    Args:
        path: The lock file; its folder is there.

    Raises:
        OSError: It cannot be made.
    """
    if fcntl is None or path in _held:
        return True
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        except OSError:  # a file system without locks
            os.close(lock)
            return True
        if _is(path, lock):
            _held[path] = lock
            return True
        os.close(lock)  # Who held it has removed it meanwhile.


def release(path: str) -> None:
    """Let other processes write."""
    if path in _held:
        lock = _held.pop(path)
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
        os.close(lock)


def _is(path: str, lock: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(lock))  # noqa: PTH116
    except FileNotFoundError:
        return False

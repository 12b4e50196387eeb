"""One run at a time in a result folder: a lock that names its owner and ends with its process."""

import contextlib
import json
import os
import platform
from datetime import datetime, timezone
from pathlib import Path

import filelock

from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.files import printable

LOCK = "run.lock"


class FolderLock:
    """Holds a result folder for this process.

    The lock is the system's (``flock``): it goes when the process goes, however it ends, so that
    a file that was left behind locks nothing. The file says who holds it.

    Args:
        folder: Result folder; it must be there.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._path = folder / LOCK
        self._lock = filelock.FileLock(self._path, timeout=0, thread_local=False)

    def acquire(self, command: str, or_share: bool = False) -> bool:
        """Take the folder.

        Args:
            command: What the owner runs, for those who find the folder taken.
            or_share: Whether it is no error where another process has it.

        Returns:
            Whether this process has it now.

        Raises:
            ConfigError: Another process has it; the message names that process.
        """
        try:
            self._lock.acquire()
        except filelock.Timeout:
            if or_share:
                return False
            raise ConfigError(
                f"{self._folder} is in use by {self._owner()}. Wait until that is finished, end "
                "it, share its work with --join, or choose another folder with --out."
            ) from None
        if isinstance(self._lock, filelock.SoftFileLock):
            # A file system without flock: there the file is the lock, in its own words.
            return True
        owner = {
            "pid": os.getpid(),
            "host": platform.node(),
            "command": command,
            "since": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        # In place: a new file would be another lock.
        self._path.write_text(json.dumps(owner), encoding="utf-8")
        return True

    def release(self, remove: bool = False) -> None:
        """Give the folder back.

        Args:
            remove: Whether the file is to go, too, because the folder does.
        """
        if remove:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._lock.release()

    def _owner(self) -> str:
        try:
            owner = json.loads(self._path.read_text(encoding="utf-8"))
            return printable(
                f"process {owner['pid']} on {owner['host']} since {owner['since']} "
                f"({owner['command']})"
            )
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"

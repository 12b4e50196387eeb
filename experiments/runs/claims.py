"""Who computes a cell: one process at a time, also where several runs share a folder.

A claim is a file beside the result, made by exclusive creation, which is atomic on local disks and
on NFS from version 3 on. It has a number. A claim whose owner is gone is not removed but outdone:
who makes the file with the next number has the cell, so that of two that find the same claim stale
only one takes over. No clock is compared with another: a claim is stale where its process is known
to be gone, or where its file was not touched while the one who looks saw ``LEASE`` seconds pass.
"""

import contextlib
import functools
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from tfadaopt.experiments.runs import files
from tfadaopt.experiments.runs.cell import Cell

# The owner of a claim touches it so often, and counts as gone after so long without. Clients of NFS
# may show each other states that are a minute old.
BEAT, LEASE = 15.0, 180.0
_HELD: ContextVar[Path | None] = ContextVar("held", default=None)
_TASK: ContextVar[str | None] = ContextVar("task", default=None)


class ClaimedError(RuntimeError):
    """Another process is computing the cell."""


class Claims:
    """The claims of a folder of results, as one process sees them.

    Args:
        token: Name of what takes claims here; who asks with the same name again, because the
            machine of its first try was lost, has what it had.
        lease: Seconds after which an untouched claim counts as left behind.
    """

    def __init__(self, token: str | None = None, lease: float = LEASE):
        self._token = token or secrets.token_hex(8)
        self._lease = lease
        # Claims of others: the state of the file, and when it was first seen so.
        self._seen: dict[str, tuple[tuple, float]] = {}

    def is_free(self, result: Path) -> bool:
        """Whether nobody computes the cell of a result; what was left behind is outdone."""
        number, path = self._last(result)
        if path is None or _owner(path).get("free"):
            return True
        if not self._is_left(path):
            return False
        # Any process may take it now, also one that has not watched it.
        self._make(result, number + 1, {"free": True})
        return True

    def take(self, result: Path) -> Path:
        """Claim the cell of a result.

        Raises:
            ClaimedError: Another process has it.
            OSError: No file can be made there.
        """
        number, path = self._last(result)
        if path is not None:
            owner = _owner(path)
            mine = owner.get("token") == self._token
            if not (owner.get("free") or mine or self._is_left(path)):
                raise ClaimedError(f"{result.name} is being computed by {_in_words(owner)}.")
        made = self._make(result, number + 1, {"token": self._token, **_myself()})
        if made is None:
            raise ClaimedError(f"{result.name} is being computed by another process.")
        return made

    def give_back(self, claim: Path) -> None:
        """Remove a claim and those that it has outdone, unless it is outdone itself."""
        result, number = _result_of(claim)
        if _claim(result, number + 1).exists():
            return
        for i in range(number, 0, -1):
            with contextlib.suppress(OSError):
                _claim(result, i).unlink()

    def _last(self, result: Path) -> tuple[int, Path | None]:
        number, last = 0, None
        while os.path.lexists(path := _claim(result, number + 1)):
            number, last = number + 1, path
        return number, last

    def _make(self, result: Path, number: int, content: dict) -> Path | None:
        path = _claim(result, number)
        try:
            with path.open("x") as file:
                try:
                    file.write(json.dumps(content))
                    file.flush()
                except OSError:
                    path.unlink()  # Who finds an empty one would wait until it is old.
                    raise
        except FileExistsError:
            return None
        return path

    def _is_left(self, path: Path) -> bool:
        state = files.state(path)
        if state is None:
            return False  # It was given back just now: the next look will tell.
        owner, now = _owner(path), time.monotonic()
        if owner.get("where") == _where():
            begun = _begun(owner.get("pid", 0))
            return begun is None or begun != owner.get("begun")
        before = self._seen.get(str(path))
        if before is None or before[0] != state:
            self._seen[str(path)] = (state, now)
            return False
        return now - before[1] > self._lease


def claimed(cell: Cell, work: Callable[[Cell], None], result: Callable[[Cell], Path]) -> None:
    """Compute a cell in a worker, unless another process does.

    Args:
        cell: The cell.
        work: Computes it.
        result: Returns the file of its result.

    Raises:
        ClaimedError: Another process has it.
    """
    path, claims = result(cell), Claims(_TASK.get())
    claim = claims.take(path)
    try:
        # Between the look that led here and the claim, somebody may have finished it.
        if not path.exists():
            with _touching(claim), _holding(path):
                work(cell)
    finally:
        claims.give_back(claim)


@contextlib.contextmanager
def as_task(token: str) -> Iterator[None]:
    """Claim in the name of a task, which keeps its name where it is begun again elsewhere."""
    before = _TASK.set(token)
    try:
        yield
    finally:
        _TASK.reset(before)


def clear(cells: Path) -> None:
    """Remove what ended processes left: claims of finished cells, and beginnings of files."""
    claims, names = Claims(), []
    # Not by glob, which has all that a folder holds in memory at once.
    with contextlib.suppress(FileNotFoundError), os.scandir(cells) as entries:
        names = [e.name for e in entries if ".claim" in e.name or e.name.endswith(".part")]
    for path in (cells / name for name in names if ".claim" in name):
        with contextlib.suppress(OSError, ValueError):
            if _result_of(path)[0].exists():
                path.unlink()
    for part in (cells / name for name in names if name.endswith(".part")):
        # Its name is that of the result, a mark, and "part".
        result = part.with_name(part.name.rsplit(".", 2)[0])
        if claims.is_free(result):
            part.unlink(missing_ok=True)


def held() -> Path | None:
    """Return the file of the result that is being computed here under a claim."""
    return _HELD.get()


@contextlib.contextmanager
def _holding(result: Path) -> Iterator[None]:
    before = _HELD.set(result)
    try:
        yield
    finally:
        _HELD.reset(before)


@contextlib.contextmanager
def _touching(claim: Path) -> Iterator[None]:
    """Show others that the owner of a claim is alive."""
    ended = threading.Event()

    def touch() -> None:
        while not ended.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(claim)

    thread = threading.Thread(target=touch, name="claim", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _claim(result: Path, number: int) -> Path:
    return result.with_name(f"{result.stem}.claim{number}")


def _result_of(claim: Path) -> tuple[Path, int]:
    stem, _, number = claim.name.rpartition(".claim")
    return claim.with_name(f"{stem}.json"), int(number)


def _owner(claim: Path) -> dict:
    try:
        found = json.loads(claim.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}  # It is being written, or damaged: its age alone counts.
    return found if isinstance(found, dict) else {}


def _in_words(owner: dict) -> str:
    return files.printable(f"process {owner.get('pid', '?')} on {owner.get('host', '?')}")[:200]


def _myself() -> dict[str, object]:
    pid = os.getpid()
    return {"host": platform.node(), "where": _where(), "pid": pid, "begun": _begun(pid)}


@functools.cache
def _where() -> str:
    """Return in which numbering of processes a number is meant: machine, start of it, container."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts) if len(parts) == 3 else f"{parts[0]} {secrets.token_hex(8)}"


def _begun(pid: int) -> str | None:
    """Return when a process began, in ticks of its machine; None if there is none."""
    try:
        fields = Path(f"/proc/{int(pid)}/stat").read_text(errors="replace").rpartition(")")[2]
    except (OSError, ValueError, TypeError):
        return None
    words = fields.split()
    # A zombie computes nothing any more.
    return None if words[0] in "ZX" else words[19]

"""Files that are whole or absent, and what becomes of those that are damaged."""

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import secrets
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypeGuard

from tfadaopt.experiments.configs import ConfigError

# What is said while something runs: the command line prints it, a program may do otherwise.
said = logging.getLogger("tfadaopt.experiments")
ASIDE = "set-aside"
_DIGEST = "sha256"
_MOST_LETTERS = 60
_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


class DamagedError(ConfigError):
    """A file is not what was written; the message names it."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that it is complete or as before, also if the machine stops meanwhile.

    What stands in its place and is no file, such as a folder, is set aside.

    Raises:
        OSError: It cannot be written, for want of room, say; what was there is unchanged.
    """
    with writing(path) as file:
        file.write(_encoded(content))


def write_first(path: Path, content: str | bytes) -> bool:
    """Write a file as ``write_whole`` does, unless there is one: the first of two writers wins.

    Returns:
        Whether it was written.
    """
    try:
        with writing(path, only_first=True) as file:
            file.write(_encoded(content))
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def writing(path: Path, only_first: bool = False) -> Iterator[BinaryIO]:
    """Yield a file that takes its name when it is whole, on disk, and nothing was raised.

    Args:
        path: Its name.
        only_first: Whether a file that is there stays.

    Raises:
        FileExistsError: There is a file, and it stays.
        OSError: It cannot be written; what was there is unchanged.
    """
    if path.is_dir() and not path.is_symlink():
        set_aside(path, path.parent, "is a folder, and a file is to stand there")
    # A name that nobody can have put there before, as a link to something else.
    part = path.with_name(f"{path.name[:200]}.{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if not only_first or not _linked(part, path):
            part.replace(path)
    except OSError as error:
        # The name of the file that was asked for, not that of its part.
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    sync_folder(path.parent)


def _linked(part: Path, path: Path) -> bool:
    """Give a file its name where nobody has it; False where the file system knows no such thing."""
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno in (errno.EEXIST, *_PLACE[:3], errno.ENOENT):
            raise
        return False
    return True


def _encoded(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")


def sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a stop of the machine, where the system can promise it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(path: Path, inside: bool = False) -> None:
    """Make a folder and those above it; a file that stands in its place is set aside.

    Args:
        path: The folder.
        inside: Whether it is to lie where its path says: a link to elsewhere is set aside, too.
    """
    if os.path.lexists(path) and (not path.is_dir() or (inside and path.is_symlink())):
        set_aside(path, path.parent, "is no folder, and a folder is to stand there")
    path.mkdir(parents=True, exist_ok=True)


def set_aside(path: Path, folder: Path, why: str) -> Path:
    """Move a file that cannot be used into ``set-aside``, say so, and return where it lies now.

    Args:
        path: What is to go.
        folder: Result folder that it belongs to.
        why: What is wrong with it, as the end of a sentence.
    """
    place = folder / ASIDE
    place.mkdir(exist_ok=True)
    number, target = 1, place / path.name
    while os.path.lexists(target):
        number += 1
        target = place / f"{path.stem}-{number}{path.suffix}"
    path.rename(target)
    sync_folder(path.parent)
    said.warning("%s %s; it was set aside as %s.", path, why, target)
    return target


def sealed(content: Mapping[str, object]) -> str:
    """Return content as JSON with a digest of itself, which ``unsealed`` checks.

    Example:
        >>> unsealed(sealed({"rates": (0.1, float("inf"))}))
        {'rates': [0.1, inf]}
    """
    plain = json.loads(json.dumps(content))
    return json.dumps(plain | {_DIGEST: _digest(plain)}, indent=None)


def unsealed(text: str | bytes) -> dict:
    """Return the content that ``sealed`` wrote.

    Raises:
        DamagedError: It is empty, cut, or other than was written; the message ends a sentence.
    """
    return unsealed_as(text)[0]


def unsealed_as(text: str | bytes) -> tuple[dict, str]:
    """Return the content that ``sealed`` wrote, and the text, with sorted names, of its digest.

    Raises:
        DamagedError: As ``unsealed``.
    """
    if not text:
        raise DamagedError("is empty")
    try:
        content = json.loads(text)
    # Deep nesting ends in a RecursionError.
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"is cut or no JSON ({printable(str(error))[:80]})") from None
    if not isinstance(content, dict):
        raise DamagedError("holds no record")
    digest = content.pop(_DIGEST, None)
    plain = json.dumps(content, sort_keys=True)
    if digest is not None and digest != hashlib.sha256(plain.encode()).hexdigest():
        raise DamagedError("holds other content than was written: its digest differs")
    return content, plain


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        DamagedError: It cannot be read, because it is a folder, say; the message ends a sentence.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DamagedError(f"cannot be read ({error.strerror})") from None


def is_about_the_place(error: object, folder: Path) -> TypeGuard[OSError]:
    """Whether an error is of the place where results lie, so that no other result can be kept."""
    return isinstance(error, OSError) and (error.errno in _PLACE or not folder.is_dir())


def file_name(text: str) -> str:
    """Return text as the name of a file: letters, digits and a few signs, never a path.

    What had to be changed gets a digest, so that different texts keep different names.

    Example:
        >>> file_name("val_loss"), file_name("../a b")
        ('val_loss', '_a_b-2c2c791a')
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".")[:_MOST_LETTERS]
    if plain == text:
        return text
    return f"{plain}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"


def printable(text: str) -> str:
    r"""Return text that is safe in a terminal: control characters are written out.

    Example:
        >>> printable("loss\x1b[2J of\tone")
        'loss\\x1b[2J of one'
    """
    return "".join(
        " " if c in "\n\t" else c.encode("unicode_escape").decode() if _moves(c) else c
        for c in text
    )


def _moves(character: str) -> bool:
    # Control, format (which turns the direction of text) and surrogates.
    return unicodedata.category(character) in ("Cc", "Cf", "Cs")


def _digest(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def state(path: Path | str) -> tuple | None:
    """Return what changes when a file does, or None where there is nothing, not even a link."""
    try:
        stat = os.lstat(path)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino

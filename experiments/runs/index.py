"""All results of a folder in one file beside them, so that many are read as fast as few.

The index holds nothing of its own: it may be missing, old or damaged, and is then written again
from the files. Each line is a result, with the state that its file had: only where that still is
the state of the file does the line count.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from tfadaopt.experiments.runs import files

INDEX = "cells.index"
_HEAD = b"tfadaopt index 1\n"
# With fewer results, their files are read as fast.
FEWEST = 1_000


class Index:
    """The index of a folder of results.

    Args:
        folder: Result folder.
        cells: Folder of the files that it is an index of.
    """

    def __init__(self, folder: Path, cells: Path):
        self._path, self._cells = folder / INDEX, cells
        # By name of a file: its state, and where its line is.
        self._lines: dict[str, tuple[tuple, int, int]] = {}
        self._file: BinaryIO | None = None
        self._fresh: dict[str, tuple[tuple, int, int]] = {}
        self._spool: BinaryIO | None = None
        self._versions: dict[bytes, dict[str, str]] = {}
        try:
            self._file = self._path.open("rb")
            self._read(self._file)
        except OSError:
            pass  # There is none, or none that can be read.

    def find(self, name: str, state: tuple) -> tuple[Mapping[str, str], dict] | None:
        """Return versions and result of a file, or None where the index does not know them."""
        for lines, file in ((self._fresh, self._spool), (self._lines, self._file)):
            if name in lines and lines[name][0] == state and file is not None:
                _, offset, length = lines[name]
                line = os.pread(file.fileno(), length, offset)
                digest, _, rest = line.partition(b"\t")
                if digest != _digest(rest):
                    continue
                parts = rest.split(b"\t", 5)
                versions = self._versions.get(parts[4])
                if versions is None:
                    versions = self._versions[parts[4]] = json.loads(parts[4])
                return versions, json.loads(parts[5].decode())
        return None

    def add(self, name: str, state: tuple, versions: Mapping[str, str], result: dict) -> None:
        """Note a result that was read from its file, and is whole."""
        if self._spool is None:
            self._spool = tempfile.TemporaryFile()  # noqa: SIM115
        line = _line(name, state, json.dumps(versions), json.dumps(result))
        offset = self._spool.seek(0, os.SEEK_END)
        self._spool.write(line)
        self._spool.flush()
        self._fresh[name] = (state, offset, len(line))

    def keep(self) -> None:
        """Write what was added, if it is worth it; where that fails, all is as before."""
        if len(self._fresh) < FEWEST or 10 * len(self._fresh) < len(self._lines):
            return
        try:
            with files.writing(self._path) as file:
                file.write(_HEAD)
                for lines, source in ((self._lines, self._file), (self._fresh, self._spool)):
                    for name, (_, offset, length) in lines.items():
                        is_old = lines is self._lines and name in self._fresh
                        if source is None or is_old or not (self._cells / name).is_file():
                            continue
                        file.write(os.pread(source.fileno(), length, offset))
        except OSError as error:
            files.said.warning("%s cannot be written (%s).", self._path, error.strerror)

    def close(self) -> None:
        """Let go of the files."""
        for file in (self._file, self._spool):
            if file is not None:
                file.close()
        self._file = self._spool = None

    def _read(self, file: BinaryIO) -> None:
        if file.readline() != _HEAD:
            return
        offset = len(_HEAD)
        for line in file:
            parts = line.split(b"\t", 5)
            if len(parts) == 6 and line.endswith(b"\n"):
                try:
                    state = tuple(map(int, parts[2:5]))
                    self._lines[parts[1].decode("ascii")] = (state, offset, len(line))
                except ValueError:
                    pass  # A damaged line.
            offset += len(line)


def _line(name: str, state: tuple, versions: str, result: str) -> bytes:
    # JSON has no tab and no new line in it that is not written as \t or \n.
    rest = "\t".join([name, *map(str, state), versions, result]).encode() + b"\n"
    return _digest(rest) + b"\t" + rest


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()

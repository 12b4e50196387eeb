"""Wheel and sdist of a tree, the same to the last bit wherever and whenever they are built."""

import gzip
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path


def export(root: Path, commit: str, folder: Path) -> None:
    """Put the files of a commit into a folder: what git does not know is in no release."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=root, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        # Not as the umask of who releases would have it.
        files.extractall(folder, filter="data")


def day_of(root: Path, commit: str) -> int:
    """Seconds since 1970 at which a commit was made: the time of all files of its release."""
    command = ["git", "show", "--no-patch", "--format=%ct", commit]
    return int(subprocess.run(command, cwd=root, check=True, capture_output=True).stdout)


def build(tree: Path, out: Path, epoch: int, **environment: str) -> list[Path]:
    """Build the sdist of a tree and the wheel from it, and return both.

    Built without isolation, with the setuptools of this environment: a version of a tool is part
    of what makes two builds alike.

    Args:
        tree: Folder of ``pyproject.toml``.
        out: Folder for both; it is made.
        epoch: Time of all files in them, in seconds since 1970.
        environment: More environment variables of the build.

    Raises:
        subprocess.CalledProcessError: The build fails; ``output`` says why.
    """
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree)]
    subprocess.run(
        command,
        cwd=tree,
        env={**os.environ, **environment, "SOURCE_DATE_EPOCH": str(epoch)},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        umask=0o022,  # a wheel keeps the rights of its files
    )
    (sdist,) = out.glob("*.tar.gz")
    settle(sdist, epoch)
    return sorted(out.iterdir())


def settle(sdist: Path, epoch: int) -> None:
    """Write an sdist again, without what differs from build to build: times, owners, order."""
    content = io.BytesIO()
    with (
        tarfile.open(sdist) as old,
        tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime = epoch
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    # The header of gzip has a time and a name, too.
    with (
        sdist.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=epoch) as packed,
    ):
        packed.write(content.getvalue())

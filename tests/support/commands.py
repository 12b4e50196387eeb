"""Commands that a test runs in processes of their own."""

import os
import subprocess
from pathlib import Path


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run a command to its end; what it says is the test's, whether it succeeds the caller's."""
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )


def output(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Standard output of a command that must succeed."""
    process = run(*command, cwd=cwd, **environment)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout

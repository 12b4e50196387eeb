"""A real TensorBoard on a free port of this machine."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

_PATIENCE = 180.0  # seconds: TensorBoard imports TensorFlow, on a machine that others use, too


class Server(NamedTuple):
    """A running TensorBoard; ``url`` ends with a slash."""

    url: str

    def get(self, route: str, **arguments: str | int) -> bytes:
        """Body of an answer; an ``HTTPError`` for any but 200."""
        query = f"?{urllib.parse.urlencode(arguments)}" if arguments else ""
        with urllib.request.urlopen(f"{self.url}{route}{query}", timeout=_PATIENCE) as response:
            return response.read()

    def ask(self, route: str, **arguments: str | int):
        """JSON that one of the tab's routes answers."""
        return json.loads(self.get(f"data/plugin/tfadaopt/{route}", **arguments))

    def values(self, route: str = "values", **arguments: str | int) -> tuple[dict, np.ndarray]:
        """Head and flat float32 values that one of the tab's routes answers."""
        body = self.get(f"data/plugin/tfadaopt/{route}", **arguments)
        start = 4 + int.from_bytes(body[:4], "little")
        return json.loads(body[4:start]), np.frombuffer(body[start:], "<f4")

    def table(self, run: str, quantity: str, statistic: str) -> tuple[dict, np.ndarray]:
        """Head and values [steps, layers] of a table."""
        head, flat = self.values(run=run, quantity=quantity, statistic=statistic)
        return head, flat.reshape(len(head["layers"]), -1).T

    def wait_for(self, run: str, step: int) -> None:
        """Wait until TensorBoard has read a run up to a step: it does so in the background."""
        wait(lambda: f" {step} " in json.dumps(self.ask("overview")["runs"].get(run, {})))


def wait(condition) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end, "TensorBoard took too long"
        time.sleep(0.1)


@contextlib.contextmanager
def serving(log_dir: Path, *flags: str, program: tuple[str, ...] = ()) -> Iterator[Server]:
    """Start TensorBoard, and end it.

    Args:
        log_dir: Folder of the runs.
        flags: More for TensorBoard's command line.
        program: What to run with Python instead of TensorBoard's own main module.
    """
    command = [sys.executable, *(program or ("-m", "tensorboard.main")), "--logdir", log_dir]
    command += ["--host", "127.0.0.1", "--port", "0", "--reload_interval", "1", *flags]
    log = log_dir.with_name(f"{log_dir.name}.tensorboard.log")
    with log.open("w") as stream:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=log_dir.parent,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    try:
        found: list[str] = []

        def listens() -> bool:
            assert process.poll() is None, log.read_text()
            found[:] = re.findall(r"at (http://127\.0\.0\.1:\d+/\S*)", log.read_text())
            return bool(found)

        wait(listens)
        url = found[0] if found[0].endswith("/") else f"{found[0]}/"
        yield Server(url)
    finally:
        process.terminate()
        process.wait(30)

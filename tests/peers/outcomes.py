"""A plugin of pytest: writes what became of each test, and why it failed, a line of JSON each."""

import json
import os
from pathlib import Path

FILE = "TFADAOPT_PEERS_OUTCOMES"


class Outcomes:
    """Writes ``[id, outcome, last line of the failure]`` as tests end: a run may be cut short."""

    def __init__(self, file: Path):
        self.lines = file.open("w", encoding="utf-8", buffering=1)

    def write(self, report, outcome: str, why: str = "") -> None:
        self.lines.write(json.dumps([report.nodeid, outcome, why]) + "\n")

    def pytest_collectreport(self, report):
        if report.failed:
            self.write(report, "failed", f"not collected: {last_line(report)}")

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.write(report, "failed", last_line(report))
        elif report.skipped or report.when == "call":
            self.write(report, report.outcome)

    def pytest_unconfigure(self):
        self.lines.close()


def last_line(report) -> str:
    """What a failed report ends with: the error, on one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr)
    return " ".join(text.split())[:300]


def pytest_configure(config):
    config.pluginmanager.register(Outcomes(Path(os.environ[FILE])), "peers-outcomes")

"""A plugin of coverage.py: workers of experiments keep what they measured before each answer.

Their parent ends them by a signal that no process can act on.
"""

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

import coverage


def coverage_init(_registry: Any, _options: Any) -> None:
    """Called by coverage.py, in each process that it measures, before anything else runs."""
    send = Connection.send

    def saved_first(connection: Connection, answer: Any) -> None:
        measuring = coverage.Coverage.current()
        if measuring is not None and multiprocessing.parent_process() is not None:
            measuring.save()
        send(connection, answer)

    Connection.send = saved_first  # type: ignore[method-assign]

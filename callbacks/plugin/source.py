"""What TensorBoard knows of the runs, read through its data provider."""

import contextlib
import threading
from collections import OrderedDict
from typing import NamedTuple

from tensorboard import plugin_util
from tensorboard.data import provider

from tfadaopt.callbacks.log_format import MARKS, PLUGIN, FormatError, description, mark_of
from tfadaopt.callbacks.tables import Row, Table, joined

# Tables that were shown last stay in memory: a click on a layer needs all statistics.
_CACHE_BYTES = 256 * 2**20
# TensorBoard samples what it hands out, too; a reader must say how many it wants at most.
_ALL = 2**31 - 1


class NotThere(LookupError):
    """A run, quantity, statistic or layer that TensorBoard has no data of."""


class Tag(NamedTuple):
    """A tag of one list of layers, with what changes when more is written to it."""

    name: str
    layers: tuple[str, ...]
    stamp: str


class Run(NamedTuple):
    """Tags of a run by quantity and statistic, and what could not be understood."""

    optimizer: str
    series: dict[str, dict[str, list[Tag]]]
    marks: str | None
    problems: list[str]


class Source:
    """Reads runs, tables and marks of the experiment of a request.

    Args:
        data_provider: TensorBoard's.
    """

    def __init__(self, data_provider):
        self._provider = data_provider
        self._tables: OrderedDict[tuple, tuple[str, Table]] = OrderedDict()
        self._lock = threading.Lock()

    def runs(self, request) -> dict[str, Run]:
        """All runs with data for the tab, by name."""
        listed = self._provider.list_tensors(**_where(request), plugin_name=PLUGIN)
        return {name: _run(tags) for name, tags in sorted(listed.items())}

    def run(self, request, name: str) -> Run:
        """One run.

        Raises:
            NotThere: No such run.
        """
        only = provider.RunTagFilter(runs=[name])
        listed = self._provider.list_tensors(
            **_where(request), plugin_name=PLUGIN, run_tag_filter=only
        )
        if name not in listed:
            raise NotThere(f"There is no run {name!r} with data of the optimizer.")
        return _run(listed[name])

    def table(self, request, name: str, quantity: str, statistic: str) -> Table:
        """Table of one quantity and statistic.

        Raises:
            NotThere: The run has no such quantity or statistic.
        """
        tags = self.run(request, name).series.get(quantity, {}).get(statistic)
        if not tags:
            raise NotThere(f"Run {name!r} has no {statistic!r} of {quantity!r}.")
        stamp = " ".join(f"{tag.name} {tag.stamp}" for tag in tags)
        key = plugin_util.experiment_id(request.environ), name, quantity, statistic
        with self._lock:
            if key in self._tables and self._tables[key][0] == stamp:
                self._tables.move_to_end(key)
                return self._tables[key][1]
        rows = [
            Row(step, wall, tag.layers, values)
            for tag in tags
            for step, wall, values in self._rows(request, name, tag.name)
        ]
        table = joined(sorted(rows, key=lambda row: row.wall))
        with self._lock:
            self._tables[key] = stamp, table
            self._tables.move_to_end(key)
            while sum(kept.values.nbytes for _, kept in self._tables.values()) > _CACHE_BYTES:
                self._tables.popitem(last=False)
        return table

    def marks(self, request, name: str) -> list[dict]:
        """What was found out about layers, in the order in which it was written.

        Raises:
            NotThere: No such run, or nobody looked in it.
        """
        if self.run(request, name).marks is None:
            raise NotThere(f"Run {name!r} has no marks.")
        marks = []
        for step, _, texts in self._rows(request, name, MARKS):
            for text in texts.ravel().tolist():
                with contextlib.suppress(FormatError):  # The others are shown.
                    marks.append(mark_of(text, step))
        return marks

    def _rows(self, request, run: str, tag: str) -> list[tuple]:
        read = self._provider.read_tensors(
            **_where(request),
            plugin_name=PLUGIN,
            downsample=_ALL,
            run_tag_filter=provider.RunTagFilter(runs=[run], tags=[tag]),
        )
        return [(datum.step, datum.wall_time, datum.numpy) for datum in read[run][tag]]


def _where(request) -> dict:
    environ = request.environ
    return {
        "ctx": plugin_util.context(environ),
        "experiment_id": plugin_util.experiment_id(environ),
    }


def _run(tags) -> Run:
    series: dict[str, dict[str, list[Tag]]] = {}
    optimizer, marks, problems = "", None, []
    for name, listed in sorted(tags.items()):
        stamp = f"{listed.max_step} {listed.max_wall_time}"
        try:
            about = description(listed.plugin_content)
        except FormatError as error:
            problems.append(f"{name} {error}")
            continue
        if about.marks:
            marks = stamp
            continue
        statistics = series.setdefault(about.quantity, {})
        statistics.setdefault(about.statistic, []).append(Tag(name, about.layers, stamp))
        optimizer = about.optimizer or optimizer
    return Run(optimizer, series, marks, problems)

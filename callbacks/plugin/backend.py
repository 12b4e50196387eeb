"""The tab's routes: its files, and the data that they draw."""

import functools
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from tensorboard.util import tb_logging
from werkzeug import exceptions, wrappers

from tfadaopt.callbacks import log_format
from tfadaopt.callbacks.plugin.source import NotThere, Source
from tfadaopt.callbacks.tables import Table

# Two different NaN: one was measured, the other says that nothing was. The tab's JavaScript tells
# them apart by these bits (static/table.js).
NAN = np.array(0x7FC00000, np.uint32).view(np.float32)
MISSING = np.array(0x7FC00001, np.uint32).view(np.float32)
_STATIC = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css"}
_BROKEN = """\
export function render() {
  document.body.textContent = "The files of this tab are missing: install tfadaopt again.";
}
"""
_logger = tb_logging.get_logger()


def _answering(answer: Callable) -> Callable:
    """Make a WSGI application of a method; an error is a text that the tab shows."""

    @functools.wraps(answer)
    def application(self, request):
        def say(text: str, code: int):
            return http_util.Respond(request, text, "text/plain", code=code)

        try:
            return answer(self, request)
        except NotThere as error:
            return say(str(error), 404)
        except exceptions.BadRequestKeyError as error:
            return say(f"The request needs the argument {error.args[0]!r}.", 400)
        except exceptions.BadRequest as error:
            return say(str(error.description), 400)
        except Exception as error:
            _logger.exception("The tab Optimizer could not answer %s", request.full_path)
            return say(f"{type(error).__name__}: {error}", 500)

    return application


class OptimizerTab(base_plugin.TBPlugin):
    """Heat maps of layers × steps.

    Args:
        context: TensorBoard's.
    """

    plugin_name = log_format.PLUGIN

    def __init__(self, context: base_plugin.TBContext):
        self._source = Source(context.data_provider)
        self._logdir = context.logdir or ""

    def is_active(self) -> bool:
        """Say no: TensorBoard looks itself whether there is data under the plugin's name."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Name of the tab, and its JavaScript."""
        return base_plugin.FrontendMetadata(es_module_path="/index.js", tab_name="Optimizer")

    def get_plugin_apps(self) -> dict:
        """Routes, under ``data/plugin/tfadaopt``."""
        files = {f"/{path.name}" for path in _STATIC.glob("*") if path.suffix in _TYPES}
        apps = dict.fromkeys(files | {"/index.js"}, self._file)
        data = {
            "/overview": self._overview,
            "/values": self._values,
            "/curves": self._curves,
            "/marks": self._marks,
        }
        return {
            route: wrappers.Request.application(answer) for route, answer in (apps | data).items()
        }

    @_answering
    def _file(self, request):
        path = _STATIC / request.path.rpartition("/")[2]
        if path.name == "index.js" and not path.exists():
            return http_util.Respond(request, _BROKEN, "text/javascript")
        return http_util.Respond(request, path.read_bytes(), _TYPES[path.suffix])

    @_answering
    def _overview(self, request):
        """Runs, their quantities and statistics, each with a stamp that new data changes."""
        runs, problems = {}, []
        for name, run in self._source.runs(request).items():
            problems += [f"{name}: {problem}" for problem in run.problems]
            runs[name] = {
                "optimizer": run.optimizer,
                "marks": run.marks,
                "series": {
                    quantity: {
                        statistic: " ".join(f"{tag.name} {tag.stamp}" for tag in tags)
                        for statistic, tags in statistics.items()
                    }
                    for quantity, statistics in run.series.items()
                },
            }
        overview = {
            "logdir": self._logdir,
            "runs": runs,
            "problems": problems,
            "names": {
                "quantities": log_format.QUANTITIES,
                "statistics": {**log_format.STATISTICS, log_format.VALUE: log_format.VALUE},
            },
        }
        return http_util.Respond(request, overview, "application/json")

    @_answering
    def _values(self, request):
        """Table of one statistic, layer by layer; rows that the asker has are not sent again."""
        ask = request.args
        table = self._source.table(request, ask["run"], ask["quantity"], ask["statistic"])
        known = ask.get("known", "0")
        if not known.isdecimal() or len(known) > 18:
            raise exceptions.BadRequest(f"known={known[:40]!r} is no number of rows.")
        known = int(known)
        if known > len(table.steps) or table.token(known) != ask.get("token"):
            known = 0
        head = {
            "layers": [*table.layers],
            "known": known,
            "steps": table.steps[known:].tolist(),
            "token": table.token(len(table.steps)),
            "skipped": table.skipped,
        }
        return _binary(request, head, [coded(table)[known:].T])

    @_answering
    def _curves(self, request):
        """All statistics of one layer."""
        ask = request.args
        run, quantity, layer = ask["run"], ask["quantity"], ask["layer"]
        head, curves = {}, []
        for statistic in self._source.run(request, run).series.get(quantity, {}):
            table = self._source.table(request, run, quantity, statistic)
            if layer in table.layers:
                head[statistic] = table.steps.tolist()
                curves.append(coded(table)[:, table.layers.index(layer)])
        if not head:
            raise NotThere(f"Run {run!r} has no {quantity!r} of the layer {layer!r}.")
        return _binary(request, head, curves)

    @_answering
    def _marks(self, request):
        """Stalled layers and the like."""
        marks = self._source.marks(request, request.args["run"])
        return http_util.Respond(request, marks, "application/json")


def coded(table: Table) -> np.ndarray:
    """Values with the two kinds of NaN."""
    values = np.where(np.isnan(table.values), NAN, table.values)
    return np.where(table.measured, values, MISSING)


def _binary(request, head: dict, arrays: list[np.ndarray]):
    """Answer with JSON and float32 in one body: length of the JSON, JSON, zeros to 4 bytes, values.

    As JSON, the values of a large run would take five times the space, and NaN would be lost.
    """
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 4)
    values = b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in arrays)
    body = struct.pack("<I", len(text)) + text + values
    return http_util.Respond(request, body, "application/octet-stream")

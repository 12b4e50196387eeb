"""What a callback asks of a recorder: quantities of which layers, when, and who gets the numbers.

**To get the numbers of each snapshot**, put a listener into the request: a function
``listener(step, tables)`` that is called after each snapshot of that request, on the host, with

* ``step``, the optimizer iterations done, and
* ``tables``, ``{(quantity, statistic): (layers, numbers)}``: the paths of the layers and a NumPy
  array of a float32 for each. Quantities and statistics are those of the tab "Optimizer":
  ``effective_learning_rate``, ``accumulator/<slot>``, ``update_ratio``, ``update_norm``,
  ``gradient_norm``, ``weight_norm``; ``mean min max p05 p50 p95 norm``, or ``value`` where there
  is one number per layer. What could not be measured at this step is not among them; a NaN in
  them was measured. Other requests of the same folder may add to them.

It returns marks to be written with the event: dictionaries with ``layer``, ``kind``, ``quantity``,
``since``, ``cause`` and ``advice``, only what is new; or nothing. For example::

    class StallWarning(StateCallback):
        def request(self):
            what = What((EffectiveRates(sampled=True, required=False), Updates("update_ratio")))
            return Request(what, self.when, scalars=0, listeners=(self.look,))

        def look(self, step, tables):
            layers, ratios = tables["update_ratio", "value"]
            return [{"layer": layers[i], "kind": "dead", …} for i in np.flatnonzero(ratios == 0)]
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tfadaopt.callbacks.layers import Quantity
from tfadaopt.callbacks.log_format import Tables
from tfadaopt.callbacks.run_log import Preface
from tfadaopt.callbacks.when import When
from tfadaopt.callbacks.writers import Guarded

Listener = Callable[[int, Tables], Iterable[Mapping] | None]


@dataclass(frozen=True)
class What:
    """Quantities of some layers; what compares equal is traced once.

    Attributes:
        quantities: What to measure.
        include: Regular expressions; layers of whose path none matches a part are left out.
            Default none: all layers.
        exclude: The same for layers to leave out.
        reads: What must be readable: ``effective_learning_rate``, ``accumulators``, or None.
    """

    quantities: tuple[Quantity, ...]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    reads: str | None = None

    def wants(self, path: str) -> bool:
        """Whether a layer is among those asked for."""
        included = not self.include or any(re.search(pattern, path) for pattern in self.include)
        return included and not any(re.search(pattern, path) for pattern in self.exclude)

    def check(self, owner: str, paths: Sequence[str]) -> None:
        """Raise a ``ValueError`` if no layer is asked for.

        Args:
            owner: Class of the callback, for the message.
            paths: Paths of what is trained; none where they are not known yet.
        """
        if paths and not any(self.wants(path) for path in paths):
            raise ValueError(
                f"{owner}: include={list(self.include)} and exclude={list(self.exclude)} leave no "
                "variable of the model. The patterns are searched in the paths of what is trained, "
                f"such as: {', '.join(paths[:20])}."
            )


@dataclass(frozen=True)
class Request:
    """What a callback asks of a recorder.

    Attributes:
        what: What to measure.
        when: In which steps.
        scalars: Most layers of a quantity that go to TensorBoard as scalars; None for all.
        listeners: Who gets the numbers of each snapshot; see the top of this file.
        prefaces: Serialized summaries to write before the first event of a folder, from the layers.
        writers: Who else gets what is written.
    """

    what: What
    when: When
    scalars: int | None = None
    listeners: tuple[Listener, ...] = ()
    prefaces: tuple[Preface, ...] = ()
    writers: tuple[Guarded, ...] = ()

"""How the cost of an update grows: ``python benchmarks/growth.py [--write]``.

With the number of variables (of 256 weights each), with their size (16 of them), and with the depth
of a network of small layers; ours over Keras' own, gradients ready, in a plain ``tf.function``.
Updates of both are interleaved: the median of the ratios of pairs, and its middle half. To trace:
processor time to the end of the first update. ``--write`` writes each row into ``growth.md``, and
the curves of all that are there as ``growth.svg``; with ``--missing``, only what is not there yet.
"""

import argparse
import time
from pathlib import Path

import keras
import tensorflow as tf
from fit import compared
from graphs import pair
from tables import Kept, as_markdown

from tfadaopt.experiments.reports import draw, look
from tfadaopt.experiments.reports.figures import Lines, Panels, Series

HERE = Path(__file__).parent
METHODS = ("SGD", "Adagrad", "Adam")


def shapes_of(kind: str, size: int) -> list[tuple[int, ...]]:
    """Shapes of the variables."""
    if kind == "variables":
        return [(256,)] * size
    if kind == "weights of each of 16":
        return [(size,)] * 16
    return [(16, 16), (16,)] * size  # layers


SIZES = {
    "variables": (10, 100, 1000, 5000),
    "weights of each of 16": (1 << 10, 1 << 14, 1 << 17, 1 << 20),
    "layers": (10, 100, 500),
}


class Update:
    """An optimizer, its variables, and a compiled update of them."""

    def __init__(self, optimizer, shapes: list[tuple[int, ...]]) -> None:
        variables = [keras.Variable(tf.random.normal(shape)) for shape in shapes]
        gradients = [tf.random.normal(shape) for shape in shapes]
        optimizer.build(variables)

        @tf.function(autograph=False)
        def update() -> tf.Tensor:
            optimizer.apply(gradients, variables)
            return tf.convert_to_tensor(optimizer.iterations)

        self._update = update
        began = time.process_time()
        update()
        self.trace_seconds = time.process_time() - began

    def seconds(self) -> float:
        """Seconds of one update."""
        began = time.perf_counter()
        self._update().numpy()
        return time.perf_counter() - began


def place(method: str, kind: str, size: int) -> dict:
    """What tells a row from the others."""
    return {"method": method, "what grows": kind, "to": size}


def row(method: str, kind: str, size: int, pairs: int) -> dict:
    """One size."""
    forms = [Update(make(), shapes_of(kind, size)) for make in pair(method)]
    for form in forms:
        form.seconds()
    return {
        **place(method, kind, size),
        **compared(forms[0].seconds, forms[1].seconds, pairs),
        "trace s, Keras": forms[1].trace_seconds,
        "trace, ratio": forms[0].trace_seconds / forms[1].trace_seconds,
    }


def picture(rows: list[dict]) -> Panels:
    """Above, what an update costs over that of Keras; below, what it takes to trace it."""
    panels = []
    for quantity, label in (
        ("ratio", "update, over Keras'"),
        ("trace, ratio", "trace, over Keras'"),
    ):
        for kind, sizes in SIZES.items():
            lines = []
            for method in dict.fromkeys(row["method"] for row in rows):
                found = {
                    int(row["to"]): float(row[quantity])
                    for row in rows
                    if (row["method"], row["what grows"]) == (method, kind)
                }
                there = [size for size in sizes if size in found]
                lines.append(Series(method, there, [found[size] for size in there]))
            panels.append(Lines(label, kind, label, tuple(lines), x_log=True))
    return Panels("How the cost of an update grows", tuple(panels), columns=3, shared=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--pairs", type=int, default=31)
    parser.add_argument("--write", action="store_true", help="write benchmarks/growth.md and .svg")
    parser.add_argument("--missing", action="store_true", help="only rows that are not there yet")
    options = parser.parse_args()
    sizes = sorted({size for of_kind in SIZES.values() for size in of_kind})
    table = Kept("growth.md", {"method": METHODS, "what grows": list(SIZES), "to": sizes})
    for method in options.methods.split(","):
        for kind, of_kind in SIZES.items():
            for size in of_kind:
                if options.missing and place(method, kind, size) in table:
                    continue
                found = row(method, kind, size, options.pairs)
                print(as_markdown([found]).splitlines()[-1], flush=True)
                if options.write:
                    table.put(found)
    if options.write:
        look.save(draw.draw(picture(table.rows)), HERE / "growth")


if __name__ == "__main__":
    main()

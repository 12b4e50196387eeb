"""What Shampoo and SOAP cost, by how often they decompose: ``python benchmarks/refresh.py``.

One update of one n × n matrix, gradient ready, in a ``tf.function``; steps of all intervals are
interleaved, over whole intervals. Beside each: what its multiplications and additions would take at
the speed of a product of two n × n matrices, which is measured in between. A step counts these:

- SOAP: 2 n³ each for L, R, and for each of the two products that rotate the gradient, its mean, and
  the step back: 16 n³. A refreshment: of each of two matrices a power iteration of 2 n³ and a QR
  decomposition with its Q of 8/3 n³.
- Shampoo: 2 n³ each for L, R, and the two products with their roots: 8 n³. A refreshment: of each
  of two matrices the eigenvectors, about 9 n³, and 2 n³ for the root that they make.

Counts of Algorithm 3 of Vyas et al. (2025) and Algorithm 1 of Gupta et al. (2018); those of the
decompositions are of Golub and Van Loan, Matrix Computations (2013), sections 5.2 and 8.3.
"""

import argparse
import statistics
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tables import as_markdown

import tfadaopt

HERE = Path(__file__).parent
INTERVALS = (1, 2, 5, 10, 20, 50)
# In n³: of each step, and of a refreshment.
COUNTS = {"SOAP": (16.0, 2 * (2 + 8 / 3)), "Shampoo": (8.0, 2 * (9 + 2.0))}


class Update:
    """One optimizer on one n × n matrix."""

    def __init__(self, optimizer, n: int) -> None:
        variable = keras.Variable(tf.zeros((n, n)))
        gradients = tf.random.normal((8, n, n), seed=0)
        optimizer.build([variable])

        @tf.function(autograph=False)
        def step(i: tf.Tensor) -> tf.Tensor:
            optimizer.apply([gradients[i % 8]], [variable])
            return tf.convert_to_tensor(optimizer.iterations)

        self._step, self._taken = step, 0

    def steps(self, count: int) -> float:
        """Seconds of each of so many steps, in the mean."""
        began = time.perf_counter()
        for _ in range(count):
            self._taken += 1
            self._step(tf.constant(self._taken)).numpy()
        return (time.perf_counter() - began) / count


def seconds_of_product(n: int, products: int = 8) -> float:
    """Median seconds of a product of two n × n matrices, one after the other in one call."""
    a = tf.linalg.qr(tf.random.normal((n, n)))[0]

    @tf.function(autograph=False)
    def turned(x: tf.Tensor) -> tf.Tensor:
        for _ in range(products):
            x = tf.linalg.matmul(x, a)
        return x

    turned(a)
    seconds = []
    for _ in range(9):
        began = time.perf_counter()
        turned(a).numpy()
        seconds.append((time.perf_counter() - began) / products)
    return statistics.median(seconds)


def rows(method: str, n: int, rounds: int) -> list[dict]:
    """One row per interval."""
    cls = getattr(tfadaopt, method)
    updates = {every: Update(cls(refresh_every=every), n) for every in INTERVALS}
    adam = Update(tfadaopt.Adam(), n)
    for update in (adam, *updates.values()):
        update.steps(3)  # The first traces, and decomposes from nothing.
    found: dict[int, list[float]] = {every: [] for every in INTERVALS}
    of_adam, of_product = [], []
    for _ in range(rounds):
        of_adam.append(adam.steps(10))
        of_product.append(seconds_of_product(n))
        for every, update in updates.items():
            found[every].append(update.steps(max(every, 4)))
    each, refreshment = COUNTS[method]
    unit = statistics.median(of_product) / 2  # seconds of n³ operations
    table = []
    for every, seconds in found.items():
        middle = statistics.median(seconds)
        model = unit * (each + refreshment / every)
        table.append(
            {
                "method": method,
                "n": n,
                "refresh_every": every,
                "ms": 1e3 * middle,
                "least to most": f"{1e3 * min(seconds):.2f}–{1e3 * max(seconds):.2f}",
                "of Adam": middle / statistics.median(of_adam),
                "ms, counted": 1e3 * model,
                "of the count": middle / model,
            }
        )
    return table


def of_two_parts(table: list[dict]) -> str:
    """A sentence: the least squares of a + b / interval through the rows of a table."""
    inverse = np.array([1 / row["refresh_every"] for row in table])
    ms = np.array([row["ms"] for row in table])
    # Relative errors, as the cost goes over a wide range.
    lines = np.stack([np.ones_like(inverse), inverse], axis=1) / ms[:, np.newaxis]
    (a, b), *_ = np.linalg.lstsq(lines, np.ones_like(ms), rcond=None)
    off = np.max(np.abs((a + b * inverse) / ms - 1))
    first = table[0]
    return (
        f"{first['method']}, n = {first['n']}: {a:.2f} ms each step + {b:.2f} ms each refreshment, "
        f"which is within {100 * off:.0f} % of all rows."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", default="Shampoo,SOAP")
    parser.add_argument("--sizes", default="64,256,768")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved turns of all intervals")
    parser.add_argument("--write", action="store_true", help="write benchmarks/refresh.md")
    options = parser.parse_args()
    parts, sentences = [], []
    for method in options.methods.split(","):
        for n in map(int, options.sizes.split(",")):
            parts += (new := rows(method, n, options.rounds))
            sentences.append(of_two_parts(new))
            print(as_markdown(new) + sentences[-1], flush=True)
    if options.write:
        text = as_markdown(parts) + "\n" + "\n".join(f"- {x}" for x in sentences) + "\n"
        (HERE / "refresh.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

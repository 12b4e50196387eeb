"""The pictures and numbers of the lineage page: each method beside its ancestor, on one problem.

    python benchmarks/lineage.py

Writes ``docs/measured/lineage-*``: a picture for each of three families, and what was measured in
words, which ``docs/lineage.md`` includes. It takes half a minute of processor time.

The problem is least squares for a matrix W [8, 6], from 0 to a W* of standard normal numbers:
f(W) = ½ tr((W − W*)ᵀ A (W − W*) B), with A and B of condition 30, their axes turned at random, so
that f has the condition 900 and no coordinate stands alone. It is walked with exact gradients, and
with gradients that have normal noise of 0.2 in each coordinate, as of mini-batches. Each method
gets the same 25 constant rates, and is shown at its best: with exact gradients the one that needs
the fewest steps to stay below 10⁻⁴ of the first loss, with noise the one that ends lowest.
"""

import argparse
import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from measured import write_figure, write_text

from tfadaopt.catalog import METHODS
from tfadaopt.experiments.problems.walks import arrivals
from tfadaopt.experiments.reports.figures import Lines, Panels, Series
from tfadaopt.experiments.reports.pages import exact

FAMILIES = {
    "signs": ("Rprop", "RMSprop", "Adam", "Lion"),
    "momentum": ("SGD", "Momentum", "Nesterov", "Muon"),
    "sums": ("Adagrad", "Shampoo", "SOAP"),
}
# What would hide the rule: decay, and Muon's choice of what is a matrix.
ARGUMENTS = {
    "Muon": {"only_muon": [".*"]},
    "Shampoo": {"epsilon": 1e-12},
    "SOAP": {"weight_decay": None, "refresh_every": 1},
}
EXACT, NOISY = "exact gradients", "noisy gradients"
NOISE = {EXACT: 0.0, NOISY: 0.2}
SHAPE, CONDITION, STEPS, SEEDS = (8, 6), 30.0, 400, 5
RATES = np.logspace(-5, 1, 25)
TARGET, LOWEST_DRAWN = 1e-4, 1e-6  # of the first loss
CLEAR = 1.25  # Factor of two measurements from which on they are said to differ.


@dataclass(frozen=True)
class Problem:
    """A, B and W* of one seed, and the noise of each step."""

    rows: np.ndarray
    columns: np.ndarray
    lowest: np.ndarray
    noise: np.ndarray

    @property
    def tensors(self) -> list[tf.Tensor]:
        return [tf.constant(x) for x in (self.rows, self.columns, self.lowest, self.noise)]


def problem(seed: int) -> Problem:
    random = np.random.default_rng(seed)

    def turned(n: int) -> np.ndarray:
        axes, _ = np.linalg.qr(random.standard_normal((n, n)))
        return (axes * np.geomspace(1 / CONDITION, 1, n)) @ axes.T

    rows, columns = map(turned, SHAPE)
    lowest, noise = random.standard_normal(SHAPE), random.standard_normal((STEPS, *SHAPE))
    return Problem(rows, columns, lowest, noise)


def walker(method: str) -> Callable[[float, float, Problem], np.ndarray]:
    """Return a function of rate, noise and problem that returns the losses [1 + STEPS]."""
    cls = next(record.cls for record in METHODS if record.name == method)
    eta, w = tf.Variable(np.float64(0)), keras.Variable(np.zeros(SHAPE), dtype="float64", name="w")
    optimizer = cls(learning_rate=lambda: eta, nonfinite="ignore", **ARGUMENTS.get(method, {}))
    optimizer.build([w])
    fresh = [(v, v.numpy()) for v in [w, *optimizer.variables]]

    @tf.function(jit_compile=True, autograph=False)
    def go(size: tf.Tensor, rows, columns, lowest, noise) -> tf.Tensor:
        def gradient() -> tf.Tensor:
            return rows @ (w.value - lowest) @ columns

        def loss() -> tf.Tensor:
            return tf.reduce_sum((w.value - lowest) * gradient()) / 2

        def step(t: tf.Tensor, log: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            optimizer.apply([gradient() + size * noise[t]], [w])
            return t + 1, log.write(t + 1, loss())

        log = tf.TensorArray(tf.float64, size=1 + STEPS, element_shape=[]).write(0, loss())
        return tf.while_loop(lambda t, _: t < STEPS, step, (0, log))[1].stack()

    def walk(rate: float, size: float, given: Problem) -> np.ndarray:
        for variable, value in fresh:
            variable.assign(value)
        eta.assign(rate)
        return go(tf.constant(size, tf.float64), *given.tensors).numpy()

    return walk


def steps_needed(losses: np.ndarray) -> float:
    """Step from which on the loss stays at or below the target; infinity: never."""
    return float(arrivals(losses[:, np.newaxis] / losses[0], TARGET)[0])


def end(losses: np.ndarray) -> float:
    """Mean loss over the last tenth of the steps, as a share of the first; infinity: diverged."""
    return float(np.nan_to_num(losses[-STEPS // 10 :].mean() / losses[0], nan=np.inf))


MEASURED = {EXACT: steps_needed, NOISY: end}


@functools.cache
def problems() -> list[Problem]:
    return [problem(seed) for seed in range(SEEDS)]


def best_walks(method: str) -> dict[str, list[tuple[float, np.ndarray]]]:
    """Return rate and losses of the best walk, for each kind of gradient, of each seed."""
    walk, found = walker(method), {}
    for kind, size in NOISE.items():
        found[kind] = []
        for given in problems():
            walks = [walk(rate, size, given) for rate in RATES]
            # Where none arrives, the lowest in the end.
            worth = [[end(losses), MEASURED[kind](losses)] for losses in walks]
            best = int(np.lexsort(np.transpose(worth))[0])
            found[kind].append((float(RATES[best]), walks[best]))
    return found


def picture(name: str, walks: dict[str, dict]) -> Panels:
    """Losses of a family on the first problem, each method at its best rate."""
    panels = []
    for kind in NOISE:
        series = []
        for method in FAMILIES[name]:
            _, losses = walks[method][kind][0]
            share = losses / losses[0]
            drawn = np.where(np.minimum.accumulate(share) >= LOWEST_DRAWN, share, np.nan)
            series.append(Series(method, np.arange(1 + STEPS), drawn))
        panels.append(Lines(kind, "step", "loss ÷ first loss", tuple(series), y_log=True))
    return Panels(
        f"{' → '.join(FAMILIES[name])}: each at its best rate", tuple(panels), shared=False
    )


def sentence(before: str, after: str, walks: dict[str, dict]) -> str:
    """Say how many steps both need with exact gradients, and where they end with noisy ones."""
    said = []
    for kind, measure in MEASURED.items():
        first, second = (
            np.array([measure(losses) for _, losses in walks[m][kind]]) for m in (before, after)
        )
        better, worse = int(np.sum(second * CLEAR < first)), int(np.sum(first * CLEAR < second))
        if kind == EXACT:
            values, more = [in_steps(np.median(x)) for x in (first, second)], "faster"
        else:
            values, more = [f"ends at {exact(np.median(x), 2)}" for x in (first, second)], "lower"
        verdict = (
            f"{after} is {more}"
            if better > SEEDS / 2
            else f"{before} is {more}"
            if worse > SEEDS / 2
            else "no clear difference"
        )
        said.append(
            f"- **{kind.capitalize()}:** {before} {values[0]}, {after} {values[1]}: {verdict} "
            f"({after} on {better} of {SEEDS} problems, {before} on {worse})."
        )
    return "\n".join(said)


def in_steps(median: float) -> str:
    return (
        f"does not arrive in {STEPS} steps"
        if np.isinf(median)
        else f"arrives in {median:.0f} steps"
    )


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    walks = {m: best_walks(m) for family in FAMILIES.values() for m in family}
    for name, family in FAMILIES.items():
        data = picture(name, walks)
        write_figure(f"lineage-{name}", data)
        for before, after in itertools.pairwise(family):
            text = sentence(before, after, walks)
            write_text(f"lineage-{before}-{after}".lower(), [text])
            print(text)
        for method in family:
            rates = {kind: walks[method][kind][0][0] for kind in NOISE}
            print(f"  {method}: {rates}")


if __name__ == "__main__":
    main()

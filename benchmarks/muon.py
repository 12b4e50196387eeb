"""What Muon's matrices cost: ``python benchmarks/muon.py [--write]``.

Processor time of orthogonalizing all kernels of a network that are matrices: in batches of equal
shapes, one by one, and beside one refreshment of SOAP's bases of the same kernels. The three take
turns; the median, and the median of the ratios of turns.
"""

import argparse
import statistics
import time
from pathlib import Path

import tensorflow as tf
from models import PROBLEMS
from tables import as_markdown

import tfadaopt
from tfadaopt.optimizers.pieces import matrices
from tfadaopt.optimizers.pieces.orthogonal import orthogonalized, sides

HERE = Path(__file__).parent
NETWORKS = "cnn,resnet20"


def kernels_of(network: str) -> list[tf.Tensor]:
    """Random gradients of the kernels that Muon steps as matrices."""
    optimizer = tfadaopt.Muon()
    optimizer.build(PROBLEMS[network]().model.trainable_variables)
    return [tf.random.normal(route.shape) for route in optimizer.routes() if route.matrix]


def functions_of(kernels: list[tf.Tensor], steps: int) -> dict:
    """What is timed, by its name."""
    statistics_of, bases = [], []
    for kernel in kernels:
        matrix = tf.reshape(kernel, sides(kernel.shape))
        for side in matrices.short_sides(matrix.shape, tfadaopt.SOAP().max_dimension):
            gram = matrices.gram(matrix, side)
            statistics_of.append(gram)
            bases.append(matrices.eigenvectors(gram[tf.newaxis])[0])

    def batched():
        return orthogonalized(kernels, steps)

    def alone():
        return [x for kernel in kernels for x in orthogonalized([kernel], steps)]

    def refreshed():
        turned = matrices.in_stacks(matrices.power_iteration, statistics_of, bases)
        return [basis for basis, _ in turned]

    def summed(f):
        """One number, so that no time goes into handing matrices over."""
        return lambda: tf.add_n([tf.reduce_sum(x) for x in f()])

    made = {"batched": batched, "one by one": alone, "SOAP refreshes": refreshed}
    return {name: tf.function(summed(f), autograph=False) for name, f in made.items()}


def milliseconds(function) -> float:
    """Processor time of one call."""
    began = time.process_time()
    function().numpy()
    return 1000 * (time.process_time() - began)


def row(network: str, turns: int) -> dict:
    """The costs for one network."""
    kernels = kernels_of(network)
    functions = functions_of(kernels, tfadaopt.Muon().steps)
    for function in functions.values():
        function()
    taken = [{name: milliseconds(f) for name, f in functions.items()} for _ in range(turns)]

    def ratio(name: str) -> float:
        return statistics.median(turn["batched"] / turn[name] for turn in taken)

    middle = {name: statistics.median(turn[name] for turn in taken) for name in functions}
    shapes = {tuple(sorted(sides(kernel.shape))) for kernel in kernels}
    return {
        "network": network,
        "matrices": len(kernels),
        "shapes": len(shapes),
        **{f"{name}, ms": round(x, 1) for name, x in middle.items()},
        "batched / one by one": ratio("one by one"),
        "batched / refreshment": ratio("SOAP refreshes"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=NETWORKS)
    parser.add_argument("--turns", type=int, default=21)
    parser.add_argument("--write", action="store_true", help="write benchmarks/muon.md")
    options = parser.parse_args()
    rows = [row(network, options.turns) for network in options.networks.split(",")]
    print(as_markdown(rows))
    if options.write:
        (HERE / "muon.md").write_text(as_markdown(rows), encoding="utf-8")


if __name__ == "__main__":
    main()

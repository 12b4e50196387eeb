"""Trainings in which something is to be said."""

from functools import partial

import keras
from keras import layers

import tfadaopt
from benchmarks.stalls import data as of
from benchmarks.stalls import models
from benchmarks.stalls.scenario import Scenario

_keras = keras.optimizers
RAISE = r"[Rr]aise the learning rate|larger learning rate|higher learning rate"


class Kills(keras.callbacks.Callback):
    """Pushes the inputs of all ReLU of a layer below 0, at a step."""

    def __init__(self, name, step=200):
        super().__init__()
        self.name, self.step, self.done = name, step, 0

    def on_train_batch_begin(self, batch, logs=None):
        if self.done == self.step:
            models.kill(self.name)(self.model)
        self.done += 1


class Raises(keras.callbacks.Callback):
    """Sets another rate at a step."""

    def __init__(self, rate, step=200):
        super().__init__()
        self.rate, self.step, self.done = rate, step, 0

    def on_train_batch_begin(self, batch, logs=None):
        if self.done == self.step:
            self.model.optimizer.learning_rate = self.rate
        self.done += 1


def broken():
    """All of them."""
    found = []

    def adder(kind, expected, **always):
        def add(name, model, optimizer, **options):
            found.append(Scenario(f"{kind}: {name}", kind, model, optimizer,
                                  expected=expected, **{**always, **options}))  # fmt: skip

        return add

    dead(adder)
    not_finite(adder)
    rates(adder)
    vanishing(adder)
    accumulators(adder)
    precision(adder)
    return found


def ours(name, *args, **options):
    return lambda: getattr(tfadaopt, name)(*args, **options)


def keras_own(name, *args, **options):
    return lambda: getattr(_keras, name)(*args, **options)


def dead(adder):
    """Without gradient."""
    mlp, cnn = models.mlp, models.cnn
    add = adder(
        "dead at first",
        ("dead",),
        says="[Nn]o gradient",
        never=RAISE,
        epochs=4,
        where="dense_2|dense_1",
    )
    kill = {"prepare": models.kill("dense_2")}
    for name, rate in {
        "SGD": 0.1,
        "Adam": 1e-3,
        "Adagrad": 0.02,
        "RMSprop": 1e-3,
        "Momentum": 0.02,
        "Nadam": 1e-3,
        "Yogi": 1e-3,
    }.items():
        add(f"MLP, {name}", mlp, ours(name, rate), **kill)
    add("MLP, AdamW", mlp, ours("AdamW", 1e-3, weight_decay=0.1), **kill)
    add("MLP, Keras' Adam", mlp, keras_own("Adam", 1e-3), **kill)
    add("MLP, Keras' SGD", mlp, keras_own("SGD", 0.05, momentum=0.9), **kill)
    add("MLP, Keras' SGD with decay", mlp, keras_own("SGD", 0.05, weight_decay=0.01), **kill)
    add("CNN, Adam", cnn, ours("Adam", 1e-3), prepare=models.kill("conv_2"), where="conv_")
    add(
        "CNN, Keras' RMSprop",
        cnn,
        keras_own("RMSprop", 1e-3),
        prepare=models.kill("dense"),
        where="conv_|dense",
    )
    add("CNN, Adagrad", cnn, ours("Adagrad", 0.02), prepare=models.kill("conv_1"), where="conv_1")
    add(
        "autoencoder, Adam",
        models.autoencoder,
        ours("Adam", 1e-3),
        data=of.pictures,
        loss="mse",
        prepare=models.kill("decoder_1"),
        where="encoder|decoder_1",
    )
    add = adder(
        "dead later",
        ("dead",),
        says="[Nn]o gradient",
        never=RAISE,
        event=200,
        epochs=7,
        where="dense_2|dense_1",
        callbacks=lambda: [Kills("dense_2")],
    )
    for name, rate in {
        "SGD": 0.1,
        "Adam": 1e-3,
        "Adagrad": 0.02,
        "RMSprop": 1e-3,
        "Momentum": 0.02,
        "AMSGrad": 1e-3,
        "Adamax": 2e-3,
        "Nesterov": 0.02,
    }.items():
        add(f"MLP, {name}", mlp, ours(name, rate))
    add("MLP, AdamW", mlp, ours("AdamW", 1e-3, weight_decay=0.1))
    add("MLP, Keras' Adam", mlp, keras_own("Adam", 1e-3))
    add("MLP, Keras' SGD", mlp, keras_own("SGD", 0.05, momentum=0.9))
    add("MLP, Keras' RMSprop", mlp, keras_own("RMSprop", 1e-3))
    add("CNN, Adam", cnn, ours("Adam", 1e-3), callbacks=lambda: [Kills("conv_2")], where="conv_")
    add(
        "CNN, Keras' AdamW",
        cnn,
        keras_own("AdamW", 1e-3),
        callbacks=lambda: [Kills("dense")],
        where="conv_|dense",
    )
    add("own step, Adam", models.own_step, ours("Adam", 1e-3))
    add = adder(
        "cut off", ("dead",), says="[Nn]o gradient", never=RAISE, epochs=4, where="own|size"
    )
    cut = partial(models.two_heads, True)
    both = {"data": of.heads, "loss": [keras.losses.SparseCategoricalCrossentropy(True), "mse"]}
    add("two heads, Adam", cut, ours("Adam", 1e-3), **both)
    add("two heads, SGD", cut, ours("SGD", 0.1), **both)
    add("two heads, Keras' RMSprop", cut, keras_own("RMSprop", 1e-3), **both)
    add("two heads, Keras' AdamW", cut, keras_own("AdamW", 1e-3), **both)


def not_finite(adder):
    """NaN and infinity."""
    add = adder(
        "NaN once",
        ("nan",),
        says="[Nn]ot finite|NaN",
        never="moved|grown|rose|risen|steps were too large",
        data=of.bad_once,
        shuffle=False,
        epochs=1,
        event=201,
    )
    add("MLP, Keras' Adam", models.mlp, keras_own("Adam", 1e-3))
    add("MLP, Adam that skips", models.mlp, ours("Adam", 1e-3))
    add("CNN, SGD that ignores", models.cnn, ours("SGD", 0.1, nonfinite="ignore"))
    add("GRU, Keras' RMSprop", models.recurrent, keras_own("RMSprop", 1e-3))
    add("transformer, AdamW that skips", models.transformer, ours("AdamW", 1e-3))
    add("transformer, Keras' AdamW", models.transformer, keras_own("AdamW", 1e-3))
    add(
        "infinite input, Keras' SGD",
        models.mlp,
        keras_own("SGD", 0.05),
        data=partial(of.bad_once, value=float("inf")),
    )
    add("own step, Keras' Adam", models.own_step, keras_own("Adam", 1e-3))
    add("mixed_float16, Keras' Adam", models.mlp, keras_own("Adam", 1e-3), policy="mixed_float16")
    add = adder(
        "NaN always",
        ("nan",),
        says="[Nn]ot finite|NaN",
        never="moved|grown|rose|risen|steps were too large",
        data=partial(of.bad, at=0, count=1792),
        epochs=2,
        event=1,
    )
    add("MLP, Keras' Adam", models.mlp, keras_own("Adam", 1e-3))
    add("MLP, SGD that skips", models.mlp, ours("SGD", 0.1))
    add("LSTM, Adam that skips", partial(models.recurrent, layers.LSTM), ours("Adam", 1e-3))
    add("CNN, Keras' SGD", models.cnn, keras_own("SGD", 0.05))
    add = adder(
        "NaN in moving statistics",
        ("nan",),
        says="NaN|[Nn]ot finite",
        epochs=1,
        where="moving_",
        data=of.bad_once,
        shuffle=False,
        event=201,
    )
    add("ResNet, Adam that skips", models.resnet, ours("Adam", 1e-3))
    add("ResNet, Momentum that skips", models.resnet, ours("Momentum", 0.02))
    add("ResNet, Keras' Adam", models.resnet, keras_own("Adam", 1e-3))


def rates(adder):
    """Too large, and too small."""
    lower = r"[Ll]ower the learning rate|smaller learning rate"
    add = adder("rate too large", ("exploding", "nan", "dead"), says=lower, never=RAISE, epochs=4)
    regression = partial(models.mlp, outputs=1, inputs=(10,))
    mse = {"data": of.table, "loss": "mse"}
    add("MLP, SGD 30", models.mlp, ours("SGD", 30.0))
    add("MLP, Momentum 10", models.mlp, ours("Momentum", 10.0))
    add("CNN, Adam 1", models.cnn, ours("Adam", 1.0))
    add("CNN, Keras' Adam 3", models.cnn, keras_own("Adam", 3.0))
    add("CNN, RMSprop 1", models.cnn, ours("RMSprop", 1.0))
    add("MLP, Keras' SGD 50", models.mlp, keras_own("SGD", 50.0))
    add("MLP, Adam 10", models.mlp, ours("Adam", 10.0))
    add("table, SGD 3", regression, ours("SGD", 3.0), **mse)
    add("table, Keras' SGD 5", regression, keras_own("SGD", 5.0), **mse)
    add("table, Keras' Momentum 1", regression, keras_own("SGD", 1.0, momentum=0.9), **mse)
    add("prices, SGD 0.1", regression, ours("SGD", 0.1), data=of.house_prices, loss="mse")
    add(
        "prices, Keras' SGD 0.03",
        regression,
        keras_own("SGD", 0.03),
        data=of.house_prices,
        loss="mse",
    )
    add("autoencoder, Adam 3", models.autoencoder, ours("Adam", 3.0), data=of.pictures, loss="mse")
    add(
        "autoencoder, Keras' SGD 300",
        models.autoencoder,
        keras_own("SGD", 300.0),
        data=of.pictures,
        loss="mse",
    )
    add("transformer, Adam 1", models.transformer, ours("Adam", 1.0))
    add("transformer, Keras' SGD 100", models.transformer, keras_own("SGD", 100.0))
    add("GRU, Keras' Adam 3", models.recurrent, keras_own("Adam", 3.0))
    add("LSTM, RMSprop 1", partial(models.recurrent, layers.LSTM), ours("RMSprop", 1.0))
    add("weights × 30, Momentum 0.3", models.mlp, ours("Momentum", 0.3), prepare=models.scale(30.0))
    add("MLP, Keras' Lion 0.3", models.mlp, keras_own("Lion", 0.3))
    add("ResNet, Adam 3", models.resnet, ours("Adam", 3.0))
    add("own step, SGD 30", models.own_step, ours("SGD", 30.0))
    for name, rate in {"SGD": 30.0, "Adam": 1.0}.items():
        add(
            f"MLP, {name} from step 200",
            models.mlp,
            ours(name, 0.01 if name == "SGD" else 1e-3),
            callbacks=lambda rate=rate: [Raises(rate)],
            event=200,
            epochs=8,
        )
    add(
        "CNN, Keras' SGD from step 200",
        models.cnn,
        keras_own("SGD", 0.05),
        callbacks=lambda: [Raises(20.0)],
        event=200,
        epochs=8,
    )
    add = adder("rate too small", ("stalled", "below_resolution"), says=RAISE, epochs=4)
    for name, rate in {
        "SGD": 1e-7,
        "Adam": 1e-9,
        "Momentum": 1e-8,
        "Adagrad": 1e-9,
        "RMSprop": 1e-10,
        "AdamW": 1e-9,
    }.items():
        add(f"MLP, {name}", models.mlp, ours(name, rate))
    add("CNN, Keras' Adam", models.cnn, keras_own("Adam", 1e-9))
    add("CNN, Keras' SGD", models.cnn, keras_own("SGD", 1e-7))
    add("transformer, AdamW", models.transformer, ours("AdamW", 1e-9))
    add("GRU, Keras' RMSprop", models.recurrent, keras_own("RMSprop", 1e-10))
    add("table, SGD", regression, ours("SGD", 1e-8), **mse)
    add(
        "autoencoder, Keras' SGD",
        models.autoencoder,
        keras_own("SGD", 1e-6),
        data=of.pictures,
        loss="mse",
    )


def vanishing(adder):
    """Gradients that vanish on their way back, and weights that decay to nothing."""
    add = adder(
        "vanishing",
        ("stalled", "dead", "below_resolution"),
        says="vanish",
        never=RAISE,
        where="dense_1/|dense_2/",
        epochs=4,
    )
    deep = partial(models.mlp, "sigmoid", 10)
    for name, rate in {"SGD": 0.1, "Momentum": 0.01, "Nesterov": 0.01}.items():
        add(f"10 sigmoids, {name}", deep, ours(name, rate))
    add("10 sigmoids, Keras' SGD", deep, keras_own("SGD", 0.1, momentum=0.9))
    deeper = partial(models.mlp, "sigmoid", 14)
    for name, rate in {"Adam": 1e-3, "RMSprop": 1e-3, "Adagrad": 1e-3, "AdamW": 1e-3}.items():
        add(f"14 sigmoids, {name}", deeper, ours(name, rate))
    add("14 sigmoids, Keras' Adam", deeper, keras_own("Adam", 1e-3))
    add(
        "12 sigmoids, Keras' RMSprop",
        partial(models.mlp, "sigmoid", 12),
        keras_own("RMSprop", 1e-3),
    )
    small = keras.initializers.RandomNormal(stddev=0.02)
    add(
        "8 tanh of small weights, SGD",
        partial(models.mlp, "tanh", 8, kernel_initializer=small),
        ours("SGD", 0.1),
    )
    add(
        "8 ReLU of small weights, Keras' SGD",
        partial(models.mlp, "relu", 8, kernel_initializer=small),
        keras_own("SGD", 0.1),
        says="vanish|[Nn]o gradient",
        where="dense_",
    )
    add = adder(
        "weight decay eats",
        ("stalled", "dead", "below_resolution"),
        says="[Ww]eight decay",
        never=RAISE,
        epochs=5,
    )
    add("MLP, AdamW", models.mlp, ours("AdamW", 1e-3, weight_decay=30.0))
    add("CNN, AdamW", models.cnn, ours("AdamW", 3e-3, weight_decay=20.0))
    add("MLP, Keras' AdamW", models.mlp, keras_own("AdamW", 2e-3, weight_decay=20.0))
    add("MLP, Keras' SGD", models.mlp, keras_own("SGD", 0.05, weight_decay=1.0))
    add("CNN, SGD", models.cnn, ours("SGD", 0.05, weight_decay=1.0))
    add("transformer, AdamW", models.transformer, ours("AdamW", 2e-3, weight_decay=30.0))


def accumulators(adder):
    """Sums of squares that remember too much."""
    stands = ("stalled", "saturated", "below_resolution")
    add = adder(
        "Adagrad, spike seen",
        stands,
        says="accumulator",
        never=RAISE,
        shuffle=False,
        epochs=1,
        event=57,
        data=partial(of.spiked_at_first, factor=1e4),
    )
    for name, make in {
        "Adagrad 1e-3": ours("Adagrad", 1e-3),
        "Adagrad 1e-2": ours("Adagrad", 1e-2),
        "Keras' Adagrad 1e-2": keras_own("Adagrad", 1e-2),
    }.items():
        add(f"MLP, {name}", models.mlp, make)
    add("CNN, Adagrad 1e-2", models.cnn, ours("Adagrad", 1e-2))
    add("GRU, Adagrad 1e-2", models.recurrent, ours("Adagrad", 1e-2))
    add(
        "raw pixels, Adagrad 1e-3",
        models.mlp,
        ours("Adagrad", 1e-3),
        data=partial(of.bright_at_first, factor=1e4),
    )
    add = adder(
        "Adagrad, spike unseen",
        stands,
        says="accumulator",
        never=RAISE,
        shuffle=False,
        epochs=1,
        event=4,
        data=partial(of.spiked_at_first, factor=1e5, count=96),
    )
    add("MLP, Adagrad 1e-3", models.mlp, ours("Adagrad", 1e-3))
    add("MLP, Adagrad 1e-2", models.mlp, ours("Adagrad", 1e-2))
    add("CNN, Keras' Adagrad 1e-2", models.cnn, keras_own("Adagrad", 1e-2))
    add("CNN, Adagrad 1e-2", models.cnn, ours("Adagrad", 1e-2))
    add("transformer, Adagrad 1e-2", models.transformer, ours("Adagrad", 1e-2))
    add(
        "table, Keras' Adagrad 1e-2",
        partial(models.mlp, outputs=1, inputs=(10,)),
        keras_own("Adagrad", 1e-2),
        loss="mse",
        data=partial(of.spiked_at_first, factor=1e5, count=96, data=of.table),
    )
    add = adder("saturated", stands, says="accumulator", never=RAISE, epochs=4)
    add("MLP, Adagrad from 1e9", models.mlp, ours("Adagrad", 1.0, initial_accumulator_value=1e9))
    add("CNN, Adagrad from 1e9", models.cnn, ours("Adagrad", 1.0, initial_accumulator_value=1e9))
    add(
        "MLP, Keras' Adagrad from 1e9",
        models.mlp,
        keras_own("Adagrad", 1.0, initial_accumulator_value=1e9),
    )
    add(
        "GRU, Keras' Adagrad from 1e9",
        models.recurrent,
        keras_own("Adagrad", 1.0, initial_accumulator_value=1e9),
    )


def precision(adder):
    """Numbers too coarse for their steps."""
    add = adder(
        "bfloat16", ("below_resolution",), says="bfloat16", never=RAISE, epochs=4, policy="bfloat16"
    )
    for name, rate in {
        "SGD": 1e-3,
        "Adam": 1e-5,
        "Adagrad": 1e-4,
        "Momentum": 1e-5,
        "RMSprop": 1e-5,
    }.items():
        add(f"MLP, {name}", models.mlp, ours(name, rate))
    add("CNN, Adam", models.cnn, ours("Adam", 1e-5))
    add("GRU, AdamW", models.recurrent, ours("AdamW", 1e-5))
    add("CNN, Keras' SGD", models.cnn, keras_own("SGD", 1e-3))
    add("transformer, Keras' SGD", models.transformer, keras_own("SGD", 1e-3))
    add = adder(
        "float16 underflow",
        ("dead", "stalled"),
        says="float16",
        never=RAISE,
        epochs=4,
        policy="mixed_float16",
    )
    tiny = {"auto_scale_loss": False, "loss_weights": 1e-8}
    add("MLP, Adam", models.mlp, ours("Adam", 1e-3), compile=tiny)
    add("MLP, Keras' SGD", models.mlp, keras_own("SGD", 0.1), compile=tiny)
    add("CNN, Keras' Adam", models.cnn, keras_own("Adam", 1e-3), compile=tiny)
    add("CNN, Momentum", models.cnn, ours("Momentum", 0.02), compile=tiny)

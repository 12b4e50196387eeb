"""Other models and tasks, written and recorded when the rules were fixed: only to judge."""

from functools import partial

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import tfadaopt
from benchmarks.stalls import data as of
from benchmarks.stalls import models
from benchmarks.stalls.broken import RAISE, Kills, Raises, keras_own, ours
from benchmarks.stalls.healthy import Triangle, cosine, exponential, polynomial, warm
from benchmarks.stalls.scenario import CROSS, Scenario

LOWER = r"[Ll]ower the learning rate|smaller learning rate"
BINARY = keras.losses.BinaryCrossentropy(from_logits=True)


def stack(*parts, inputs=(64,), dtype="float32", name="net"):
    """A sequence of layers."""
    return keras.Sequential([keras.Input(inputs, dtype=dtype), *parts], name=name)


def normed():
    """Dense layers with layer normalization and GELU."""
    hidden = [
        part
        for i in (1, 2, 3)
        for part in (
            layers.Dense(24, name=f"dense_{i}"),
            layers.LayerNormalization(name=f"norm_{i}"),
            layers.Activation("gelu"),
        )
    ]
    return stack(*hidden, layers.Dense(10, name="out"))


def separable():
    """Depthwise convolutions with batch normalization."""
    return stack(
        layers.Reshape([8, 8, 1]),
        layers.Conv2D(8, 3, padding="same", name="stem"),
        layers.BatchNormalization(name="bn_1"),
        layers.ReLU(),
        layers.SeparableConv2D(16, 3, 2, name="separable"),
        layers.BatchNormalization(name="bn_2"),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, name="out"),
    )


def convolved():
    """One-dimensional convolutions over the rows."""
    return stack(
        layers.Reshape([8, 8]),
        layers.Conv1D(16, 3, activation="relu", name="conv_1"),
        layers.Conv1D(16, 3, activation="relu", name="conv_2"),
        layers.Flatten(),
        layers.Dense(10, name="out"),
    )


def bidirectional():
    """An LSTM in both directions."""
    return stack(
        layers.Reshape([8, 8]),
        layers.Bidirectional(layers.LSTM(12), name="both"),
        layers.Dense(10, name="out"),
    )


def simple_recurrent():
    """A plain recurrent network."""
    return stack(layers.Reshape([8, 8]), layers.SimpleRNN(24, name="cell"),
                 layers.Dense(10, name="out"))  # fmt: skip


def denoising():
    """Convolutions down and up again."""
    return stack(
        layers.GaussianNoise(0.2),
        layers.Reshape([8, 8, 1]),
        layers.Conv2D(8, 3, 2, padding="same", activation="relu", name="down"),
        layers.Conv2DTranspose(8, 3, 2, padding="same", activation="relu", name="up"),
        layers.Conv2D(1, 3, padding="same", name="last"),
        layers.Flatten(),
    )


def language(width=16):
    """Predicts the next of 20 words by attention to those before."""
    tokens = keras.Input([12], dtype="int32")
    x = layers.Embedding(20, width, name="tokens")(tokens)
    y = layers.MultiHeadAttention(2, 8, name="attention")(x, x, use_causal_mask=True)
    x = layers.LayerNormalization(name="norm_1")(layers.Add()([x, y]))
    y = layers.Dense(width, name="down")(layers.Dense(32, "relu", name="up")(x))
    x = layers.LayerNormalization(name="norm_2")(layers.Add()([x, y]))
    return keras.Model(tokens, layers.Dense(20, name="out")(x), name="language")


def wide_and_deep():
    """A linear part and a deep one."""
    x = keras.Input([10])
    deep = layers.Dense(16, "relu", name="deep_2")(layers.Dense(16, "relu", name="deep_1")(x))
    both = layers.Concatenate()([x, deep])
    return keras.Model(x, layers.Dense(1, name="out")(both), name="wide")


def squeezed():
    """Channels that are weighed by the picture itself."""
    x = inputs = keras.Input([64])
    x = layers.Conv2D(12, 3, activation="relu", name="conv")(layers.Reshape([8, 8, 1])(x))
    y = layers.GlobalAveragePooling2D()(x)
    y = layers.Dense(12, "sigmoid", name="gate_2")(layers.Dense(4, "relu", name="gate_1")(y))
    x = layers.Multiply()([x, layers.Reshape([1, 1, 12])(y)])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, name="out")(x), name="squeezed")


def sentences(seed=0):
    """Words of which each follows from the last, most of the time."""
    rng = np.random.default_rng(seed)
    follows = np.random.default_rng(3).permutation(20)
    x = np.empty((of.EXAMPLES, 13), np.int32)
    x[:, 0] = rng.integers(0, 20, of.EXAMPLES)
    for i in range(12):
        jumps = rng.random(of.EXAMPLES) < 0.2
        x[:, i + 1] = np.where(jumps, rng.integers(0, 20, of.EXAMPLES), follows[x[:, i]])
    return x[:, :-1], x[:, 1:]


def loud_sentences(seed=0):
    """Eight passes over them, of which the first examples count much more."""
    x, y = (np.concatenate([a] * 8) for a in sentences(seed))
    weight = np.ones(y.shape, "float32")
    weight[:96] = 1e5
    return x, y, weight


def several_labels(seed=0):
    """Which of three properties a digit has."""
    x, y = of.digits(seed)
    return x, np.stack([y % 2, y > 4, y % 3 == 0], 1).astype("float32")


def quantile(y, p):
    """Loss of the ninth decile."""
    return tf.reduce_mean(tf.maximum(0.9 * (y - p), -0.1 * (y - p)), -1)


def policy(y, logits):
    """As of policy gradients: the log-probability, times a reward of either sign."""
    reward = tf.cast(tf.equal(y % 2, 0), "float32") - 0.4
    chosen = -keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
    return -tf.reshape(reward, [-1]) * tf.maximum(chosen, -5.0)


def logarithm(y, p):
    """A cross-entropy that forgot ε: log(0) where a probability is 0."""
    p = tf.nn.softmax(40 * p)
    return -tf.math.log(tf.gather(p, tf.cast(tf.reshape(y, [-1]), "int32"), batch_dims=1))


def fresh():
    """All of them."""
    found = []

    def add(name, model, optimizer, data=of.digits, loss=CROSS, kind="healthy", **options):
        label = f"fresh: {name}" if kind == "healthy" else f"{kind}: fresh, {name}"
        found.append(Scenario(label, kind, model, optimizer, data, loss, **options))

    well(add)
    ill(add)
    ill_too(add)
    return found


def well(add):
    """Trainings in which there is nothing to say."""
    choices = {
        "Adam": ours("Adam", 2e-3), "AdamW, warm-up": lambda: tfadaopt.AdamW(warm(3e-3)),
        "Momentum": ours("Momentum", 0.03), "Keras' Adam": keras_own("Adam", 2e-3),
        "RMSprop, exponential": lambda: tfadaopt.RMSprop(exponential(2e-3)),
        "Adagrad": ours("Adagrad", 0.03), "Keras' SGD, polynomial": lambda:
        keras.optimizers.SGD(polynomial(0.1), momentum=0.9, nesterov=True),
        "Nadam, cosine": lambda: tfadaopt.Nadam(cosine(2e-3)),
        "Keras' AdamW, clipped": keras_own("AdamW", 2e-3, clipnorm=1.0),
        "Lookahead of none, RAdam": ours("RAdam", 2e-3), "SGD, cyclic":
        lambda: tfadaopt.SGD(Triangle(0.2)), "Adamax": ours("Adamax", 4e-3),
        "Keras' Adagrad": keras_own("Adagrad", 0.03), "Prodigy": ours("Prodigy", 1.0),
        "DoG": ours("DoG", 1.0), "Keras' RMSprop": keras_own("RMSprop", 1e-3),
    }  # fmt: skip
    table = partial(models.mlp, "swish", 3, outputs=1, inputs=(10,))
    tasks = {
        "LayerNorm MLP": (normed, {}),
        "separable": (separable, {}),
        "Conv1D": (convolved, {}),
        "Bi-LSTM": (bidirectional, {}),
        "SimpleRNN": (simple_recurrent, {}),
        "denoising": (denoising, {"data": of.pictures, "loss": "mse"}),
        "language": (language, {"data": sentences}),
        "wide and deep": (wide_and_deep, {"data": of.table, "loss": "mae"}),
        "squeeze": (squeezed, {"must_learn": False}),
        "several labels": (
            partial(models.mlp, outputs=3),
            {"data": several_labels, "loss": BINARY},
        ),
        "quantile": (table, {"data": of.table, "loss": quantile}),
        "log-cosh": (table, {"data": of.house_prices, "loss": "log_cosh"}),
        "policy": (models.mlp, {"loss": policy, "must_learn": False}),
    }
    names = list(choices)
    for i, (task, (model, options)) in enumerate(tasks.items()):
        for j in range(5):
            name = names[(3 * i + (2 * i + 7) * j) % len(names)]
            add(f"{task}, {name}", model, choices[name], **options)


def ill(add):
    """Trainings in which something is to be said."""
    dead = {"kind": "dead at first", "expected": ("dead",), "says": "[Nn]o gradient",
            "never": RAISE, "epochs": 4}  # fmt: skip
    add(
        "Conv1D, AdamW",
        convolved,
        ours("AdamW", 1e-3),
        prepare=models.kill("conv_2"),
        where="conv_",
        **dead,
    )
    add(
        "Conv1D, Keras' SGD",
        convolved,
        keras_own("SGD", 0.1),
        prepare=models.kill("conv_1"),
        where="conv_",
        **dead,
    )
    add(
        "denoising, Adamax",
        denoising,
        ours("Adamax", 1e-3),
        of.pictures,
        "mse",
        prepare=models.kill("up"),
        where="down|up",
        **dead,
    )
    add(
        "language, Keras' Adam",
        language,
        keras_own("Adam", 1e-3),
        sentences,
        prepare=models.kill("up"),
        where="up|down",
        **dead,
    )
    add(
        "wide and deep, RMSprop",
        wide_and_deep,
        ours("RMSprop", 1e-3),
        of.table,
        "mse",
        prepare=models.kill("deep_2"),
        where="deep",
        **dead,
    )
    later = {**dead, "kind": "dead later", "event": 200, "epochs": 7}
    for name, make in {"Nadam": ours("Nadam", 1e-3), "Keras' AdamW": keras_own("AdamW", 1e-3),
                       "Keras' Adagrad": keras_own("Adagrad", 0.02), "Adadelta":
                       ours("Adadelta", 1.0), "LAMB": ours("LAMB", 5e-3)}.items():  # fmt: skip
        add(
            f"Conv1D, {name}",
            convolved,
            make,
            callbacks=lambda: [Kills("conv_2")],
            where="conv_",
            **later,
        )
    add(
        "wide and deep, Momentum",
        wide_and_deep,
        ours("Momentum", 0.01),
        of.table,
        "mse",
        callbacks=lambda: [Kills("deep_1")],
        where="deep",
        **later,
    )
    nan = {"kind": "NaN once", "expected": ("nan",), "says": "[Nn]ot finite|NaN|Infinity",
           "never": "moved|grown|rose|risen|steps were too large", "shuffle": False, "epochs": 1,
           "event": 201}  # fmt: skip
    add("Conv1D, Keras' Adamax", convolved, keras_own("Adamax", 1e-3), of.bad_once, **nan)
    add("Bi-LSTM, Nadam", bidirectional, ours("Nadam", 1e-3), of.bad_once, **nan)
    add(
        "table, infinite, Adagrad",
        wide_and_deep,
        ours("Adagrad", 0.01),
        partial(of.bad_once, value=np.inf, data=of.table),
        "mse",
        **nan,
    )
    add(
        "table, Keras' Adadelta",
        wide_and_deep,
        keras_own("Adadelta", 1.0),
        partial(of.bad_once, data=of.table),
        "mse",
        **nan,
    )
    add(
        "separable, Keras' SGD",
        separable,
        keras_own("SGD", 0.05),
        of.bad_once,
        **{**nan, "kind": "NaN in moving statistics", "where": "moving_"},
    )
    add(
        "separable, AdamW that skips",
        separable,
        ours("AdamW", 1e-3),
        of.bad_once,
        **{**nan, "kind": "NaN in moving statistics", "where": "moving_"},
    )
    add(
        "log(0), Keras' Adam",
        models.mlp,
        keras_own("Adam", 5e-3),
        loss=logarithm,
        epochs=3,
        kind="NaN always",
        expected=("nan",),
        says="[Nn]ot finite|NaN|Infinity|overflow",
    )
    large = {"kind": "rate too large", "expected": ("exploding", "nan", "dead"), "says": LOWER,
             "never": RAISE, "epochs": 4}  # fmt: skip
    add("Conv1D, SGD 20", convolved, ours("SGD", 20.0), **large)
    add("Conv1D, Adam 2", convolved, ours("Adam", 2.0), **large)
    add("Bi-LSTM, Keras' Adam 5", bidirectional, keras_own("Adam", 5.0), **large)
    add(
        "denoising, Keras' RMSprop 1",
        denoising,
        keras_own("RMSprop", 1.0),
        of.pictures,
        "mse",
        **large,
    )
    add(
        "wide and deep, Keras' SGD 3",
        wide_and_deep,
        keras_own("SGD", 3.0),
        of.table,
        "mse",
        **large,
    )
    add("wide and deep, Nesterov 1", wide_and_deep, ours("Nesterov", 1.0), of.table, "mse", **large)
    add("language, AdamW 3", language, ours("AdamW", 3.0), sentences, **large)
    add("LayerNorm MLP, Nadam 10", normed, ours("Nadam", 10.0), **large)
    add(
        "Conv1D, Adam 1 from step 200",
        convolved,
        ours("Adam", 1e-3),
        callbacks=lambda: [Raises(1.0)],
        event=200,
        **{**large, "epochs": 8},
    )
    small = {"kind": "rate too small", "expected": ("stalled", "below_resolution"), "says": RAISE,
             "epochs": 4}  # fmt: skip
    add("Conv1D, Keras' SGD 1e-8", convolved, keras_own("SGD", 1e-8), **small)
    add("language, Adam 1e-9", language, ours("Adam", 1e-9), sentences, **small)
    add("Bi-LSTM, RMSprop 1e-9", bidirectional, ours("RMSprop", 1e-9), **small)
    add(
        "wide and deep, Keras' AdamW 1e-10",
        wide_and_deep,
        keras_own("AdamW", 1e-10),
        of.table,
        "mse",
        **small,
    )


def ill_too(add):
    """More of them."""
    vanish = {"kind": "vanishing", "expected": ("stalled", "dead", "below_resolution"),
              "says": "vanish|[Nn]o gradient", "never": RAISE, "where": "dense_[123]/",
              "epochs": 4}  # fmt: skip
    add(
        "11 sigmoids, Keras' SGD",
        partial(models.mlp, "sigmoid", 11),
        keras_own("SGD", 0.3),
        **vanish,
    )
    add("13 sigmoids, Nadam", partial(models.mlp, "sigmoid", 13), ours("Nadam", 1e-3), **vanish)
    add(
        "16 hard sigmoids, Keras' Adagrad",
        partial(models.mlp, "hard_sigmoid", 16),
        keras_own("Adagrad", 0.01),
        **vanish,
    )
    tiny = keras.initializers.RandomNormal(stddev=0.01)
    add(
        "10 tanh of tiny weights, Momentum",
        partial(models.mlp, "tanh", 10, kernel_initializer=tiny),
        ours("Momentum", 0.01),
        **vanish,
    )
    eats = {"kind": "weight decay eats", "expected": ("stalled", "dead", "below_resolution"),
            "says": "[Ww]eight decay", "never": RAISE, "epochs": 5}  # fmt: skip
    add("Conv1D, AdamW", convolved, ours("AdamW", 1e-3, weight_decay=50.0), **eats)
    add("Bi-LSTM, Keras' AdamW", bidirectional, keras_own("AdamW", 1e-3, weight_decay=40.0), **eats)
    spike = {"kind": "Adagrad, spike unseen", "expected": ("stalled", "saturated",
             "below_resolution"), "says": "accumulator", "never": RAISE, "shuffle": False,
             "epochs": 1, "event": 4}  # fmt: skip
    early = partial(of.spiked_at_first, factor=1e5, count=96)
    add("Conv1D, Adagrad 1e-2", convolved, ours("Adagrad", 1e-2), early, **spike)
    add("Bi-LSTM, Keras' Adagrad 1e-2", bidirectional, keras_own("Adagrad", 1e-2), early, **spike)
    add(
        "language, Adagrad 1e-2",
        language,
        ours("Adagrad", 1e-2),
        loud_sentences,
        **spike,
    )
    half = {"kind": "bfloat16", "expected": ("below_resolution",), "says": "bfloat16",
            "never": RAISE, "epochs": 4, "policy": "bfloat16"}  # fmt: skip
    add("Conv1D, Adam 1e-5", convolved, ours("Adam", 1e-5), **half)
    add("denoising, SGD 1e-3", denoising, ours("SGD", 1e-3), of.pictures, "mse", **half)
    add(
        "wide and deep, Keras' SGD 1e-4",
        wide_and_deep,
        keras_own("SGD", 1e-4),
        of.table,
        "mse",
        **half,
    )
    under = {"kind": "float16 underflow", "expected": ("dead", "stalled"), "says": "float16",
             "never": RAISE, "epochs": 4, "policy": "mixed_float16",
             "compile": {"auto_scale_loss": False, "loss_weights": 1e-8}}  # fmt: skip
    add("Conv1D, Keras' RMSprop", convolved, keras_own("RMSprop", 1e-3), **under)
    add("wide and deep, AdamW", wide_and_deep, ours("AdamW", 1e-3), of.table, "mse", **under)

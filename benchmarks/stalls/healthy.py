"""Trainings in which there is nothing to say."""

import math
from functools import partial

import keras
from keras import layers
from keras.optimizers import schedules

import tfadaopt
from benchmarks.stalls import data as of
from benchmarks.stalls import models
from benchmarks.stalls.scenario import CROSS, Scenario

STEPS = 448
_keras = keras.optimizers


@keras.saving.register_keras_serializable("stalls")
class Triangle(schedules.LearningRateSchedule):
    """Up and down again, in 100 steps."""

    def __init__(self, high):
        self.high = high

    def __call__(self, step):
        part = keras.ops.cast(step % 100, "float32") / 50
        return self.high * (0.01 + 0.99 * (1 - keras.ops.abs(part - 1)))

    def get_config(self):
        return {"high": self.high}


def cosine(rate):
    return schedules.CosineDecay(rate, STEPS)


def warm(rate, steps=112):
    return schedules.CosineDecay(0.0, STEPS - steps, warmup_target=rate, warmup_steps=steps)


def drops(rate):
    return schedules.PiecewiseConstantDecay([170, 340], [rate, rate / 10, rate / 100])


def exponential(rate):
    return schedules.ExponentialDecay(rate, 56, 0.6)


def polynomial(rate):
    return schedules.PolynomialDecay(rate, STEPS, 0.0)


def restarts(rate):
    return schedules.CosineDecayRestarts(rate, 112)


def transfer(trainable):
    """Train on half the classes first; then all, of a frozen base or not."""

    def make():
        model = models.cnn()
        x, y = of.digits(7)
        model.compile(tfadaopt.Adam(3e-3), loss=CROSS)
        model.fit(x, y % 5, 32, epochs=3, verbose=0)
        for layer in model.layers[:-1]:
            layer.trainable = trainable
        return model

    return make


def lora():
    """A trained network that is frozen but for low-rank additions."""
    model = models.mlp(width=64)
    x, y = of.digits(7)
    model.compile(tfadaopt.Adam(1e-3), loss=CROSS)
    model.fit(x, y % 5, 32, epochs=3, verbose=0)
    for layer in model.layers:
        if isinstance(layer, layers.Dense):
            layer.enable_lora(4)
    return model


RATES = {
    "SGD": 0.1, "Momentum": 0.02, "Nesterov": 0.02, "Adagrad": 0.02, "RMSprop": 1e-3,
    "Adadelta": 1.0, "Adam": 2e-3, "AdamW": 2e-3, "AMSGrad": 2e-3, "Nadam": 2e-3, "Adamax": 4e-3,
    "LAMB": 5e-3, "Yogi": 3e-3, "RAdam": 2e-3, "AdaBelief": 2e-3, "Prodigy": 1.0,
    "SM3": 0.05, "DoG": 1.0, "ADOPT": 2e-3, "Adan": 2e-3, "MADGRAD": 2e-3, "SOAP": 2e-3,
    "ScheduleFreeAdamW": 3e-3, "LARS": 0.3, "AdaGradNorm": 1.0,
}  # fmt: skip
KERAS = {
    "SGD": lambda: _keras.SGD(0.05, momentum=0.9), "Adam": lambda: _keras.Adam(2e-3),
    "Adagrad": lambda: _keras.Adagrad(0.02), "RMSprop": lambda: _keras.RMSprop(1e-3),
    "Adamax": lambda: _keras.Adamax(4e-3), "Nadam": lambda: _keras.Nadam(2e-3),
    "Lion": lambda: _keras.Lion(3e-4),
    "Adadelta": lambda: _keras.Adadelta(1.0), "AdamW": lambda: _keras.AdamW(2e-3),
    "Lamb": lambda: _keras.Lamb(5e-3),
    "Muon": lambda: _keras.Muon(0.01),
}  # fmt: skip


def healthy():
    """All of them."""
    found = []

    def add(name, model, optimizer, data=of.digits, loss=CROSS, **options):
        found.append(Scenario(name, "healthy", model, optimizer, data, loss, **options))

    ours = {name: partial(getattr(tfadaopt, name), rate) for name, rate in RATES.items()}
    for name, make in ours.items():
        add(f"MLP, {name}", models.mlp, make)
    for name, make in KERAS.items():
        add(f"MLP, Keras' {name}", models.mlp, make)
    adam, sgd, momentum = tfadaopt.Adam, tfadaopt.SGD, tfadaopt.Momentum
    adamw, adagrad = tfadaopt.AdamW, tfadaopt.Adagrad
    post = partial(models.transformer, pre=False)
    lstm = partial(models.recurrent, layers.LSTM)
    families = {
        "CNN": (models.cnn, {
            "Adam": ours["Adam"], "SGD": ours["SGD"], "Adagrad": ours["Adagrad"],
            "Keras' Adam": KERAS["Adam"], "RMSprop, exponential":
            lambda: tfadaopt.RMSprop(exponential(2e-3)), "Momentum, steps":
            lambda: momentum(drops(0.03)), "SGD, cosine": lambda: sgd(cosine(0.2))}),
        "ResNet": (models.resnet, {
            "Momentum, warm-up": lambda: momentum(warm(0.05)), "Adam": ours["Adam"],
            "Keras' SGD": KERAS["SGD"], "AdamW, cosine": lambda: adamw(cosine(3e-3))}),
        "pre-LN transformer": (models.transformer, {
            "Adam": ours["Adam"], "AdamW, warm-up": lambda: adamw(warm(4e-3)),
            "Keras' Adam": KERAS["Adam"], "Lion": KERAS["Lion"], "Momentum": ours["Momentum"],
            "LAMB, polynomial": lambda: tfadaopt.LAMB(polynomial(0.01))}),
        "post-LN transformer": (post, {
            "Adam": ours["Adam"], "Keras' AdamW": KERAS["AdamW"],
            "Adam, warm-up": lambda: adam(warm(4e-3, 224)), "SGD": ours["SGD"]}),
        "GRU": (models.recurrent, {
            "Adam": ours["Adam"], "RMSprop": ours["RMSprop"],
            "Keras' Adam, clipped": lambda: _keras.Adam(3e-3, clipnorm=1.0)}),
        "LSTM": (lstm, {
            "Adam": ours["Adam"], "Adagrad": lambda: adagrad(0.05),
            "Keras' RMSprop": KERAS["RMSprop"]}),
        "stacked LSTM": (partial(models.recurrent, layers.LSTM, True), {
            "Adam, cyclic": lambda: adam(Triangle(4e-3)), "Momentum": lambda: momentum(0.1)}),
        "zero head": (partial(models.transformer, zero_head=True), {
            "Adam": ours["Adam"], "Keras' SGD": KERAS["SGD"]}),
        "zero gates": (models.gated, {"Adam": ours["Adam"], "SGD": ours["SGD"]}),
        "zero γ": (partial(models.resnet, "zeros"), {
            "Adam": ours["Adam"], "Momentum": lambda: momentum(0.05)}),
        "experts": (models.heads_of_experts, {"Adam": ours["Adam"]}),
        "own step": (models.own_step, {
            "Adam": ours["Adam"], "SGD": ours["SGD"], "Keras' Adam": KERAS["Adam"],
            "Adagrad, cosine": lambda: adagrad(cosine(0.03))}),
        "tanh, 6 layers": (partial(models.mlp, "tanh", 6), {
            "Adam": ours["Adam"], "SGD": ours["SGD"]}),
        "sigmoid, 2 layers": (partial(models.mlp, "sigmoid", 2), {
            "Adam": lambda: adam(5e-3), "Momentum": lambda: momentum(0.3)}),
        "sigmoid, 4 layers": (partial(models.mlp, "sigmoid", 4), {"Adam": lambda: adam(0.01)}),
        "fine-tuning": (transfer(True), {
            "Adam 1e-4": lambda: adam(1e-4), "SGD 1e-3": lambda: sgd(1e-3),
            "Keras' AdamW 3e-5": lambda: _keras.AdamW(3e-5)}),
        "frozen base": (transfer(False), {
            "Adam": ours["Adam"], "SGD": ours["SGD"], "Keras' RMSprop": KERAS["RMSprop"]}),
        "LoRA": (lora, {"Adam": ours["Adam"], "AdamW": ours["AdamW"], "SGD": ours["SGD"]}),
        "logistic": (partial(models.mlp, depth=0), {
            "SGD": ours["SGD"], "Adagrad": lambda: adagrad(0.1),
            "Keras' Ftrl": lambda: _keras.Ftrl(0.3)}),
    }  # fmt: skip
    for family, (model, optimizers) in families.items():
        for name, make in optimizers.items():
            add(f"{family}, {name}", model, make)
    tasks(add, ours)
    ways(add, ours)
    hard(add, ours)
    return found


def tasks(add, ours):
    """Other losses and data."""
    adam, sgd, momentum = tfadaopt.Adam, tfadaopt.SGD, tfadaopt.Momentum
    regression = partial(models.mlp, outputs=1, inputs=(10,))
    mse = {"data": of.table, "loss": "mse"}
    for name in ("Adam", "SGD", "Adagrad", "RMSprop"):
        add(f"table, {name}", regression, ours[name], **mse)
    prices = {"data": of.house_prices, "loss": "mse"}
    add("prices, Adam", regression, lambda: adam(0.03), **prices)
    add("prices, Keras' RMSprop", regression, lambda: _keras.RMSprop(0.03), **prices)
    add("prices, clipped SGD", regression, lambda: sgd(0.3, global_clipnorm=1.0), **prices)
    density = partial(models.mlp, outputs=2, inputs=(10,))
    for name in ("Adam", "RMSprop"):
        add(f"Gaussian likelihood, {name}", density, ours[name], of.table, models.gaussian)
    for name in ("Adam", "Momentum"):
        add(
            f"cosine loss, {name}", models.mlp, ours[name], of.unit, keras.losses.CosineSimilarity()
        )
    for name in ("Adam", "SGD"):
        add(f"hinge, {name}", partial(models.mlp, outputs=1), ours[name], of.signs, "hinge")
    add(
        "Poisson, Adam",
        partial(models.mlp, outputs=1),
        ours["Adam"],
        lambda seed: (of.digits(seed)[0], of.digits(seed)[1][:, None].astype("float32")),
        models.poisson,
    )
    pictures = {"data": of.pictures, "loss": "mse"}
    for name in ("Adam", "Momentum", "Adamax"):
        add(f"autoencoder, {name}", models.autoencoder, ours[name], **pictures)
    add("VAE, Adam", models.Vae, ours["Adam"], of.pictures, None)
    add("VAE, Keras' Adam", models.Vae, KERAS["Adam"], of.pictures, None)
    add("VAE, warm KL, RMSprop", partial(models.Vae, 300), ours["RMSprop"], of.pictures, None)
    add("GAN, Adam", models.Gan, lambda: (adam(1e-3, 0.5), adam(1e-3, 0.5)), of.pictures, None)
    add(
        "GAN, Keras' Adam",
        models.Gan,
        lambda: (_keras.Adam(3e-4), _keras.Adam(3e-4)),
        of.pictures,
        None,
    )
    add(
        "WGAN, RMSprop",
        partial(models.Gan, True),
        lambda: (tfadaopt.RMSprop(1e-3), tfadaopt.RMSprop(1e-3)),
        of.pictures,
        None,
    )
    add(
        "WGAN, SGD for one",
        partial(models.Gan, True),
        lambda: (_keras.SGD(0.05), _keras.RMSprop(1e-3)),
        of.pictures,
        None,
    )
    words = {"data": of.words, "loss": keras.losses.BinaryCrossentropy(from_logits=True)}
    for name in ("Adam", "Adagrad", "RMSprop"):
        rate = {"Adam": 5e-3, "Adagrad": 0.1, "RMSprop": 5e-3}[name]
        add(f"text, {name}", models.text, partial(getattr(tfadaopt, name), rate), **words)
    add("text, Keras' Adam", models.text, lambda: _keras.Adam(5e-3), **words)
    add("text, Momentum", models.text, lambda: momentum(0.05), **words)
    both = {"data": of.heads, "loss": [CROSS, "mse"]}
    add("two heads, Adam", models.two_heads, ours["Adam"], **both)
    add("two heads, Momentum", models.two_heads, ours["Momentum"], **both)
    add(
        "two heads, one weighs 1e-3, Adam",
        models.two_heads,
        ours["Adam"],
        **both,
        compile={"loss_weights": [1.0, 1e-3]},
    )
    for name in ("Adam", "SGD", "Adagrad", "Momentum"):
        add(f"noisy labels, {name}", models.mlp, ours[name], of.noisy, must_learn=False)
        add(f"few, {name}", models.mlp, ours[name], of.few)
    add(
        "noisy labels, logistic, Adam",
        partial(models.mlp, depth=0),
        ours["Adam"],
        of.noisy,
        must_learn=False,
    )


def ways(add, ours):
    """Penalties, outliers, precisions, schedules and ways to train."""
    adam, sgd, momentum = tfadaopt.Adam, tfadaopt.SGD, tfadaopt.Momentum
    adagrad = tfadaopt.Adagrad
    regression = partial(models.mlp, outputs=1, inputs=(10,))
    penalty = partial(models.mlp, kernel_regularizer=keras.regularizers.L2(1e-2))
    for name in ("Adam", "SGD"):
        add(f"L2 penalty, {name}", penalty, ours[name])
    add(
        "L1 penalty, Adam",
        partial(models.mlp, kernel_regularizer="l1"),
        ours["Adam"],
        compile={"loss_weights": 10.0},
    )
    add("weight decay, AdamW 0.1", models.mlp, lambda: tfadaopt.AdamW(2e-3, weight_decay=0.1))
    add("weight decay, Keras' SGD", models.cnn, lambda: _keras.SGD(0.1, weight_decay=1e-3))
    add(
        "outlier, Adam",
        regression,
        ours["Adam"],
        partial(of.outlier, factor=100.0),
        "mse",
        shuffle=False,
    )
    add(
        "outlier, clipped Momentum",
        regression,
        lambda: momentum(0.02, global_clipnorm=1.0),
        of.outlier,
        "mse",
        shuffle=False,
    )
    add(
        "outlier, clipped Keras' Adam",
        regression,
        lambda: _keras.Adam(2e-3, global_clipnorm=1.0),
        of.outlier,
        "mse",
        shuffle=False,
    )
    add("outlier, Huber, SGD", regression, lambda: sgd(0.1), of.outlier, "huber", shuffle=False)
    for policy in ("mixed_float16", "mixed_bfloat16"):
        add(f"{policy}, Adam", models.cnn, ours["Adam"], policy=policy)
        add(f"{policy}, Keras' SGD", models.mlp, KERAS["SGD"], policy=policy)
    add(
        "mixed_bfloat16 transformer, Keras' Adam",
        models.transformer,
        KERAS["Adam"],
        policy="mixed_bfloat16",
    )
    add("bfloat16, Adam 5e-3", models.mlp, lambda: adam(5e-3), policy="bfloat16")
    add("bfloat16, SGD 0.5", models.mlp, lambda: sgd(0.5), policy="bfloat16")
    add("float64, Adam", models.mlp, ours["Adam"], policy="float64")
    add(
        "accumulation over 4, Adam",
        models.mlp,
        lambda: adam(4e-3, gradient_accumulation_steps=4),
        epochs=16,
    )
    add(
        "accumulation over 4, Keras' Adam",
        models.cnn,
        lambda: _keras.Adam(4e-3, gradient_accumulation_steps=4),
        epochs=16,
    )
    add("several steps at once, Adam", models.mlp, ours["Adam"], compile={"steps_per_execution": 8})
    add(
        "several steps at once, Momentum",
        models.mlp,
        ours["Momentum"],
        compile={"steps_per_execution": 7},
    )
    add("averages of the weights, Adam", models.mlp, lambda: adam(2e-3, use_ema=True))
    add("cyclic, SGD", models.mlp, lambda: sgd(Triangle(0.3)))
    add("restarts, Adam", models.cnn, lambda: adam(restarts(4e-3)))
    add("restarts, Momentum", models.mlp, lambda: momentum(restarts(0.05)))
    add("long warm-up, SGD", models.mlp, lambda: sgd(warm(0.5, 400)))
    add("long warm-up, Adam", models.mlp, lambda: adam(warm(4e-3, 400)))
    add(
        "rate by callback, SGD",
        models.mlp,
        ours["SGD"],
        callbacks=lambda: [
            keras.callbacks.LearningRateScheduler(lambda epoch: 0.2 * math.cos(epoch / 5.5))
        ],
    )
    add(
        "rate on plateau, Adam",
        models.mlp,
        ours["Adam"],
        callbacks=lambda: [keras.callbacks.ReduceLROnPlateau("loss", 0.1, 1, min_delta=0.2)],
    )
    add("rate ends at 0, Adagrad", models.mlp, lambda: adagrad(polynomial(0.05)))
    wide = {"data": of.whole, "shuffle": False}
    add("whole batch, Adam", models.mlp, ours["Adam"], **wide)
    add("whole batch, SGD", partial(models.mlp, depth=0), lambda: sgd(0.3), **wide)
    add("whole batch, Adagrad", partial(models.mlp, depth=0), lambda: adagrad(0.05), **wide)
    add(
        "raw pixels, Adam",
        models.mlp,
        ours["Adam"],
        lambda seed: (of.digits(seed)[0] * 255, of.digits(seed)[1]),
    )
    add(
        "dropout, Adam",
        lambda: keras.Sequential(
            [
                keras.Input([64]),
                layers.Dense(64, "relu", name="dense_1"),
                layers.Dropout(0.5),
                layers.Dense(64, "relu", name="dense_2"),
                layers.Dropout(0.5),
                layers.Dense(10, name="out"),
            ],
            name="dropped",
        ),
        ours["Adam"],
    )
    add(
        "SELU, 8 layers, Momentum",
        partial(models.mlp, "selu", 8, kernel_initializer="lecun_normal"),
        lambda: momentum(5e-3),
    )
    add(
        "ReLU, 10 layers, He, Adam",
        partial(models.mlp, "relu", 10, kernel_initializer="he_normal"),
        lambda: adam(1e-3),
    )
    add(
        "ReLU, 6 layers, SGD",
        partial(models.mlp, "relu", 6, kernel_initializer="he_normal"),
        lambda: sgd(0.05),
    )


def hard(add, ours):
    """What learns slowly or little, or takes long, and is well."""
    adam, sgd, momentum = tfadaopt.Adam, tfadaopt.SGD, tfadaopt.Momentum
    adagrad = tfadaopt.Adagrad
    for name, make in {
        "Adam 1e-5": lambda: adam(1e-5),
        "SGD 1e-3": lambda: sgd(1e-3),
        "Adagrad 1e-3": lambda: adagrad(1e-3),
        "Keras' Adam 3e-6": lambda: _keras.Adam(3e-6),
    }.items():
        add(f"slow, MLP, {name}", models.mlp, make, must_learn=False)
        add(f"slow, transformer, {name}", models.transformer, make, must_learn=False)
    for name in ("Adam", "SGD", "Adagrad", "RMSprop"):
        add(f"random labels, {name}", models.mlp, ours[name], of.random_labels, must_learn=False)
        add(
            f"rare class, {name}",
            partial(models.mlp, outputs=1),
            ours[name],
            of.rare,
            keras.losses.BinaryCrossentropy(from_logits=True),
        )
        add(
            f"sparse words, {name}",
            partial(models.mlp, outputs=1, inputs=(500,)),
            ours[name],
            of.sparse,
            keras.losses.BinaryCrossentropy(from_logits=True),
        )
        add(
            f"other labels later, {name}",
            models.mlp,
            ours[name],
            of.changing,
            epochs=1,
            shuffle=False,
            must_learn=False,
        )
        add(
            f"tiny targets, {name}",
            partial(models.mlp, outputs=1, inputs=(10,)),
            ours[name],
            of.tiny_targets,
            "mse",
        )
    bits = partial(models.mlp, inputs=(8,), outputs=2)
    for name in ("Adam", "SGD", "Momentum"):
        add(f"parity, {name}", bits, ours[name], of.parity)
    for name, rate in {
        "Adam": 1e-3,
        "SGD": 0.1,
        "Momentum": 0.03,
        "Adagrad": 0.03,
        "RMSprop": 1e-3,
    }.items():
        make = partial(getattr(tfadaopt, name), rate)
        add(f"long, MLP, {name}", models.mlp, make, epochs=45)
        add(f"long, few, {name}", models.mlp, make, of.few, epochs=45)
    add("long, logistic, SGD", partial(models.mlp, depth=0), lambda: sgd(0.5), epochs=45)
    wide = {"epochs": 40, "data": of.whole, "shuffle": False}
    add("long, whole batch, SGD", models.mlp, lambda: sgd(0.3), **wide)
    add("long, whole batch, Adagrad", models.mlp, lambda: adagrad(0.05), **wide)
    table = {"data": partial(of.whole, data=of.table), "loss": "mse", "shuffle": False}
    linear = partial(models.mlp, depth=0, outputs=1, inputs=(10,))
    add("long, linear regression, SGD", linear, lambda: sgd(0.1), **table, epochs=40)
    add("long, linear regression, Adam", linear, lambda: adam(0.01), **table, epochs=40)
    for name in ("Adam", "SGD"):
        add(
            f"large rate, MLP, {name}",
            models.mlp,
            {"Adam": lambda: adam(0.02), "SGD": lambda: sgd(1.0)}[name],
        )
        add(
            f"large rate, CNN, {name}",
            models.cnn,
            {"Adam": lambda: adam(0.01), "SGD": lambda: sgd(0.5)}[name],
        )
    add("large rate, ResNet, Momentum", models.resnet, lambda: momentum(0.3))
    add("tanh, 12 layers, Adam", partial(models.mlp, "tanh", 12), ours["Adam"])
    add("ReLU, 12 layers, Adam", partial(models.mlp, "relu", 12), lambda: adam(5e-4))
    add("deep transformer, Adam", partial(models.transformer, depth=5), lambda: adam(1e-3))
    add(
        "deep post-LN transformer, AdamW",
        partial(models.transformer, False, 5),
        lambda: tfadaopt.AdamW(warm(1e-3)),
    )
    small = keras.initializers.RandomNormal(stddev=0.01)
    add("small weights, Adam", partial(models.mlp, kernel_initializer=small), ours["Adam"])
    add("small weights, SGD", partial(models.mlp, kernel_initializer=small), lambda: sgd(0.3))
    add(
        "small weights, 4 layers, Adam",
        partial(models.mlp, depth=4, kernel_initializer=small),
        ours["Adam"],
    )
    add("weighted, Adam", models.mlp, ours["Adam"], partial(of.weighted, factor=1e-4))
    add(
        "weighted, Momentum",
        models.mlp,
        ours["Momentum"],
        partial(of.weighted, factor=20.0, count=200),
    )
    add("Keras' Adagrad 1e-3", models.cnn, lambda: _keras.Adagrad(1e-3))
    add("clipped to 1e-3, Adam", models.mlp, lambda: adam(2e-3, clipnorm=1e-3))
    add("clipped to 1e-2, SGD", models.mlp, lambda: sgd(3.0, global_clipnorm=0.03))

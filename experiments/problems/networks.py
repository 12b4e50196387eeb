"""Training loops of the claims about networks: an epoch is one compiled call that records."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems import data, models
from tfadaopt.experiments.problems.curvature import largest_eigenvalue
from tfadaopt.experiments.problems.restart import Restart

BATCH = 64
# Images to train on and to validate with: of Fashion-MNIST as many as minutes on two cores allow.
SIZES = {"digits": (3500, 750), "Fashion-MNIST": (6_000, 1_500)}
# Images of the batch whose Hessian is looked at, and products with it per layer.
CURVATURE_BATCH, PRODUCTS = 256, 12
# Steps between two readings of the effective rates.
EVERY = 5


@dataclass(frozen=True)
class Phase:
    """A part of a run.

    Attributes:
        epochs: Passes over the training images.
        loss_scale: What the loss is multiplied by before it is differentiated.
        forget: Whether the optimizer's state is set to what it was at the start before it begins.
    """

    epochs: int
    loss_scale: float = 1.0
    forget: bool = False


@dataclass(frozen=True)
class Trace:
    """What a run recorded.

    Attributes:
        layers: Names of the layers that have a kernel.
        loss: Loss on all training images at the end of each epoch, not scaled; NaN or infinite
            after a divergence; empty if it was not asked for.
        validation_loss: Loss on the validation images at the end.
        gradient_rms: Root mean square of the gradient of each kernel at each step [steps, layers].
        rate_steps: Steps at which rates were read, from 1.
        rates: Median effective learning rate of each kernel at those steps [readings, layers].
        curvature: Largest eigenvalue of the Hessian's block of each kernel at the end [layers];
            empty if it was not asked for.
    """

    layers: tuple[str, ...]
    loss: np.ndarray
    validation_loss: float
    gradient_rms: np.ndarray
    rate_steps: np.ndarray
    rates: np.ndarray
    curvature: np.ndarray


class Network:
    """A network that one method trains again and again, on images of one kind.

    Args:
        method: Name of the method.
        images: "digits" or "Fashion-MNIST".
        architecture: Name of a function of ``models``.
        brightness: What the pixels, in [0, 1], are multiplied by.
        **arguments: Arguments of the method.
    """

    def __init__(
        self,
        method: str,
        images: str = "digits",
        architecture: str = "digits_cnn",
        brightness: float = 1.0,
        **arguments: Any,
    ):
        split = {"digits": data.digits, "Fashion-MNIST": data.fashion_mnist}[images]
        splits = split(*SIZES[images], seed=0)
        self._train, self._validation = (
            (tf.constant(brightness * part.images), tf.constant(part.labels))
            for part in (splits["train"], splits["validation"])
        )
        make_model = getattr(models, architecture)
        self._model = make_model()
        self._optimizer = tfadaopt.get(method, nonfinite="ignore", **arguments)
        self._restart = Restart(make_model, self._model, self._optimizer)
        self._kernels = [v for v in self._model.trainable_variables if v.name == "kernel"]
        self._loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def train(
        self,
        learning_rate: float,
        seed: int,
        phases: Sequence[Phase],
        curve: bool = False,
        curvature: bool = False,
    ) -> Trace:
        """Train once from fresh weights.

        Args:
            learning_rate: η of the run.
            seed: Seed of the weights and of the order of the batches.
            phases: What is done one after another.
            curve: Whether to evaluate the loss on all training images after each epoch.
            curvature: Whether to look for the largest eigenvalues of the Hessian at the end.
        """
        self._restart(learning_rate, seed)
        orders = np.random.default_rng(seed)
        losses, gradients, readings = [], [], []
        for phase in phases:
            if phase.forget:
                self._restart.forget()
            for _ in range(phase.epochs):
                count = len(self._train[1])
                order = orders.permutation(count)[: count // BATCH * BATCH].reshape(-1, BATCH)
                scale = tf.constant(phase.loss_scale)
                gradient, rate = self._epoch(tf.constant(order), scale)
                if curve:
                    losses.append(float(self._loss_on(*self._train)))
                gradients.append(gradient.numpy())
                readings.append(rate.numpy())
        rates = np.concatenate(readings)
        return Trace(
            layers=tuple(kernel.path.split("/")[-2] for kernel in self._kernels),
            loss=np.array(losses),
            validation_loss=float(self._loss_on(*self._validation)),
            gradient_rms=np.concatenate(gradients),
            rate_steps=EVERY * np.arange(1, len(rates) + 1),
            rates=rates,
            curvature=np.array(self._curvatures() if curvature else ()),
        )

    def _curvatures(self) -> list[float]:
        """Return the largest eigenvalue of the block of each kernel of the Hessian on a batch."""
        images, labels = (part[:CURVATURE_BATCH] for part in self._train)
        found = []
        for kernel, times in zip(self._kernels, self._products, strict=True):

            def product(v: np.ndarray, times: Callable = times) -> np.ndarray:
                return np.asarray(times(images, labels, tf.constant(v, "float32")))

            found.append(largest_eigenvalue(product, tuple(kernel.shape), PRODUCTS))
        return found

    @functools.cached_property
    def _products(self) -> list[Callable]:
        return [self._product_of(kernel) for kernel in self._kernels]

    def _product_of(self, kernel: keras.Variable) -> Callable:
        @tf.function(autograph=False)
        def product(images: tf.Tensor, labels: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as outer:
                with tf.GradientTape() as inner:
                    loss = self._loss(labels, self._model(images, training=False))
                along = tf.reduce_sum(inner.gradient(loss, kernel.value) * v)
            return outer.gradient(along, kernel.value)

        return product

    @tf.function
    def _epoch(self, order: tf.Tensor, loss_scale: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = self._train
        variables = self._model.trainable_variables
        steps = order.shape[0]
        gradient_rms = tf.TensorArray(tf.float32, steps)
        rates = tf.TensorArray(tf.float32, steps // EVERY)
        for step in tf.range(steps):
            with tf.GradientTape() as tape:
                logits = self._model(tf.gather(images, order[step]), training=True)
                loss = self._loss(tf.gather(labels, order[step]), logits)
                scaled = loss_scale * loss
            gradients = tape.gradient(scaled, variables)
            self._optimizer.apply(gradients, variables)
            named = zip(gradients, variables, strict=True)
            of_kernels = [g for g, v in named if v.name == "kernel"]
            rms = [tf.sqrt(tf.reduce_mean(g**2)) / loss_scale for g in of_kernels]
            gradient_rms = gradient_rms.write(step, tf.stack(rms))
            if (step + 1) % EVERY == 0:
                rates = rates.write(step // EVERY, self._median_rates())
        return gradient_rms.stack(), rates.stack()

    def _median_rates(self) -> tf.Tensor:  # pragma: no cover - AutoGraph, as of its caller
        read = [tfadaopt.effective_learning_rate(self._optimizer, k) for k in self._kernels]
        flat = [tf.sort(tf.reshape(rate, [-1])) for rate in read]
        return tf.stack([rate[tf.size(rate) // 2] for rate in flat])

    @tf.function(autograph=False)
    def _loss_on(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return self._loss(labels, self._model(images, training=False))


def image_sets() -> tuple[str, ...]:
    """Return the images to train on: Fashion-MNIST where Keras has it, else the digits."""
    return ("Fashion-MNIST",) if data.fashion_mnist_is_present() else ("digits",)


def seeds_of(settings: Claims) -> range:
    """Return the seeds of a claim's runs: 0, 1, … for the seed 0."""
    return range(1000 * settings.seed, 1000 * settings.seed + settings.seeds)


def runs(
    method: str,
    rate: float,
    seeds: Sequence[int],
    *phases: Phase,
    curve: bool = False,
    curvature: bool = False,
    **settings: Any,
) -> list[Trace]:
    """Train a network with each of the seeds; ``settings`` are those of ``Network``."""
    trained = network(method, **settings)
    return [trained.train(rate, seed, phases, curve, curvature) for seed in seeds]


@functools.lru_cache(maxsize=32)
def network(method: str, **settings: Any) -> Network:
    """Return the network of a method: each process traces it once."""
    return Network(method, **settings)

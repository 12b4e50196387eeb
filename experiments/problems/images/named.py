"""Problems that can be named instead of a file: ``tfadaopt compare cifar10_3c3d``."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Named:
    """A network, an image set and a size of batches, as they were published.

    Attributes:
        network: Name of a function of ``networks``.
        images: Name of a module of ``keras.datasets``, or "digits", which are not downloaded.
        batch: Images in a batch.
        classes: Number of classes, where the network asks for it.
        standardizes: Whether the network standardizes pixels itself.
        summary: What it is, in a line.
    """

    network: str
    images: str
    batch: int
    summary: str
    classes: int | None = None
    standardizes: bool = False

    def model(self) -> Any:
        """Return the network, compiled with its loss; the optimizer is a place holder."""
        import keras
        import tensorflow as tf

        from tfadaopt.experiments.problems import models
        from tfadaopt.experiments.problems.images import networks

        make = getattr(models if self.images == "digits" else networks, self.network)
        model = make() if self.classes is None else make(self.classes)
        if self.network == "autoencoder":
            loss, metrics = _squared, []
        else:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            metrics = ["accuracy"]
        # On a CPU, XLA's convolutions take almost twice the time.
        xla = "auto" if tf.config.list_physical_devices("GPU") else False
        model.compile("sgd", loss, metrics=metrics, jit_compile=xla)
        return model

    def data(self) -> tuple[Any, Any, Any]:
        """Return what to train on, to choose rates on, and to report on."""
        from tfadaopt.experiments.problems import data
        from tfadaopt.experiments.problems.images import sets

        if self.images == "digits":
            parts = data.digits(3_500, 750, seed=0)
            train, validation, test = ((parts[k].images, parts[k].labels) for k in _PARTS)
            return train, validation, test
        pixels = sets.of_pixels if self.standardizes else sets.in_unit
        example = sets.itself if self.network == "autoencoder" else pixels
        return sets.split(self.images, self.batch, example)


_PARTS = ("train", "validation", "test")


def _squared(y: Any, pixels: Any) -> Any:
    """Squared error of each image, summed over its pixels."""
    import keras

    return keras.ops.sum(keras.ops.square(y - pixels), axis=-1)


def _cifar(network: str, batch: int, classes: int, summary: str) -> Named:
    return Named(network, f"cifar{classes}", batch, summary, classes, standardizes=True)


NAMED = {
    "digits": Named("digits_cnn", "digits", 32, "a small CNN on 3,500 digits; no download"),
    "mnist_logreg": Named(
        "logistic_regression", "mnist", 128, "DeepOBS: logistic regression on MNIST; convex"
    ),
    "fmnist_logreg": Named(
        "logistic_regression", "fashion_mnist", 128, "DeepOBS: the same on Fashion-MNIST"
    ),
    "mnist_2c2d": Named("conv_2c2d", "mnist", 128, "DeepOBS: a CNN on MNIST"),
    "fmnist_2c2d": Named("conv_2c2d", "fashion_mnist", 128, "DeepOBS: a CNN on Fashion-MNIST"),
    "mnist_vae": Named("autoencoder", "mnist", 64, "DeepOBS: a variational autoencoder on MNIST"),
    "fmnist_vae": Named("autoencoder", "fashion_mnist", 64, "DeepOBS: the same on Fashion-MNIST"),
    "cifar10_3c3d": _cifar("conv_3c3d", 128, 10, "DeepOBS: a CNN on CIFAR-10"),
    "cifar100_3c3d": _cifar("conv_3c3d", 128, 100, "DeepOBS: a CNN on CIFAR-100"),
    "cifar10_allcnnc": _cifar("all_cnn_c", 256, 10, "All-CNN-C on CIFAR-10"),
    "cifar100_allcnnc": _cifar("all_cnn_c", 256, 100, "DeepOBS: All-CNN-C on CIFAR-100"),
    "cifar10_resnet20": _cifar("resnet20", 128, 10, "ResNet-20 on CIFAR-10"),
}


def digest() -> str:
    """Return the SHA-256 of the files that these problems are made of."""
    here = Path(__file__).parent
    files = [*sorted(here.glob("*.py")), here.parent / "data.py", here.parent / "models.py"]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

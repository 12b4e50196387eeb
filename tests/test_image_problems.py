"""Problems that were published and can be named: their networks, their data, what is augmented."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadaopt.experiments.compare import check, comparison, problem
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.problems.images import networks, sets
from tfadaopt.experiments.problems.images.augment import Augment
from tfadaopt.experiments.problems.images.named import NAMED

# Of the papers, or counted by hand from what they write.
PARAMETERS = [
    (networks.logistic_regression, (), 7_850),
    (networks.conv_2c2d, (), 3_274_634),
    (networks.conv_3c3d, (), 895_210),
    (networks.conv_3c3d, (100,), 895_210 + 90 * 257),
    (networks.all_cnn_c, (10,), 1_369_738),
    (networks.all_cnn_c, (), 1_387_108),
    (networks.resnet20, (), 272_474),
    (networks.autoencoder, (), 10_151_489),
]


@pytest.fixture(autouse=True)
def small_sets(monkeypatch):
    """Arrays of the form of what Keras downloads, few of them."""
    random = np.random.default_rng(0)

    def loader(shape, classes, column):
        def part(count):
            labels = random.integers(0, classes, (count, 1) if column else count).astype("uint8")
            return random.integers(0, 256, (count, *shape)).astype("uint8"), labels

        return lambda: (part(300), part(70))

    for name, shape, classes, column in (
        ("mnist", (28, 28), 10, False),
        ("fashion_mnist", (28, 28), 10, False),
        ("cifar10", (32, 32, 3), 10, True),
        ("cifar100", (32, 32, 3), 100, True),
    ):
        monkeypatch.setattr(
            getattr(keras.datasets, name), "load_data", loader(shape, classes, column)
        )
    sets.stored.cache_clear()
    yield
    sets.stored.cache_clear()


@pytest.mark.parametrize(("network", "arguments", "parameters"), PARAMETERS)
def test_a_network_has_the_parameters_of_its_paper(network, arguments, parameters):
    weights = network(*arguments).trainable_variables
    assert sum(int(np.prod(variable.shape)) for variable in weights) == parameters


def test_the_decay_of_3c3d_is_half_of_a_sum_of_squares_of_its_kernels():
    model = networks.conv_3c3d()
    kernels = [v for v in model.trainable_variables if v.name == "kernel"]
    expected = 0.5 * 0.002 * sum(float(np.sum(np.square(kernel))) for kernel in kernels)
    assert len(kernels) == 6
    assert sum(map(float, model.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", sorted(set(NAMED) - {"digits"}))
def test_data_are_whole_batches_to_train_on_and_all_images_to_judge_on(name):
    named = NAMED[name]
    train, validation, test = named.data()
    count, rest = divmod(270, named.batch)
    assert len(list(train)) == count
    assert rest, "a batch that is not full must be there to be dropped"
    for part, images in ((validation, 30), (test, 70)):
        inputs, targets = (
            np.concatenate(list(x)) for x in zip(*part.as_numpy_iterator(), strict=True)
        )
        assert len(inputs) == len(targets) == images
        assert inputs.dtype == "float32"
        assert inputs.shape[1:] == ((32, 32, 3) if named.standardizes else (28, 28, 1))
        assert inputs.max() == (255 if named.standardizes else 1)
    assert targets.shape == ((70, 784) if named.network == "autoencoder" else (70,))


@pytest.mark.slow
def test_digits_are_arrays_and_all_there():
    parts = NAMED["digits"].data()
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    assert [len(x) for x, _ in parts] == [3_500, 750, 750]
    assert len(np.unique(images.reshape(5_000, -1), axis=0)) > 4_900
    assert set(labels) == set(range(10))


def test_what_is_chosen_on_is_not_trained_on_and_seeds_draw_the_order():
    def first(part):
        return [image.tobytes() for image in next(iter(part))[0].numpy()]

    known, _ = sets.stored("cifar10")
    keras.utils.set_random_seed(1)
    train, validation, _ = sets.split("cifar10", 270, sets.of_pixels)
    trained = first(train)
    assert len({*trained, *first(validation)}) == len(known.labels)
    keras.utils.set_random_seed(2)
    other, same, _ = sets.split("cifar10", 270, sets.of_pixels)
    assert first(same) == first(validation)
    drawn = first(other)
    assert drawn != trained
    assert set(drawn) == set(trained)


def standardized(x):
    return (x - x.mean()) / max(x.std(), x.size**-0.5)


def windows(x, shift):
    """Each picture that a shift and a mirror can make of one, standardized."""
    size, padded = len(x), np.pad(x, [(shift, shift), (shift, shift), (0, 0)])
    for down in range(2 * shift + 1):
        for right in range(2 * shift + 1):
            cropped = padded[down : down + size, right : right + size]
            yield standardized(cropped)
            yield standardized(cropped[:, ::-1])


@pytest.mark.parametrize("colours", [False, True])
def test_a_picture_is_shifted_and_mirrored_and_grey_stays_grey(colours):
    keras.utils.set_random_seed(0)
    grey = np.random.default_rng(0).uniform(1, 255, (8, 8, 1)).repeat(3, axis=-1).astype("float32")
    layer = Augment(shift=2, colours=colours)
    # A shift of a grey picture that brightness and contrast change is standardized away, but for
    # the zeros around it, which brightness moves by less than one.
    found = layer(np.stack([grey] * 64), training=True).numpy()
    candidates = np.stack(list(windows(grey, 2)))
    away = np.abs(found[:, np.newaxis] - candidates).max(axis=(2, 3, 4))
    assert away.min(axis=1).max() < (0.01 if colours else 1e-4)
    window, mirrored = np.divmod(away.argmin(axis=1), 2)
    assert len(set(window)) > 15, "each picture has a window of its own"
    assert 16 < mirrored.sum() < 48


def test_colours_change_a_picture_and_judging_changes_none():
    keras.utils.set_random_seed(0)
    pictures = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 3)).astype("float32")
    layer = Augment(shift=0, colours=True)
    plain = np.stack([standardized(x) for x in pictures])
    np.testing.assert_allclose(layer(pictures, training=False), plain, atol=1e-4)
    trained = layer(pictures, training=True).numpy()
    either = np.abs(trained - plain), np.abs(trained - plain[:, :, ::-1])
    assert np.minimum(*(x.max(axis=(1, 2, 3)) for x in either)).min() > 0.02
    flat = np.full([1, 8, 8, 3], 7.0, "float32")
    np.testing.assert_array_equal(layer(flat, training=False), np.zeros_like(flat))


def test_a_name_is_a_problem_and_the_check_reads_it():
    config = comparison.settings(Path("mnist_logreg"), ["SGD"], "accuracy")
    found = check.check(Path("mnist_logreg"), vars(config))
    assert (found["model"], found["parameters"]) == ("logistic_regression", 7_850)
    assert (found["steps_per_epoch"], found["has_test"]) == (2, True)
    # It begins from zeros: all classes have the same chance.
    assert found["first"]["loss"] == pytest.approx(np.log(10), rel=1e-6)
    with pytest.raises(ConfigError, match=r"mnist_logrec is no file.*mnist_logreg"):
        problem.load(Path("mnist_logrec"))


def test_the_page_of_rules_names_each_problem():
    page = (Path(__file__).parents[1] / "docs" / "fair-comparison.md").read_text(encoding="utf-8")
    rows = [f"| `{name}` | {named.summary} | {named.batch} |" for name, named in NAMED.items()]
    assert "\n".join(rows) in page


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["fmnist_2c2d", "mnist_vae", "cifar10_3c3d", "cifar100_allcnnc", "cifar10_resnet20"]
)
def test_each_weight_of_it_gets_a_gradient(name):
    keras.utils.set_random_seed(0)
    model, (train, *_) = NAMED[name].model(), NAMED[name].data()
    x, y = (part[:4] for part in next(iter(train)))
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.any(gradient.numpy()) for gradient in gradients)


@pytest.mark.slow
def test_the_loss_of_the_autoencoder_is_squared_error_and_divergence():
    keras.utils.set_random_seed(0)
    model, (_, validation, _) = NAMED["mnist_vae"].model(), NAMED["mnist_vae"].data()
    x, y = next(iter(validation))
    judged = model.evaluate(x, y, batch_size=30, verbose=0)
    encoder = keras.Model(
        model.inputs, [model.get_layer("mean").output, model.get_layer("log_variance").output]
    )
    mean, log_variance = (part.numpy() for part in encoder(x, training=False))
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1).mean()
    squared = np.square(model(x, training=False).numpy() - y).sum(axis=1).mean()
    # Each pass draws its own noise.
    assert judged == pytest.approx(divergence + squared, rel=0.01)

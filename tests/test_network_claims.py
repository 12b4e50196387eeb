"""Claims about networks, in small: what is recorded, what is read from it, and the data."""

import numpy as np
import pytest
import tensorflow as tf

from tests import test_verdicts as verdicts
from tfadaopt.experiments.claims import network_decay
from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems import data, networks
from tfadaopt.experiments.problems.networks import Network, Phase
from tfadaopt.experiments.trial import registry, samples

ONE = Phase(1)


def test_network_claims_are_an_experiment_of_their_own():
    apart = {entry.name for entry in registry.entries_of("network-claims")}
    assert apart == {f"claim-network-{n}" for n in ("decay", "layers", "stall", "tuning")}
    assert not apart & {entry.name for entry in registry.entries_of("claims")}
    assert [e.name for e in registry.entries_of("claim-network-decay")] == ["claim-network-decay"]
    assert registry.entries_of("lecture") == ()


def test_fashion_mnist_is_taken_only_where_keras_has_it(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert not data.fashion_mnist_is_present()
    assert networks.image_sets() == ("digits",)
    folder = tmp_path / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        for what in ("images-idx3", "labels-idx1"):
            (folder / f"{part}-{what}-ubyte.gz").touch()
    assert networks.image_sets() == ("Fashion-MNIST",)


def test_fashion_mnist_is_drawn_and_split_like_the_digits(monkeypatch):
    labels = np.arange(6000) % 10
    images = np.broadcast_to(labels[:, None, None], (6000, 28, 28)).astype("uint8")
    monkeypatch.setattr(data, "_all_clothes", lambda: (images, labels.astype("uint8")))
    parts = data.fashion_mnist(3500, 750, seed=0)
    assert {name: len(part.labels) for name, part in parts.items()} == {
        "train": 3500,
        "validation": 750,
        "test": 750,
    }
    for part in parts.values():
        assert part.images.shape[1:] == (28, 28, 1)
        np.testing.assert_allclose(part.images[:, 3, 4, 0] * 255, part.labels, rtol=1e-5)


def test_a_median_agrees_by_its_rule():
    sample = [0.0, 1.0, 2.0, 3.0, 9.0]
    assert samples.number("x", sample, (1.5, np.inf)).agrees
    assert not samples.number("x", sample, (1.5, np.inf), whole=True).agrees
    assert samples.number("x", sample).agrees is None
    band = samples.line("x", [1, 2], np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]))
    assert (band.y, band.low, band.high) == ((2.0, 5.0), (1.0, 5.0), (3.0, 5.0))


def test_the_exponent_weighs_each_stretch_of_log_time_the_same():
    t = np.arange(5.0, 500, 5)
    assert network_decay.exponent(t, 3 * t**-0.5) == pytest.approx(-0.5, abs=1e-3)


@pytest.mark.slow
def test_a_trace_is_what_the_optimizer_did():
    network = Network("Adagrad", architecture="small_mlp")
    trace = network.train(0.01, 0, [Phase(2)], curve=True)
    steps = 2 * (networks.SIZES["digits"][0] // networks.BATCH)
    assert trace.layers == ("dense_1", "dense_2", "dense_3", "logits")
    assert trace.gradient_rms.shape == (steps, 4)
    assert trace.rate_steps[-1] <= steps
    assert trace.loss[1] < trace.loss[0] < np.log(10)
    # The rate of Adagrad is η/√(ε + Σg²): below η/√(t · the mean square) only where gradients
    # of the median coordinate are larger than that; it falls, and is one number per reading.
    assert np.all(np.diff(trace.rates, axis=0) <= 0)
    again = network.train(0.01, 0, [Phase(2)], curve=True)
    np.testing.assert_array_equal(trace.rates, again.rates)
    other = network.train(0.01, 1, [Phase(2)])
    assert not np.array_equal(trace.rates, other.rates)
    assert not len(other.loss)


@pytest.mark.slow
def test_a_scaled_loss_leaves_adagrads_steps_as_they_are_and_its_rate_small():
    network = Network("Adagrad", architecture="small_mlp", epsilon=0.0)
    plain = network.train(0.01, 0, [ONE])
    loud = network.train(0.01, 0, [Phase(1, loss_scale=128.0)])
    # A power of two scales without rounding: the same steps, a rate 1/128 as large.
    np.testing.assert_allclose(loud.gradient_rms, plain.gradient_rms, rtol=1e-4)
    np.testing.assert_allclose(loud.rates[-1] * 128, plain.rates[-1], rtol=1e-4)
    kept = network.train(0.01, 0, [Phase(1, 128.0), ONE])
    forgot = network.train(0.01, 0, [Phase(1, 128.0), Phase(1, forget=True)])
    half = len(kept.rates) // 2
    np.testing.assert_array_equal(kept.rates[:half], forgot.rates[:half])
    assert np.all(forgot.rates[half] > 10 * kept.rates[half])


@pytest.mark.slow
def test_a_network_that_diverges_is_not_finite():
    assert not np.isfinite(Network("SGD", architecture="small_mlp").train(1e6, 0, [ONE]).loss).any()
    trace = Network("SGD", brightness=255.0).train(1e6, 0, [Phase(2)])
    assert not np.isfinite(trace.validation_loss) or trace.validation_loss > 2.2


@pytest.mark.slow
def test_curvature_is_that_of_the_whole_hessian():
    """Of the last kernel, small enough for the Hessian itself."""
    network = Network("SGD", architecture="small_mlp")
    trace = network.train(0.1, 0, [ONE], curvature=True)
    kernel, (images, labels) = network._kernels[-1], network._train
    images, labels = images[: networks.CURVATURE_BATCH], labels[: networks.CURVATURE_BATCH]
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            loss = network._loss(labels, network._model(images))
        g = inner.gradient(loss, kernel.value)
    hessian = outer.jacobian(g, kernel.value)
    size = int(np.prod(kernel.shape))
    expected = np.linalg.eigvalsh(np.reshape(hessian, (size, size)))[-1]
    assert trace.curvature[-1] == pytest.approx(expected, rel=0.02)
    assert trace.curvature.shape == (4,)


SMALL = {"RATES": (0.01, 0.1), "METHODS": ("SGD", "Adagrad"), "NETWORKS": {"small_mlp": "MLP"}}
SMALL |= {"PHASE": ONE, "EPOCHS": 1}


@pytest.fixture
def small(monkeypatch):
    """A claim's module, its networks and images few and small."""

    def make(name):
        module = verdicts.module_of(name)
        for key, value in SMALL.items():
            if hasattr(module, key) and not isinstance(getattr(module, key), dict):
                monkeypatch.setattr(module, key, value)
        if hasattr(module, "NETWORKS"):
            monkeypatch.setattr(module, "NETWORKS", SMALL["NETWORKS"])
        monkeypatch.setattr(module, "image_sets", lambda: ("digits",))
        monkeypatch.setattr(networks, "SIZES", {"digits": (640, 200)})
        return module

    networks.network.cache_clear()
    yield make
    networks.network.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("name", [e.name for e in registry.entries_of("network-claims")])
def test_each_network_claim_reaches_its_verdicts_and_says_them(name, small, monkeypatch):
    short = name.removeprefix("claim-")
    claim = small(short).CLAIM
    found = claim.observe(Claims(seeds=3))
    finding = claim.conclude(found)
    assert finding.verdict in ("confirmed", "refuted", "depends")
    assert finding.figures
    monkeypatch.setattr(verdicts, "seen", lambda name: found)
    verdicts.test_each_verdict_of_a_rule_can_be_reached(short)
    verdicts.test_no_sentence_of_another_verdict_is_printed(short)
    verdicts.test_each_number_in_a_text_was_measured_or_is_a_setting(short)


@pytest.mark.slow
def test_without_the_reset_the_control_would_show_nothing(small, monkeypatch):
    """Were r := 0 forgotten, Adagrad and its control would be one, and the claim refuted."""
    module = small("network-stall")
    arms = dict(module.ARMS)
    arms[module.CURED] = arms[module.STALLED]
    monkeypatch.setattr(module, "ARMS", arms)
    finding = module.CLAIM.run(Claims(seeds=3))
    assert finding.verdict == "refuted"
    assert finding.numbers[0].measured == pytest.approx(1)

"""The twin of Muon, by hand and by identities."""

import math

import numpy as np
import pytest

from .adamw import AdamW
from .momentum import Momentum
from .muon import QUINTIC, Muon, orthogonalize
from .nesterov import Nesterov


def close(actual, expected, rtol=1e-13, atol=0.0):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def polynomial(x, steps=5):
    a, b, c = QUINTIC
    for _ in range(steps):
        x = a * x + b * x**3 + c * x**5
    return x


def test_orthogonalization_maps_the_singular_values_alone():
    random = np.random.default_rng(0)
    for shape in ((6, 4), (4, 6), (5, 5)):
        u = random.normal(size=shape)
        left, values, right = np.linalg.svd(u, full_matrices=False)
        scaled = values / (np.linalg.norm(values) + 1e-7)
        close(orthogonalize(u), left @ np.diag(polynomial(scaled)) @ right, rtol=1e-9)
        close(orthogonalize(u, 2), left @ np.diag(polynomial(scaled, 2)) @ right, rtol=1e-9)
    found = polynomial(np.linspace(0.01, 1.0, 1000))
    assert 0.6 < found.min() < found.max() < 1.3


def test_muon_by_hand():
    # Of the identity's four singular values each is 1/2 of the norm.
    value = polynomial(0.5 * 0.1 / (0.1 + 5e-8))
    twin = Muon(learning_rate=1.0, momentum=0.9, nesterov=False, weight_decay=0.25)
    close(twin.step(np.eye(4), np.eye(4)), (0.75 - value) * np.eye(4), rtol=1e-7)
    close(twin.accumulators["momentum"], 0.1 * np.eye(4))
    close(twin.direction, value * np.eye(4), rtol=1e-7, atol=1e-15)
    assert twin.effective_learning_rate is None
    # With Nesterov the mean counts 0.9 and the gradient 0.1.
    g = np.random.default_rng(0).normal(size=(2, 4, 4))
    twin = Muon(learning_rate=1.0, momentum=0.9)
    theta = twin.step(np.zeros((4, 4)), g[0])
    m = 0.1 * g[0]
    close(theta, -orthogonalize(0.1 * g[0] + 0.9 * m))
    m = 0.9 * m + 0.1 * g[1]
    close(twin.step(theta, g[1]), theta - orthogonalize(0.1 * g[1] + 0.9 * m))


@pytest.mark.parametrize(
    ("scale", "wide", "tall"),
    [
        ("original", math.sqrt(2), 1.0),
        ("match_rms", 0.2 * math.sqrt(12), 0.2 * math.sqrt(12)),
        ("spectral", math.sqrt(2), math.sqrt(0.5)),
    ],
)
def test_muon_scales_by_the_sides(scale, wide, tall):
    random = np.random.default_rng(0)
    for shape, factor in (((6, 12), wide), ((3, 2, 2, 6), tall)):
        g = random.normal(size=shape)
        x = orthogonalize((1 - 0.95**2) * g.reshape(-1, shape[-1])).reshape(shape)
        step = -Muon(learning_rate=1.0, scale=scale).step(np.zeros(shape), g)
        close(step, factor * x, rtol=1e-7)


def test_muon_turns_with_the_gradient_and_knows_no_size():
    random = np.random.default_rng(0)
    p, q = (np.linalg.qr(random.normal(size=(n, n)))[0] for n in (6, 4))
    plain, turned, large = Muon(), Muon(), Muon()
    a, b, c = np.zeros((3, 6, 4))
    for _ in range(10):
        g = random.normal(size=(6, 4))
        a, b, c = plain.step(a, g), turned.step(b, p @ g @ q), large.step(c, 1e6 * g)
        close(p @ a @ q, b, rtol=1e-9, atol=1e-12)
        close(a, c, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(5,), (3, 8), (8, 3), (517, 4), (0, 8)])
def test_what_is_no_matrix_takes_the_steps_of_adamw(shape):
    muon = Muon(learning_rate=0.5, weight_decay=0.25)
    adamw = AdamW(0.5 * 0.015, weight_decay=0.25, beta_1=0.9, beta_2=0.95, epsilon=1e-10)
    random = np.random.default_rng(0)
    a = b = random.normal(size=shape)
    for _ in range(5):
        g = random.normal(size=shape)
        a, b = muon.step(a, g), adamw.step(b, g)
        close(a, b)
        close(muon.effective_learning_rate, adamw.effective_learning_rate)
    assert set(muon.accumulators) == {"momentum", "velocity"}


def test_what_just_is_a_matrix():
    for shape in ((4, 4), (512, 4), (4, 512), (2, 2, 1, 4)):
        muon = Muon()
        muon.step(np.zeros(shape), np.ones(shape))
        assert set(muon.accumulators) == {"momentum"}


def test_normuon_by_hand():
    random = np.random.default_rng(0)
    settings = {"learning_rate": 1.0, "momentum": 0.0, "nesterov": False}
    twin = Muon(**settings, normalize="neurons", beta_2=0.75)
    g = random.normal(size=(2, 2, 3, 4))
    v = np.zeros(4)
    for _ in range(3):
        step = -twin.step(np.zeros(g[0].shape), g[0])
        x = orthogonalize(g[0].reshape(6, 4))
        v = 0.75 * v + 0.25 * np.mean(x**2, axis=0)
        changed = x / np.sqrt(v)
        close(np.linalg.norm(step), np.linalg.norm(x), rtol=1e-9)
        close(step.reshape(6, 4), changed * np.linalg.norm(x) / np.linalg.norm(changed), rtol=1e-8)
        close(twin.accumulators["neurons"], v)
        g = random.normal(size=g.shape)
    # At first every neuron's step has the same length.
    twin = Muon(**settings, normalize="neurons")
    lengths = np.linalg.norm(twin.step(np.zeros((6, 4)), random.normal(size=(6, 4))), axis=0)
    close(lengths, lengths[0], rtol=1e-8)


@pytest.mark.parametrize("nesterov", [True, False])
def test_musgd_is_both_at_once(nesterov):
    random = np.random.default_rng(0)
    common = {"momentum": 0.9, "nesterov": nesterov}
    twin = Muon(0.1, muon_weight=0.5, sgd_weight=0.25, weight_decay=0.3, **common)
    muon = Muon(0.1, **common)
    sgd = (Nesterov if nesterov else Momentum)(0.1, momentum=0.9)
    alone = Muon(0.1, sgd_weight=0.25, weight_decay=0.3, **common)
    vector_sgd = (Nesterov if nesterov else Momentum)(0.1, momentum=0.9)
    theta, vector, other = random.normal(size=(6, 4)), np.ones(3), np.ones(3)
    for _ in range(5):
        g, h = random.normal(size=(6, 4)), random.normal(size=3)
        muon.step(theta, g)
        sgd.step(theta, g + 0.3 * theta)
        new = twin.step(theta, g)
        close(theta - new, 0.1 * (0.5 * muon.direction + 0.25 * sgd.direction), rtol=1e-11)
        theta = new
        vector, other = alone.step(vector, h), vector_sgd.step(other, h + 0.3 * other)
        close(vector, other)
    assert set(twin.accumulators) == {"momentum", "sgd_momentum"}
    assert set(alone.accumulators) == {"sgd_momentum"}

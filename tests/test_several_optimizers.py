"""More than one optimizer at work: two models against each other, one model in parts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import RATE, SHAPES, THREE, quick, three_methods
from .support.models import X, Y, fit, make_model
from .versions import needs


def values(variables):
    return [np.array(v.numpy(), "float64") for v in variables]


def same(actual, expected, starts):
    """Whether variables are where the twins are, relative to how far those went."""
    for a, e, start in zip(actual, expected, starts, strict=True):
        far = np.abs(e - start).max()
        assert far > 1e-5
        np.testing.assert_allclose(a, e, rtol=0, atol=1e-3 * far)


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize(
    ("case", "mode"),
    [*(quick(case, "function") for case in SHAPES), *(quick(case, "eager") for case in THREE)],
)
def test_two_networks_against_each_other(case, mode):
    """A generator and a discriminator, each with an optimizer, in one step."""
    keras.utils.set_random_seed(1)
    generator = keras.Sequential([keras.Input([4]), keras.layers.Dense(3, activation="tanh")])
    # Without tanh its gradients would have rank 1, and SOAP's eigenvectors would be arbitrary.
    layers = keras.layers.Dense(2, activation="tanh"), keras.layers.Dense(1)
    discriminator = keras.Sequential([keras.Input([3]), *layers])
    networks = generator, discriminator
    optimizers = case.make(), case.make()
    starts = [values(n.trainable_variables) for n in networks]
    for optimizer, network in zip(optimizers, networks, strict=True):
        optimizer.build(network.trainable_variables)

    def step(noise, real):
        with tf.GradientTape(persistent=True) as tape:
            fake = discriminator(generator(noise))
            scores = discriminator(real)
            losses = (
                tf.reduce_mean(tf.nn.softplus(-fake)),
                tf.reduce_mean(tf.nn.softplus(fake) + tf.nn.softplus(-scores)),
            )
        found = [
            tape.gradient(loss, [v.value for v in network.trainable_variables])
            for loss, network in zip(losses, networks, strict=True)
        ]
        for optimizer, network, g in zip(optimizers, networks, found, strict=True):
            optimizer.apply(g, network.trainable_variables)
        return found

    step = tf.function(step) if mode == "function" else step
    thetas, twins = list(starts), [case.twins(len(start)) for start in starts]
    for i in range(0, 24, 4):
        found = step(tf.constant(X[i : i + 4]), tf.constant(X[i : i + 4, :3]))
        for n in range(2):
            thetas[n] = twins[n].step(thetas[n], [g.numpy() for g in found[n]])
    for network, theta, start in zip(networks, thetas, starts, strict=True):
        same(values(network.trainable_variables), theta, start)


@pytest.mark.quick_rows(1)
@needs("MultiOptimizer")
@three_methods
def test_multi_optimizer(case):
    """The hidden layer by the method, the rest by SGD."""
    model = make_model("sgd")
    variables = model.trainable_variables
    starts = values(variables)

    @tf.function
    def gradients(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        return tape.gradient(loss, [v.value for v in variables])

    thetas, twins = list(starts), case.twins(2)
    for i in range(0, 24, 4):
        g = [x.numpy().astype("float64") for x in gradients(X[i : i + 4], Y[i : i + 4])]
        thetas = [*twins.step(thetas[:2], g[:2]), *by_sgd(thetas[2:], g[2:])]
        for v, theta in zip(variables, thetas, strict=True):
            v.assign(theta)
    for v, start in zip(variables, starts, strict=True):
        v.assign(start)

    parts = keras.optimizers.OptimizerMap(tfadaopt.SGD(RATE), {"hidden/.*": case.make()})
    model.compile(keras.optimizers.MultiOptimizer(parts), "mse")
    fit(model)
    same(values(variables), thetas, starts)


def by_sgd(thetas, gs):
    return [theta - RATE * g for theta, g in zip(thetas, gs, strict=True)]

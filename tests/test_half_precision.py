"""What Keras does before and after a step is not done in half precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import each_shape
from .steps import average_of, each_way, step_of

each_half = pytest.mark.parametrize("dtype", ["float16", "bfloat16"])


def values(*variables):
    return [np.array(tf.cast(tf.convert_to_tensor(v), "float64")) for v in variables]


def one_weight(optimizer, policy="float32", **layer):
    """A model y = w x, w = 0 at first."""
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", dtype=policy, **layer)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(optimizer, "mae")
    return model


@pytest.mark.quick_rows(1)
@each_half
def test_sums_over_batches_of_fit_are_exact(dtype):
    model = one_weight(tfadaopt.SGD(1.0, gradient_accumulation_steps=512), dtype)
    model.fit(np.full((512, 1), 128), np.full((512, 1), -1e5), batch_size=1, verbose=0)
    assert values(*model.weights)[0] == -128


@pytest.mark.quick_rows(1)
@each_half
def test_averages_of_fit_move_as_in_float32(dtype):
    models = [one_weight(tfadaopt.SGD(1.0, use_ema=True), d) for d in (dtype, "float32")]
    for model in models:
        model.fit(np.ones((64, 1)), np.full((64, 1), -1e4), batch_size=1, verbose=0)
    np.testing.assert_allclose(*(values(*m.weights)[0] for m in models), rtol=4e-3)
    np.testing.assert_allclose(*(average_of(m.optimizer) for m in models), rtol=1e-5)


LARGE = 1024  # coordinates of 16: a norm of 512, whose square float16 does not hold


@pytest.mark.quick_rows(4)
@each_way
@pytest.mark.parametrize(
    ("common", "gradient", "expected"),
    [
        ({"clipnorm": 1.0}, 16.0, 1 / 32),
        ({"global_clipnorm": 1.0}, 16.0, 1 / 32 / 2**0.5),
        ({"clipvalue": 4.0}, 16.0, 4.0),
        ({"clipvalue": 1e5}, 16.0, 16.0),
        ({"clipnorm": 1e-6}, 1.0, 1e-6 / 32),  # in float32, then to the nearest in float16: 0
        ({"loss_scale_factor": 2.0**20}, 2.0**15, 1 / 32),
        ({"gradient_accumulation_steps": 2}, 4e4, 4e4),
    ],
    ids=lambda x: "-".join(x) if isinstance(x, dict) else str(x),
)
def test_norms_and_scales_beyond_float16(common, gradient, expected, way):
    """What lies between the gradient and the step does not overflow."""
    variables = [keras.Variable(np.zeros(LARGE), dtype="float16") for _ in range(2)]
    step = step_of(tfadaopt.SGD(1.0, **common), variables, way)
    for _ in range(2 if "gradient_accumulation_steps" in common else 1):
        step(*[tf.fill([LARGE], tf.constant(gradient, "float16"))] * 2)
    for moved in values(*variables):
        np.testing.assert_allclose(-moved, np.full(LARGE, expected), rtol=1e-3, atol=6e-8)


@each_shape
def test_clipped_step_of_float16_is_that_of_float32(case):
    g = np.resize([16.0, -8.0, 4.0], (64, 16))
    ends = []
    for dtype in ("float32", "float16"):
        w, b = (keras.Variable(np.zeros(s), dtype=dtype) for s in ((64, 16), 3))
        optimizer = case.make(global_clipnorm=1.0)
        step = step_of(optimizer, [w, b])
        for sign in (1, -0.5, 2):
            step(tf.constant(sign * g, dtype), tf.constant([sign] * 3, dtype))
        ends.append(values(w, b))
    for full, half in zip(*ends, strict=True):
        assert (half != 0).any()
        np.testing.assert_allclose(half, full, rtol=0.02, atol=1e-3 * np.abs(full).max())


@each_way
@pytest.mark.parametrize(("common", "expected"), [({}, 2.0**-6), ({"clipnorm": 2.0**-3}, 2.0**-8)])
def test_scaled_loss_of_float16(common, expected, way):
    """512 / 2¹⁵ in each of 1,024 coordinates; their norm is 2⁻¹, but scaled it is 2¹⁴."""
    w = keras.Variable(np.zeros(LARGE), dtype="float16")
    inner = tfadaopt.SGD(1.0, **common)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0**15)
    step_of(optimizer, [w], way)(tf.fill([LARGE], tf.constant(512.0, "float16")))
    np.testing.assert_allclose(-values(w)[0], np.full(LARGE, expected), rtol=1e-3)

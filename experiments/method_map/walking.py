"""Walk the whole course with one method, in one compiled function."""

import inspect
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfadaopt.catalog import Method
from tfadaopt.experiments.method_map.course import HALF_PRECISION, Array, Leg

_QUADRATIC, _STREAM, _SADDLE = range(3)


def default_rate(method: Method) -> float:
    """Return the learning rate that a method has if none is given."""
    return float(inspect.signature(method.cls).parameters["learning_rate"].default)


def walk_course(method: Method, course: Sequence[Leg]) -> dict[str, Array]:
    """Return the points of each leg [1 + steps, 2, 2], by its name.

    One optimizer, compiled once, walks the legs in turn, each from fresh state: as rows of one
    variable, they would share the norms that some methods measure.
    """
    usual = default_rate(method)
    eta, points = tf.Variable(np.float64(0)), tf.Variable(np.zeros((2, 2)))
    optimizer = method.cls(learning_rate=lambda: eta, nonfinite="ignore")
    optimizer.build([points])
    fresh = [(variable, variable.numpy()) for variable in optimizer.variables]
    most = max(leg.steps for leg in course)

    # What a leg is walked on is data: a branch for each would be compiled for each method.
    @tf.function(jit_compile=True, autograph=False)
    def go(ground: tf.Tensor, hessian: tf.Tensor, stream: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        path = tf.TensorArray("float64", size=most + 1, element_shape=(2, 2))

        def step(t: tf.Tensor, path: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            w = tf.convert_to_tensor(points)
            grounds = {
                _QUADRATIC: lambda: w @ hessian,
                _STREAM: lambda: tf.linalg.diag(stream[t - 1]),
                # Of ½x² − ½y² + ¼y⁴.
                _SADDLE: lambda: tf.stack([w[:, 0], w[:, 1] ** 3 - w[:, 1]], axis=1),
            }
            optimizer.apply([tf.switch_case(ground, grounds)], [points])
            return t + 1, path.write(t, tf.convert_to_tensor(points))

        path = path.write(0, tf.convert_to_tensor(points))
        return tf.while_loop(lambda t, _: t <= steps, step, (1, path))[1].stack()

    nowhere, silence = tf.zeros((2, 2), "float64"), tf.zeros((most, 2), "float64")
    walked = {}
    for leg in course:
        for variable, value in fresh:
            variable.assign(value)
        points.assign(leg.start)
        eta.assign(usual if leg.rate is None else leg.rate)
        ground, hessian, stream = _SADDLE, nowhere, silence
        if leg.hessian is not None:
            ground, hessian = _QUADRATIC, tf.constant(leg.hessian)
        elif leg.stream is not None:
            ground, stream = _STREAM, np.zeros((most, 2))
            stream[: leg.steps] = leg.stream
        path = go(tf.constant(ground), hessian, tf.constant(stream), tf.constant(leg.steps))
        walked[leg.name] = path.numpy()[: leg.steps + 1]
    return walked


def walk_in_bfloat16(method: Method) -> Array:
    """Return the points [1 + steps, 2, 2] of the leg "even" with weights in bfloat16."""
    points = tf.Variable(np.ones((2, 2)), dtype="bfloat16")
    optimizer = method.cls(learning_rate=default_rate(method), nonfinite="ignore")
    optimizer.build([points])

    @tf.function(autograph=False)  # XLA would keep some numbers unrounded
    def go() -> tf.Tensor:
        path = tf.TensorArray("float64", size=HALF_PRECISION + 1, element_shape=(2, 2))

        def step(t: tf.Tensor, path: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            optimizer.apply([tf.eye(2, dtype=points.dtype)], [points])
            return t + 1, path.write(t, tf.cast(points, "float64"))

        path = path.write(0, tf.cast(points, "float64"))
        return tf.while_loop(lambda t, _: t <= HALF_PRECISION, step, (1, path))[1].stack()

    walked: Array = go().numpy()
    return walked

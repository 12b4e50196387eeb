"""Two devices give what one device gives on the same global batch."""

import keras
import numpy as np
import tensorflow as tf

import tfadaopt

from .cases import SHAPES, THREE, each_shape, slots_of, three_methods
from .support import models

KERNEL_AND_BIAS = [(4, 3), (3,)]


@each_shape
def test_two_devices_equal_one(case, two_devices):
    """Weights, effective rates and accumulators, relative to the single device and to the twin."""
    found = two_devices[case.id]
    assert found["replicas"] == 2
    assert found["moved"] > 1e-3
    for what in ("weights", "weights of the second device", "twin", "rates", "accumulators"):
        assert found[what] <= 1e-5, what


@three_methods
def test_fit_under_the_strategy_equals_fit_without(case, two_devices):
    # The order of sums differs; methods that step by signs, or roots of matrices, make more of it.
    assert two_devices[case.id]["fit"] <= max(1e-4, case.tolerance["float32"])


def on_two_devices(strategy) -> dict:
    """Errors by case."""
    random = np.random.default_rng(0)
    starts = [random.normal(size=s).astype("float32") for s in KERNEL_AND_BIAS]
    halves = [  # by step, by replica, by variable
        [[random.normal(size=s).astype("float32") for s in KERNEL_AND_BIAS] for _ in range(2)]
        for _ in range(3)
    ]
    sums = [[a + b for a, b in zip(*replicas, strict=True)] for replicas in halves]

    def error(actual, expected):
        """Largest difference, relative to the largest value of the variable."""
        pairs = zip(actual, expected, strict=True)
        return max(float(np.max(np.abs(a - e)) / np.max(np.abs(e))) for a, e in pairs)

    def readings(case, optimizer, variables):
        read = tfadaopt.effective_learning_rate if case.has_rate else lambda optimizer, v: v.value
        rates = [read(optimizer, v).numpy() for v in variables]
        slots = [slots_of(optimizer, v) for v in variables]
        return rates, [slot.numpy() for by_name in slots for slot in by_name.values()]

    def alone(case):
        optimizer, variables = case.make(), [keras.Variable(start) for start in starts]
        for gradients in sums:
            optimizer.apply([tf.constant(g) for g in gradients], variables)
        return [v.numpy() for v in variables], *readings(case, optimizer, variables)

    def together(case):
        with strategy.scope():
            optimizer, variables = case.make(), [keras.Variable(start) for start in starts]
            optimizer.build(variables)

        @tf.function
        def step(gradients):
            strategy.run(lambda g: optimizer.apply(g, variables), args=(gradients,))

        for replicas in halves:
            step(
                [
                    strategy.experimental_distribute_values_from_function(
                        lambda context, i=i, replicas=replicas: tf.constant(
                            replicas[context.replica_id_in_sync_group][i]
                        )
                    )
                    for i in range(len(starts))
                ]
            )
        values = [strategy.experimental_local_results(v.value) for v in variables]
        both = [[value[device].numpy() for value in values] for device in range(2)]
        return both, *readings(case, optimizer, variables)

    def fit(case):
        model = models.make_model(case.make())
        start = [v.numpy() for v in model.trainable_variables]
        models.fit(model, batch_size=8)
        return [v.numpy() - s for v, s in zip(model.trainable_variables, start, strict=True)]

    def fit_together(case):
        with strategy.scope():
            return fit(case)

    found = {}
    for case in SHAPES:
        weights, rates, slots = alone(case)
        (first, second), rates_of_two, slots_of_two = together(case)
        thetas, twins = [start.astype("float64") for start in starts], case.twins(len(starts))
        for gradients in sums:
            thetas = twins.step(thetas, gradients)
        found[case.id] = {
            "replicas": strategy.num_replicas_in_sync,
            "moved": error(starts, weights),
            "weights": error(first, weights),
            "weights of the second device": error(second, weights),
            "twin": error(first, thetas),
            "rates": error(rates_of_two, rates),
            "accumulators": error(slots_of_two, slots) if slots else 0.0,
            "fit": error(fit_together(case), fit(case)) if case in THREE else None,
        }
    return found

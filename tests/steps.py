"""One step of an optimizer, in each way in which it is taken."""

import pytest
import tensorflow as tf

from tfadaopt import compat

WAYS = ("eager", "function", "xla")
each_way = pytest.mark.parametrize("way", WAYS)


def step_of(optimizer, variables, way="eager", given=None):
    """A function of gradients that takes one step, as written or compiled."""
    optimizer.build(variables)

    def step(*gradients):
        optimizer.apply(gradients, given or variables)

    return step if way == "eager" else tf.function(step, jit_compile=way == "xla")


def average_of(optimizer, i=0):
    return compat.base_state(optimizer)["average", i]

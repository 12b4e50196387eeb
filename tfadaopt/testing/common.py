"""Contracts of the keywords that all optimizers take: rates, clips, averages, decay."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadaopt.testing.steps import apply_all, path_of, some_gradients, some_variables
from tfadaopt.testing.subject import Subject, agree, require, values

# Between two ways that differ in the order of a sum, relative to the largest weight.
ROUNDING = 2e-6


def zero_rate(subject: Subject) -> None:
    """With a rate of 0, nothing moves."""
    stays = values(apply_all(subject.bare(learning_rate=0.0), some_gradients(2)))
    agree("weights after 2 steps with learning_rate=0", stays, values(some_variables()))


def assigned_rate(subject: Subject) -> None:
    """A rate that is assigned between two calls of a compiled step counts at once."""
    rate, (first, second) = subject.rate, some_gradients(2)
    usual = _in_a_function(subject.bare(), [first, second], {})
    received = _in_a_function(subject.bare(), [first, second], {1: rate / 4})
    moved = any(not np.array_equal(a, b) for a, b in zip(received, usual, strict=True))
    require(
        moved,
        f"assigning a quarter of learning_rate={rate:g} before the second step changed no weight; "
        "expected another step. Use the argument learning_rate of update_step.",
    )


def schedule(subject: Subject) -> None:
    """A schedule does what the same rates do that are assigned by hand."""
    rate, steps = subject.rate, some_gradients(4)
    rates = [rate, rate, rate / 2, rate / 8]
    pieces = keras.optimizers.schedules.PiecewiseConstantDecay([1, 2], [rate, rate / 2, rate / 8])
    scheduled = subject.bare(learning_rate=keras.optimizers.schedules.serialize(pieces))
    received = _in_a_function(scheduled, steps, {})
    expected = _in_a_function(subject.bare(), steps, dict(enumerate(rates)))
    agree("weights after 4 steps of a schedule", received, expected, ROUNDING)


def _in_a_function(
    optimizer: Any, steps: list[list[np.ndarray]], rates: dict[int, float]
) -> list[np.ndarray]:
    """Weights after steps of one compiled function, with rates assigned before some of them."""
    variables = some_variables()
    optimizer.build(variables)
    step = tf.function(lambda *g: optimizer.apply(list(g), variables), autograph=False)
    for i, gradients in enumerate(steps):
        if i in rates:
            optimizer.learning_rate = rates[i]
        step(*(tf.constant(g) for g in gradients))
    return values(variables)


# Clips


def clip_norm(gradients: list[np.ndarray]) -> list[np.ndarray]:
    """Each gradient with a norm of 1/2 at most."""
    return [g * min(1, 0.5 / np.linalg.norm(g)) for g in gradients]


def clip_global(gradients: list[np.ndarray]) -> list[np.ndarray]:
    """All gradients together with a norm of 1/2 at most."""
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * min(1, 0.5 / norm) for g in gradients]


def clip_value(gradients: list[np.ndarray]) -> list[np.ndarray]:
    """Coordinates of 1/2 at most."""
    return [np.clip(g, -0.5, 0.5) for g in gradients]


BY_HAND: dict[str, Callable[[list[np.ndarray]], list[np.ndarray]]] = {
    "clipnorm": clip_norm,
    "global_clipnorm": clip_global,
    "clipvalue": clip_value,
}


def clipping(subject: Subject) -> None:
    """Each clip does what clipping by hand does."""
    for keyword in BY_HAND:
        clips(subject, keyword)


def clips(subject: Subject, keyword: str) -> None:
    """One clip does what clipping by hand does."""
    steps = some_gradients(3)
    steps[1] = [g * 0.01 for g in steps[1]]  # small enough to be left alone
    received = apply_all(subject.bare(**{keyword: 0.5}), steps)
    expected = apply_all(subject.bare(), [BY_HAND[keyword](g) for g in steps])
    what = f"weights after 3 steps with {keyword}=0.5, against gradients clipped by hand"
    agree(what, values(received), values(expected), ROUNDING)


# Averages, accumulation, scaling


def moving_average(subject: Subject) -> None:
    """``use_ema`` changes no step, and its average is that of the weights after each."""
    steps = some_gradients(3)
    path = path_of(subject.bare(), steps)
    average = path[0]
    for weights in path[1:]:
        average = [0.5 * a + 0.5 * w for a, w in zip(average, weights, strict=True)]
    optimizer = subject.bare(use_ema=True, ema_momentum=0.5)
    variables = apply_all(optimizer, steps)
    agree("weights after 3 steps with use_ema=True", values(variables), path[-1], ROUNDING)
    optimizer.finalize_variable_values(variables)
    agree("moving average with ema_momentum=0.5", values(variables), average, ROUNDING)


def gradient_accumulation(subject: Subject) -> None:
    """Four batches make one update, of their mean; nothing moves before."""
    steps = some_gradients(8)
    means = [
        [np.mean(g, axis=0) for g in zip(*four, strict=True)] for four in (steps[:4], steps[4:])
    ]
    what = "with gradient_accumulation_steps=4"
    three = apply_all(subject.bare(gradient_accumulation_steps=4), steps[:3])
    agree(f"weights after 3 batches {what}", values(three), values(some_variables()))
    optimizer = subject.bare(gradient_accumulation_steps=4)
    received = values(apply_all(optimizer, steps))
    expected = values(apply_all(subject.bare(), means))
    agree(f"weights after 8 batches {what}", received, expected, ROUNDING)
    count = int(optimizer.iterations.numpy())
    require(count == 2, f"iterations is {count} after 8 batches {what}, expected 2.")


def loss_scale(subject: Subject) -> None:
    """Gradients are divided by the loss scale."""
    steps = some_gradients(3)
    scaled = [[g * 8 for g in gradients] for gradients in steps]
    received = values(apply_all(subject.bare(loss_scale_factor=8.0), scaled))
    expected = values(apply_all(subject.bare(), steps))
    agree("weights after 3 steps with loss_scale_factor=8", received, expected, ROUNDING)


# Decay


def weight_decay(subject: Subject) -> None:
    """Weights shrink by η λ of themselves before each step that moves any, but the excluded.

    A method with a decay of its own (it names ``weight_decay`` in its ``__init__``) may shrink them
    otherwise: then they have to shrink.
    """
    rate, steps = subject.rate, some_gradients(3)
    without = path_of(subject.bare(weight_decay=0.0), steps)
    start = values(some_variables())
    waits = all(np.array_equal(a, b) for a, b in zip(without[0], start, strict=True))
    received = values(apply_all(subject.bare(weight_decay=0.5), steps))
    shrunk = [w - r for w, r in zip(without[-1], received, strict=True)]
    for one, toward in zip(shrunk, start, strict=True):
        require(
            float(np.sum(one * toward)) > 0,
            "weight_decay=0.5 did not make the weights smaller than weight_decay=0 does.",
        )
    if "weight_decay" not in inspect.signature(subject.cls.__init__).parameters:
        done = iter(range(len(steps)))

        def decay(variables: list[keras.Variable]) -> None:
            if next(done) or not waits:
                for v in variables:
                    v.assign(v * (1 - rate * 0.5))

        by_hand = values(apply_all(subject.bare(weight_decay=0.0), steps, before=decay))
        expected = [w - b for w, b in zip(without[-1], by_hand, strict=True)]
        what = "what weight_decay=0.5 took off the weights in 3 steps (η λ θ before each)"
        # Methods that measure how far they got, decay included, take other steps after it.
        agree(what, shrunk, expected, 0.1)
    excluding(subject)


def excluding(subject: Subject) -> None:
    """``exclude_from_weight_decay`` keeps a variable from shrinking, and no other."""
    optimizer = subject.bare(weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    zeros = [[np.zeros_like(g) for g in gradients] for gradients in some_gradients(2)]
    kernel, bias = values(apply_all(optimizer, zeros))
    # Some move by a regularization of their own.
    kept_kernel, kept_bias = values(apply_all(subject.bare(weight_decay=0.0), zeros))
    what = "with weight_decay=0.5 and exclude_from_weight_decay(var_names=['bias'])"
    agree(f"the bias after gradients of zero {what}", [bias], [kept_bias])
    require(not np.array_equal(kernel, kept_kernel), f"the kernel did not shrink {what}.")

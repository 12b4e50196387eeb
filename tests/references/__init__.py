"""Slow, obvious float64 twins of the optimizers, one parameter array each, written from the papers.

Every twin has the name, the arguments and the defaults of the public class, and

    step(theta, g)            the new theta; t counts from 1
    effective_learning_rate   the elementwise rate of the last step (None before the first)
    direction                 what that rate multiplied: theta_old - theta_new = rate * direction
    accumulators              Keras' slot name -> array (scalars before the first step)

`learning_rate` is a number or a function of the 0-based step.
"""

from .adagrad import Adagrad
from .momentum import Momentum
from .nesterov import Nesterov
from .rmsprop import RMSprop
from .sgd import SGD

REFERENCES = {
    "SGD": SGD,
    "Momentum": Momentum,
    "Nesterov": Nesterov,
    "Adagrad": Adagrad,
    "RMSprop": RMSprop,
}

__all__ = ["REFERENCES", "SGD", "Adagrad", "Momentum", "Nesterov", "RMSprop"]

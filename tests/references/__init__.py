"""Slow, obvious float64 twins of the optimizers, one parameter array each, written from the papers.

Every twin has the name, the arguments and the defaults of the public class, and

    step(theta, g)            the new theta; t counts from 1
    effective_learning_rate   the elementwise rate of the last step (None before the first)
    direction                 what that rate multiplied: theta_old - theta_new = rate * direction
    accumulators              Keras' slot name -> array (scalars before the first step)

`learning_rate` is a number or a function of the 0-based step.
"""

from .adabelief import AdaBelief
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .amsgrad import AMSGrad
from .momentum import Momentum
from .nadam import Nadam
from .nadamw import NadamW
from .nesterov import Nesterov
from .radam import RAdam
from .rmsprop import RMSprop
from .sgd import SGD
from .yogi import Yogi

REFERENCES = {
    "SGD": SGD,
    "Momentum": Momentum,
    "Nesterov": Nesterov,
    "Adagrad": Adagrad,
    "RMSprop": RMSprop,
    "Adadelta": Adadelta,
    "Adam": Adam,
    "Adamax": Adamax,
    "Nadam": Nadam,
    "AMSGrad": AMSGrad,
    "Yogi": Yogi,
    "AdamW": AdamW,
    "RAdam": RAdam,
    "AdaBelief": AdaBelief,
    "NadamW": NadamW,
}

__all__ = [
    "REFERENCES",
    "SGD",
    "AMSGrad",
    "AdaBelief",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Momentum",
    "Nadam",
    "NadamW",
    "Nesterov",
    "RAdam",
    "RMSprop",
    "Yogi",
]

"""Slow, obvious float64 twins of the optimizers, one parameter array each, written from the papers.

Every twin has the name, the arguments and the defaults of the public class, and

    step(theta, g)            the new theta; t counts from 1
    effective_learning_rate   the elementwise rate of the last step (None before the first)
    direction                 what that rate multiplied: theta_old - theta_new = rate * direction
    accumulators              Keras' slot name -> array (scalars before the first step)

`learning_rate` is a number or a function of the 0-based step. Methods that need all arrays at once
are of the kind of ``joint.Joint``; ``twins.Twins`` steps several arrays of either kind.
"""

from .adabelief import AdaBelief
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adagradnorm import AdaGradNorm
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .adan import Adan
from .adopt import ADOPT
from .amsgrad import AMSGrad
from .dadaptadam import DAdaptAdam
from .dog import DoG
from .dowg import DoWG
from .lamb import LAMB
from .lars import LARS
from .madgrad import MADGRAD
from .momentum import Momentum
from .nadam import Nadam
from .nadamw import NadamW
from .nesterov import Nesterov
from .prodigy import Prodigy
from .radam import RAdam
from .rmsprop import RMSprop
from .schedulefreeadamw import ScheduleFreeAdamW
from .schedulefreesgd import ScheduleFreeSGD
from .sgd import SGD
from .shampoo import Shampoo
from .sm3 import SM3
from .soap import SOAP
from .yogi import Yogi

REFERENCES = {
    "AdaBelief": AdaBelief,
    "Adadelta": Adadelta,
    "Adagrad": Adagrad,
    "Adam": Adam,
    "Adamax": Adamax,
    "AdamW": AdamW,
    "AMSGrad": AMSGrad,
    "Momentum": Momentum,
    "Nadam": Nadam,
    "NadamW": NadamW,
    "Nesterov": Nesterov,
    "RAdam": RAdam,
    "RMSprop": RMSprop,
    "SGD": SGD,
    "Yogi": Yogi,
    "Adan": Adan,
    "ADOPT": ADOPT,
    "LARS": LARS,
    "LAMB": LAMB,
    "AdaGradNorm": AdaGradNorm,
    "SM3": SM3,
    "MADGRAD": MADGRAD,
    "ScheduleFreeSGD": ScheduleFreeSGD,
    "ScheduleFreeAdamW": ScheduleFreeAdamW,
    "DoG": DoG,
    "DoWG": DoWG,
    "DAdaptAdam": DAdaptAdam,
    "Prodigy": Prodigy,
    "Shampoo": Shampoo,
    "SOAP": SOAP,
}

__all__ = [
    "ADOPT",
    "LAMB",
    "LARS",
    "MADGRAD",
    "REFERENCES",
    "SGD",
    "SM3",
    "SOAP",
    "AMSGrad",
    "AdaBelief",
    "AdaGradNorm",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "DAdaptAdam",
    "DoG",
    "DoWG",
    "Momentum",
    "Nadam",
    "NadamW",
    "Nesterov",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Shampoo",
    "Yogi",
]

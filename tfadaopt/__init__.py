"""tfadaopt makes gradient descent visible: optimizers, callbacks and experiments for Keras 3.

Names load on first use, so that ``tfadaopt --help`` and TensorBoard's plugins do not wait for
TensorFlow. Importing the package still registers the optimizers with Keras, before or after Keras
itself is imported: ``keras.models.load_model`` finds them.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

import wrapt  # TensorFlow requires it: no dependency of our own

from tfadaopt.catalog import METHODS, Method, get, methods
from tfadaopt.lazy import load

if TYPE_CHECKING:
    from tfadaopt import callbacks, experiments, optimizers, testing
    from tfadaopt.averages import averaged_weights
    from tfadaopt.effective import accumulators, effective_learning_rate
    from tfadaopt.lookahead import Lookahead
    from tfadaopt.optimizers.adabelief import AdaBelief as AdaBelief
    from tfadaopt.optimizers.adabound import AdaBound as AdaBound
    from tfadaopt.optimizers.adadelta import Adadelta as Adadelta
    from tfadaopt.optimizers.adafactor import Adafactor as Adafactor
    from tfadaopt.optimizers.adagrad import Adagrad as Adagrad
    from tfadaopt.optimizers.adagradnorm import AdaGradNorm as AdaGradNorm
    from tfadaopt.optimizers.adam import Adam as Adam
    from tfadaopt.optimizers.adamax import Adamax as Adamax
    from tfadaopt.optimizers.adamp import AdamP as AdamP
    from tfadaopt.optimizers.adamw import AdamW as AdamW
    from tfadaopt.optimizers.adan import Adan as Adan
    from tfadaopt.optimizers.ademamix import AdEMAMix as AdEMAMix
    from tfadaopt.optimizers.adopt import ADOPT as ADOPT
    from tfadaopt.optimizers.amsgrad import AMSGrad as AMSGrad
    from tfadaopt.optimizers.dadaptadam import DAdaptAdam as DAdaptAdam
    from tfadaopt.optimizers.dog import DoG as DoG
    from tfadaopt.optimizers.dowg import DoWG as DoWG
    from tfadaopt.optimizers.ftrl import Ftrl as Ftrl
    from tfadaopt.optimizers.lamb import LAMB as LAMB
    from tfadaopt.optimizers.lars import LARS as LARS
    from tfadaopt.optimizers.lion import Lion as Lion
    from tfadaopt.optimizers.madgrad import MADGRAD as MADGRAD
    from tfadaopt.optimizers.mars import MARS as MARS
    from tfadaopt.optimizers.momentum import Momentum as Momentum
    from tfadaopt.optimizers.muon import Muon as Muon
    from tfadaopt.optimizers.nadam import Nadam as Nadam
    from tfadaopt.optimizers.nadamw import NadamW as NadamW
    from tfadaopt.optimizers.nesterov import Nesterov as Nesterov
    from tfadaopt.optimizers.novograd import NovoGrad as NovoGrad
    from tfadaopt.optimizers.prodigy import Prodigy as Prodigy
    from tfadaopt.optimizers.radam import RAdam as RAdam
    from tfadaopt.optimizers.rmsprop import RMSprop as RMSprop
    from tfadaopt.optimizers.rprop import Rprop as Rprop
    from tfadaopt.optimizers.schedulefreeadamw import ScheduleFreeAdamW as ScheduleFreeAdamW
    from tfadaopt.optimizers.schedulefreesgd import ScheduleFreeSGD as ScheduleFreeSGD
    from tfadaopt.optimizers.sgd import SGD as SGD
    from tfadaopt.optimizers.sgdp import SGDP as SGDP
    from tfadaopt.optimizers.shampoo import Shampoo as Shampoo
    from tfadaopt.optimizers.signum import Signum as Signum
    from tfadaopt.optimizers.sm3 import SM3 as SM3
    from tfadaopt.optimizers.soap import SOAP as SOAP
    from tfadaopt.optimizers.stableadamw import StableAdamW as StableAdamW
    from tfadaopt.optimizers.transforms import AdaptiveClip, Centralize, GradientTransform
    from tfadaopt.optimizers.yogi import Yogi as Yogi
    from tfadaopt.rate_finder import RateSweep, find_learning_rate
    from tfadaopt.readers import UnsupportedOptimizerError
    from tfadaopt.sharpness import SharpnessAware
    from tfadaopt.weight_average import WeightAverage

__version__ = "0.2.0"

__all__ = [
    "AdaptiveClip",
    "Centralize",
    "GradientTransform",
    "Lookahead",
    "Method",
    "RateSweep",
    "SharpnessAware",
    "UnsupportedOptimizerError",
    "WeightAverage",
    "accumulators",
    "averaged_weights",
    "callbacks",
    "effective_learning_rate",
    "experiments",
    "find_learning_rate",
    "get",
    "methods",
    "optimizers",
    "testing",
    *(method.name for method in METHODS),
]

_SUBPACKAGES = ("callbacks", "experiments", "optimizers", "testing")
_MODULE_OF = {method.name: method.module for method in METHODS} | {
    "AdaptiveClip": "tfadaopt.optimizers.transforms",
    "Centralize": "tfadaopt.optimizers.transforms",
    "GradientTransform": "tfadaopt.optimizers.transforms",
    "RateSweep": "tfadaopt.rate_finder",
    "UnsupportedOptimizerError": "tfadaopt.readers",
    "accumulators": "tfadaopt.effective",
    "Lookahead": "tfadaopt.lookahead",
    "SharpnessAware": "tfadaopt.sharpness",
    "WeightAverage": "tfadaopt.weight_average",
    "averaged_weights": "tfadaopt.averages",
    "effective_learning_rate": "tfadaopt.effective",
    "find_learning_rate": "tfadaopt.rate_finder",
}


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return load(__name__, name, f"tfadaopt.{name}")
    if name in _MODULE_OF:
        return load(__name__, name, _MODULE_OF[name])
    raise AttributeError(f"module 'tfadaopt' has no attribute {name!r}; it has {sorted(__all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


@wrapt.when_imported("keras")
def _meet_keras(_keras: ModuleType) -> None:
    importlib.import_module("tfadaopt.compat")


# Not at once when Keras is imported: it may be this very module that imports it.
@wrapt.when_imported("tfadaopt.compat")
def _register_with_keras(_compat: ModuleType) -> None:
    # A saved model names its optimizer "tfadaopt>Adagrad": Keras knows that only once the class
    # exists, and a lazy package would otherwise make load_model fail.
    wrappers = "tfadaopt.lookahead", "tfadaopt.sharpness", "tfadaopt.weight_average"
    for module in (*(method.module for method in METHODS), *wrappers):
        importlib.import_module(module)

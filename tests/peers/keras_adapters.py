"""Our optimizers behind the names, the arguments and the defaults of Keras' own."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras

import tfadaopt


@dataclass(frozen=True)
class Kind:
    """One of our classes, which stands for a class of Keras with some of its settings.

    Attributes:
        ours: The class.
        hidden: Arguments of Keras that are decided by the choice of the class.
        fixed: Arguments of ours that make its rule the one of Keras.
    """

    ours: type
    hidden: tuple[str, ...] = ()
    fixed: Mapping = field(default_factory=dict)


@dataclass(frozen=True)
class Adapter:
    """What stands in place of a class of ``keras.optimizers``.

    Attributes:
        kinds: Our classes, by a name of the choice.
        choose: Gives that name from the arguments of Keras; there is no choice where it is None.
    """

    kinds: Mapping[str, Kind]
    choose: Callable[[Mapping], str] = lambda given: "always"

    def in_place_of(self, stock: type) -> tuple[type, dict[str, type]]:
        """The class to call, and those of what it makes; all are named as Keras' is."""
        signature, choose, classes = inspect.signature(stock), self.choose, {}

        def __new__(cls, *arguments, **keywords):
            if cls is front:
                given = signature.bind(*arguments, **keywords)
                given.apply_defaults()
                cls = classes[choose(given.arguments)]
            return keras.optimizers.Optimizer.__new__(cls)

        front = type(stock.__name__, (keras.optimizers.Optimizer,), {"__new__": __new__})
        for name, kind in self.kinds.items():
            classes[name] = self._class(stock, kind, signature, front)
            classes[name].__qualname__ = f"{stock.__name__}.{name}"  # pickle finds it there
            setattr(front, name, classes[name])
        return front, classes

    @staticmethod
    def _class(stock: type, kind: Kind, signature: inspect.Signature, front: type) -> type:
        def __init__(self, *arguments, **keywords):
            given = signature.bind(*arguments, **keywords)
            given.apply_defaults()
            named = dict(given.arguments)
            others = named.pop("kwargs", {})
            decided = {name: named.pop(name) for name in kind.hidden}
            kind.ours.__init__(self, **{**kind.fixed, **named, **others})
            for name, value in decided.items():
                setattr(self, name, value)

        def get_config(self):
            config = kind.ours.get_config(self)
            return {**config, **{name: getattr(self, name) for name in kind.hidden}}

        body = {"__init__": __init__, "get_config": get_config}
        return type(stock.__name__, (kind.ours, front), body)


def one(ours: type, **fixed) -> Adapter:
    """An adapter that always makes the same class."""
    return Adapter({"always": Kind(ours, fixed=fixed)})


def _of_sgd(given: Mapping) -> str:
    if not given["momentum"]:
        return "plain"
    return "nesterov" if given["nesterov"] else "momentum"


# By the name of Keras' class. Nadam's warm-up of the momentum is the one of Keras (ψ = 1).
ADAPTERS = {
    "SGD": Adapter(
        {
            "plain": Kind(tfadaopt.SGD, ("momentum", "nesterov")),
            "momentum": Kind(tfadaopt.Momentum, ("nesterov",)),
            "nesterov": Kind(tfadaopt.Nesterov, ("nesterov",)),
        },
        _of_sgd,
    ),
    "Adam": Adapter(
        {
            "always": Kind(tfadaopt.Adam, ("amsgrad",)),
            "amsgrad": Kind(tfadaopt.AMSGrad, ("amsgrad",), {"bias_correction": True}),
        },
        lambda given: "amsgrad" if given["amsgrad"] else "always",
    ),
    "AdamW": Adapter(
        {
            "always": Kind(tfadaopt.AdamW, ("amsgrad",)),
            "amsgrad": Kind(tfadaopt.AMSGrad, ("amsgrad",), {"bias_correction": True}),
        },
        lambda given: "amsgrad" if given["amsgrad"] else "always",
    ),
    "Adagrad": one(tfadaopt.Adagrad),
    "Adadelta": one(tfadaopt.Adadelta),
    "Adamax": one(tfadaopt.Adamax),
    "Nadam": one(tfadaopt.Nadam, psi=1.0),
    "RMSprop": one(tfadaopt.RMSprop),
    "Lamb": one(tfadaopt.LAMB),
    "ScheduleFreeAdamW": one(tfadaopt.ScheduleFreeAdamW),
}

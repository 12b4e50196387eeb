"""What is watched of a training: which optimizers take its steps, and which variables they move."""

import warnings
from collections.abc import Iterator, Mapping

import keras

from tfadaopt import compat, effective


class Several:
    """Optimizers that train parts of one model in turn, as of a GAN, where one is expected.

    Args:
        optimizers: The optimizers, by name.
    """

    def __init__(self, optimizers: Mapping[str, keras.optimizers.Optimizer]):
        self.by_name = dict(optimizers)
        self.name = " + ".join(self.by_name)

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The optimizers that hold the state, without wrappers."""
        return [leaf for o in self.by_name.values() for leaf in effective.leaves(o)]

    @property
    def clock(self) -> keras.optimizers.Optimizer:
        """The one whose steps are counted: the first that has taken one."""
        found = [effective.unwrapped(o) for o in self.by_name.values()]
        return next((o for o in found if o.built), found[0])

    @property
    def built(self) -> bool:
        """Whether one of them has state."""
        return any(effective.unwrapped(o).built for o in self.by_name.values())


class Loop:
    """What a callback needs of a model, for a training loop of one's own.

    Args:
        optimizer: The optimizer, or several by name.
        variables: The variables that are trained.
    """

    steps_per_execution = 1
    name = "loop"

    def __init__(self, optimizer, variables):
        self.optimizer = optimizer
        self.trainable_variables = list(variables)
        one = next(iter(optimizer.values())) if isinstance(optimizer, Mapping) else optimizer
        # Of several workers, each runs the loop, and one is to write.
        self.distribute_strategy = compat.strategy_of(next(iter(effective.leaves(one))))
        self.stop_training = False


def optimizer_of(owner: str, model, given):
    """The optimizer to watch: the one given, that of the model, or those among its attributes.

    Args:
        owner: Class of the callback, for messages.
        model: A model, or a ``Loop``.
        given: An optimizer, a mapping of several by name, or None.

    Raises:
        ValueError: The model has none.
    """
    given = given if given is not None else getattr(model, "optimizer", None)
    if isinstance(given, Mapping):
        return Several(given)
    others = {} if isinstance(model, Loop) else dict(_attributes(model, given))
    if others and (given is None or not effective.unwrapped(given).built):
        # compile() without an optimizer gives a model one that it may never use.
        mine = {} if given is None or _is_default(given, others) else {"optimizer": given}
        found = {**mine, **others}
        if given is not None and not mine and getattr(model, "loss", None) is not None:
            # With a loss, compile() reads as if its optimizer took the steps.
            warnings.warn(
                f"{owner}: the optimizer that compile() gave the model, {given.name!r}, has taken "
                f"no step; watched is what was found among its attributes: {', '.join(found)}. To "
                f"watch others, name them: {owner}(…, optimizer={{'name': optimizer}}).",
                stacklevel=2,
            )
        return next(iter(found.values())) if len(found) == 1 else Several(found)
    if given is None:
        raise ValueError(
            f"{owner} needs a compiled model, but {model!r} has no optimizer. Call "
            'model.compile(optimizer=tfadaopt.Adagrad(), loss="…") first; if the model steps by '
            f"optimizers of its own, name them: {owner}(…, optimizer="
            '{"generator": model.g_optimizer, "discriminator": model.d_optimizer}).'
        )
    return given


def checked(owner: str, optimizer):
    """Return what a callback was given as ``optimizer``, or raise a ``TypeError``."""
    several = list(optimizer.values()) if isinstance(optimizer, Mapping) else [optimizer]
    if optimizer is not None and (
        not several or not all(isinstance(o, keras.optimizers.Optimizer) for o in several)
    ):
        raise TypeError(
            f"{owner}: optimizer must be an optimizer of Keras, or a dictionary of some by name, "
            f'but {optimizer!r} was received; give {{"generator": …, "discriminator": …}}.'
        )
    return optimizer


def variables_of(model, optimizer) -> list:
    """Variables that are trained: the model's, and others that its optimizers step."""
    found = {compat.key_of(v): v for v in model.trainable_variables}
    for leaf in effective.leaves(optimizer):
        if leaf.built:
            found |= {compat.key_of(v): v for v in compat.variables_of(leaf) if v.trainable}
    return list(found.values())


def is_same(a, b) -> bool:
    """Whether two are the same optimizer, or the same several."""
    several = isinstance(a, Several) and isinstance(b, Several)
    return a.by_name == b.by_name if several else a is b


def method_of(optimizer) -> str:
    """Name of the class of an optimizer, or of each of several."""
    return " + ".join(dict.fromkeys(type(x).__name__ for x in effective.leaves(optimizer)))


def _attributes(model, own) -> Iterator[tuple[str, keras.optimizers.Optimizer]]:
    """Optimizers among the attributes of a model and of those inside it, by name."""
    seen, waiting = {id(own)}, [("", model)]
    while waiting:
        prefix, owner = waiting.pop(0)
        if id(owner) in seen:
            continue
        seen.add(id(owner))
        for name, value in list(vars(owner).items()):
            if name.startswith("_") or name == "optimizer":
                continue
            for key, item in _items(name, value):
                if isinstance(item, keras.optimizers.Optimizer) and id(item) not in seen:
                    seen.add(id(item))
                    yield prefix + key, item
                elif isinstance(item, keras.Model):
                    waiting.append((f"{prefix}{key}.", item))


def _items(name: str, value) -> list[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(f"{name}.{key}", item) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [(f"{name}.{i}", item) for i, item in enumerate(value)]
    return [(name, value)]


def _is_default(optimizer, others) -> bool:
    """Whether it is what Keras takes where none is given to ``compile``."""
    return type(effective.unwrapped(optimizer)) is keras.optimizers.RMSprop and bool(others)

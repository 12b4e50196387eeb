"""A plugin of pytest: our classes in place of Keras' own, before any test is imported."""

import sys

import keras
from keras.src import api_export

from tests.peers.keras_adapters import ADAPTERS


def put_in_place(adapters=ADAPTERS) -> None:
    """Replace the classes wherever Keras keeps them: modules, tables, and the names in files."""
    fronts = {}
    for name, adapter in adapters.items():
        stock = getattr(keras.optimizers, name, None)
        if stock is None:  # a Keras that has no such class has no tests of it
            continue
        path = api_export.get_name_from_symbol(stock)
        front, kinds = adapter.in_place_of(stock)
        for cls in (front, *kinds.values()):
            cls.__module__ = stock.__module__
            api_export.REGISTERED_OBJS_TO_NAMES[cls] = path
        api_export.REGISTERED_NAMES_TO_OBJS[path] = front
        fronts[stock] = front
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != "keras":
            continue
        for key, value in list(vars(module).items()):
            if isinstance(value, type) and value in fronts:
                setattr(module, key, fronts[value])
            elif isinstance(value, set) and not value.isdisjoint(fronts):
                replaced = {fronts.get(x, x) for x in value}
                value.clear()
                value.update(replaced)
            elif isinstance(value, dict) and key.isupper():
                for k, x in list(value.items()):
                    if isinstance(x, type) and x in fronts:
                        value[k] = fronts[x]


def pytest_configure(config):
    put_in_place()

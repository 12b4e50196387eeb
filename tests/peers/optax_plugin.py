"""A plugin of pytest: our optimizers in place of Optax' own, before its tests are imported."""

import functools

from absl.testing import parameterized
from optax import contrib
from optax._src import alias

from tests.peers.optax_adapters import MORE, THEIRS, Adapter, State, averaged, factory

_MORE = [
    {"opt_name": name, "opt_kwargs": {"learning_rate": rate}, "wrapper_name": None}
    | {"wrapper_kwargs": None}
    for name, rate in MORE.items()
]


def put_in_place() -> None:
    """Replace the functions where the table of the contracts finds them by name."""
    for name, adapter in THEIRS.items():
        module = contrib if hasattr(contrib, name) else alias
        setattr(module, name, factory(adapter, getattr(module, name)))
    for name in MORE:
        setattr(alias, name, factory(Adapter(name), lambda: None))
    theirs = contrib.schedule_free_eval_params

    def eval_params(state, params):
        return (averaged if isinstance(state, State) else theirs)(state, params)

    contrib.schedule_free_eval_params = eval_params


def rows(table):
    """Those rows of a table of optimizers that are ours, and ours that it does not have."""
    if not isinstance(table, list | tuple) or not all("opt_name" in row for row in table):
        return table
    return [*(row for row in table if row["opt_name"] in THEIRS), *_MORE]


def pytest_configure(config):
    put_in_place()
    product = parameterized.product

    @functools.wraps(product)
    def of_ours(*tables, **axes):
        return product(*map(rows, tables), **axes)

    parameterized.product = of_ours

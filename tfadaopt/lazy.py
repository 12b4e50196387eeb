"""Names that load on first use, and say why where they cannot."""

import importlib
from typing import Any


def load(package: str, name: str, module: str) -> Any:
    """Import a module for a public name of a lazy package, and return what bears that name in it.

    Python takes an ``AttributeError`` in a package's ``__getattr__`` for a name that is not there:
    one that was raised while the module was imported, such as of a class that the installed Keras
    does not have, would read ``cannot import name``, without the reason.

    Args:
        package: The lazy package, such as ``tfadaopt``.
        name: The public name; that of a subpackage stands for the subpackage itself.
        module: The full name of the module that has it.

    Raises:
        ImportError: The module fails with an ``AttributeError``; any other error is passed on.
    """
    try:
        found = importlib.import_module(module)
    except AttributeError as error:
        raise ImportError(
            f"{package}.{name} cannot be loaded, because {module} failed on import with "
            f"AttributeError: {error}. The traceback above says where; if it is in another package,"
            " that package is too old or too new for tfadaopt, or broken.",
            name=module,
        ) from error
    return found if module == f"{package}.{name}" else getattr(found, name)

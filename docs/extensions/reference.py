"""The reference: a page for each public name, written before Sphinx reads the folder."""

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.inspect import stringify_signature

from extensions import claims, command_line, scripts
from extensions.names import MEMBERS, METHODS, page_of, public
from tfadaopt.catalog import PEERS, Method
from tfadaopt.optimizers.docstrings import REST

_KEYWORDS = "tfadaopt.optimizers.Optimizer"
_GROUPS = {
    "Read what an optimizer does": (
        *("tfadaopt.effective_learning_rate", "tfadaopt.accumulators"),
        *("tfadaopt.averaged_weights", "tfadaopt.UnsupportedOptimizerError"),
    ),
    "Find a method, and its rate": (
        *("tfadaopt.methods", "tfadaopt.get", "tfadaopt.Method"),
        *("tfadaopt.find_learning_rate", "tfadaopt.RateSweep"),
    ),
    "Around an optimizer or a model": (
        *("tfadaopt.WeightAverage", "tfadaopt.Lookahead", "tfadaopt.SharpnessAware"),
    ),
    "Transforms of gradients": (
        *("tfadaopt.AdaptiveClip", "tfadaopt.Centralize", "tfadaopt.GradientTransform"),
    ),
}


def pages() -> dict[str, str]:
    """Every generated page: its text by its name in the folder of the site."""
    names = public()
    found = {page_of(name): _page(name) for name in names if _method(name) is None}
    found |= {page_of(f"tfadaopt.{name}"): _method_page(m) for name, m in METHODS.items()}
    return found | {
        "reference/index": _index(names),
        "reference/methods/index": _methods(),
        "reference/command-line": command_line.page(),
        "reference/benchmarks": scripts.page(),
    }


def _method(name: str) -> Method | None:
    return METHODS.get(name.removeprefix("tfadaopt."))


def _title(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}\n\n"


def _auto(name: str, thing: Any) -> str:
    if not inspect.isclass(thing):
        return f".. autofunction:: {name}\n"
    lines = [f".. autoclass:: {name}\n"]
    for member in MEMBERS.get(name, ()):
        kind = "property" if isinstance(getattr(thing, member), property) else "method"
        lines.append(f"\n   .. auto{kind}:: {name}.{member}\n")
    return "".join(lines)


def _page(name: str) -> str:
    text = _title(name.removeprefix("tfadaopt."))
    if name == _KEYWORDS:
        text = _title("What every optimizer takes") + (
            "All methods take these keywords beside their own arguments. The class is also what a "
            "method of your own derives from.\n\n"
        )
    return text + _auto(name, public()[name])


def _method_page(method: Method) -> str:
    name = f"tfadaopt.{method.name}"
    twin = f"tests/references/{method.module.rpartition('.')[2]}.py"
    numbers = {0: "no state", 1: "one number of state per parameter"}
    state = numbers.get(method.state, f"{method.state} numbers of state per parameter")
    sized = "its own state alone" if method.elementwise else "more than its own state"
    rate = "" if method.has_rate else "; no effective learning rate of a coordinate"
    text = _title(method.name)
    text += f"*{method.year}*, {state}; each coordinate is sized by {sized}{rate}.\n\n"
    text += _auto(name, method.cls) + "\n"
    text += _title("In other libraries", "-")
    text += ".. list-table::\n   :widths: auto\n   :align: left\n\n"
    for peer, how in zip(PEERS, method.peers, strict=True):
        text += f"   * - {peer}\n     - {_code(how) or 'does not have it'}\n"
    text += "\n" + _title("In NumPy", "-")
    text += (
        "Its twin: the same method in float64, written from the source and not from the class. "
        "Tests hold every form of a step to it.\n\n"
        f".. literalinclude:: /../{twin}\n   :language: python\n"
    )
    return text


def _code(text: str) -> str:
    return re.sub("`([^`]+)`", r"``\1``", text)


def _methods() -> str:
    text = _title("Methods")
    text += (
        f"{len(METHODS)} methods. :doc:`What every optimizer takes </{page_of(_KEYWORDS)}>` is the "
        "same for all; :doc:`/manual/methods` compares them with other libraries.\n\n"
        ".. list-table::\n   :header-rows: 1\n\n   * - method\n     - year\n     - rule\n"
    )
    for name, method in METHODS.items():
        rule = method.rule.replace("\\", "\\\\").replace("*", "\\*").replace("|", "\\|")
        text += f"   * - :py:class:`~tfadaopt.{name}`\n     - {method.year}\n     - {rule}\n"
    return text + _toctree([f"/{page_of(f'tfadaopt.{name}')}" for name in METHODS], hidden=True)


def _index(names: dict[str, Any]) -> str:
    text = _title("Reference")
    text += "Every public name, from its docstring: what the code says of itself.\n"
    text += _toctree(["methods/index", "Optimizer keywords <optimizers.Optimizer>", "command-line"])
    listed = {name for group in _GROUPS.values() for name in group} | {_KEYWORDS}
    groups = dict(_GROUPS)
    for name in names:
        if name not in listed and _method(name) is None:
            package = name.split(".")[1] if name.count(".") > 1 else ""
            title = package.capitalize() or "More"
            groups[title] = (*groups.get(title, ()), name)
    for title, group in groups.items():
        text += "\n" + _title(title, "-") + ".. list-table::\n   :widths: auto\n\n"
        for name in group:
            summary = inspect.getdoc(names[name]).partition("\n")[0]
            text += f"   * - :py:obj:`~{name}`\n     - {summary}\n"
    pages = [page_of(name) for name in names if _method(name) is None and name != _KEYWORDS]
    return text + _toctree([f"/{page}" for page in pages], hidden=True)


def _toctree(pages: list[str], hidden: bool = False) -> str:
    option = "   :hidden:\n" if hidden else ""
    return f"\n.. toctree::\n{option}   :maxdepth: 1\n\n" + "".join(f"   {p}\n" for p in pages)


def write(app: Sphinx) -> None:
    """Write the pages; those that are as they were keep their time, and are not built again."""
    folder = Path(app.srcdir)
    made = {folder / f"{name}.rst": text for name, text in pages().items()}
    made |= {folder / f"{name}.md": text for name, text in scripts.reports().items()}
    for path in (*folder.glob("reference/**/*.rst"), *folder.glob("reference/**/*.md")):
        if path not in made and path != folder / f"{claims.LIST}.rst":
            path.unlink()
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def own_docstring(method: Method) -> str:
    """The docstring of a method as its file has it, without the keywords that all take."""
    tree = ast.parse(inspect.getsource(importlib.import_module(method.module)))
    (doc,) = (
        ast.get_docstring(node)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == method.name
    )
    if REST not in (doc or ""):
        raise ValueError(f"{method.name} does not say that it takes the common keywords: {REST!r}.")
    link = f"**kwargs: :doc:`What every optimizer takes </{page_of(_KEYWORDS)}>`."
    return doc.replace(REST, link)


def docstring(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list) -> None:
    """Let the page of a method say its own arguments only."""
    method = _method(name)
    if method is not None:
        lines[:] = own_docstring(method).splitlines()


def signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, text: str, returns: str
) -> tuple[str, str] | None:
    """Show what the constructor of a callback takes, and not its ``__new__``, which keeps it."""
    if what != "class" or text != "(*args, **kwargs)":
        return None
    found = inspect.signature(thing.__init__)
    found = found.replace(parameters=list(found.parameters.values())[1:])
    return stringify_signature(found, show_annotation=False), returns


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write)
    app.connect("autodoc-process-signature", signature)
    # Before its sections are read.
    app.connect("autodoc-process-docstring", docstring, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Docstrings of the methods, with the keywords that all of them take."""

import inspect
import re
import textwrap

# What the file of a method says of them.
REST = "**kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``."


def with_common_keywords(doc: str, common: str) -> str:
    """A docstring in which the keywords of the base class stand in the place of ``REST``.

    Args:
        doc: Docstring of a method.
        common: Docstring of the base class; what the method describes itself is left out.
    """
    own = {name for name, _ in _arguments(doc)}
    texts = [text for name, text in _arguments(common) if name not in own]
    (indent,) = re.findall(rf"^( *){re.escape(REST)}", doc, re.MULTILINE)
    return doc.replace(f"{indent}{REST}", textwrap.indent("\n".join(texts), indent))


def _arguments(doc: str) -> list[tuple[str, str]]:
    """Name and text of each argument that a docstring describes."""
    doc = inspect.cleandoc(doc) + "\n"
    (section,) = re.findall(r"^Args:\n((?:    .*\n)+)", doc, re.MULTILINE)
    parts = re.split(r"^(?=\S)", textwrap.dedent(section), flags=re.MULTILINE)
    return [(part.partition(":")[0], part.rstrip()) for part in parts if part]

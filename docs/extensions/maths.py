"""Formulas as MathML, which browsers draw by themselves: no script, no font, no network."""

import html
import re
from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)
_ACCENTS = set("ˆ^˜~¯ˉ‾˙¨→")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)\w+;")
_MATHML = "http://www.w3.org/1998/Math/MathML"


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(_mathml(node, node.astext(), as_block=False))
    raise nodes.SkipNode


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Formulas side by side, which wrap where there is no room for them."""
    formulas = [part for part in node.astext().split(r"\qquad") if part.strip()]
    if any(part.count("{") != part.count("}") for part in formulas):
        formulas = [node.astext()]
    drawn = "".join(f"<div>{_mathml(node, part, as_block=True)}</div>" for part in formulas)
    translator.body.append(f'<div class="formula">{drawn}</div>\n')
    raise nodes.SkipNode


def _mathml(node: nodes.Element, formula: str, as_block: bool) -> str:
    try:
        return mathml(formula, as_block)
    except (SyntaxError, ValueError) as error:  # docutils 0.21 raised the one, 0.22 the other
        logger.warning("This formula has no form in MathML: %s", error, location=node)
        return f"<code>{html.escape(formula)}</code>"


def mathml(formula: str, as_block: bool) -> str:
    """A formula with the index of a letter with an accent beside it; docutils puts it below."""
    made = latex2mathml.tex2mathml(formula, as_block=as_block)
    # HTML's names of characters are none of XML's; and no tag shall have a prefix.
    made = _ENTITY.sub(lambda match: html.unescape(match[0]), made)
    tree = ElementTree.fromstring(made.replace(f' xmlns="{_MATHML}"', ""))
    tree.set("xmlns", _MATHML)
    for over in tree.iter("munderover"):
        letter, index, accent = over
        if accent.text in _ACCENTS:
            over.tag, over[:] = "msub", [ElementTree.Element("mover", accent="true"), index]
            over[0][:] = [letter, accent]
    return ElementTree.tostring(tree, encoding="unicode", short_empty_elements=False)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

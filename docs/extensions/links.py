"""Links: of public names to their pages, and of files beside the site to the pages that show them.

A public name in code type becomes a link, in docstrings and in Markdown alike.
"""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from extensions.names import METHODS, public

# `tfadaopt.Adagrad`, `Adagrad(…)` of ours, `tfadaopt.get("adagrad")`.
_NAME = re.compile(r"([\w.]+)(?:\(.*\))?", re.DOTALL)


_PAPER = re.compile(r"arXiv (\d{4}\.\d{4,5})")
# The pages that include a file of the folder above.
_SHOWN = {
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
}
# A link to a file in Markdown above the site: its words, its path, a place in it.
_FILE = re.compile(r"\[([^\]\[]*)\]\(((?:\.\./)*[\w./-]+\.md)(#[^)]*)?\)")


def targets() -> dict[str, str]:
    """Full names by what may stand for them: themselves, or a last part that is no method's.

    A method's is not: `SGD` may be Keras' or PyTorch's.
    """
    names = public()
    short = {name.rpartition(".")[2]: name for name in names}
    alone = {
        last: name for last, name in short.items() if last not in METHODS and last[0].isupper()
    }
    ambiguous = {"Method", "Table", "Mark", "History", "Optimizer"}
    return {**{k: v for k, v in alone.items() if k not in ambiguous}, **{n: n for n in names}}


def link(app: Sphinx, doctree: nodes.document) -> None:
    """Wrap each literal that is a public name in a reference to it."""
    known = app.env.tfadaopt_names = getattr(app.env, "tfadaopt_names", None) or targets()
    for literal in list(doctree.findall(nodes.literal)):
        inside = literal.parent
        while inside is not None and not isinstance(inside, nodes.title | nodes.reference):
            if isinstance(inside, addnodes.pending_xref | addnodes.desc_signature):
                break
            inside = inside.parent
        match = _NAME.fullmatch(literal.astext())
        if inside is not None or not match or match[1] not in known:
            continue
        reference = addnodes.pending_xref(
            "",
            refdomain="py",
            reftype="obj",
            reftarget=known[match[1]],
            refexplicit=True,
            refwarn=True,
            refdoc=app.env.docname,
        )
        literal.replace_self(reference)
        reference += literal


def papers(app: Sphinx, doctree: nodes.document) -> None:
    """Let each number of a paper at arXiv lead there."""
    for text in list(doctree.findall(nodes.Text)):
        parts = _PAPER.split(text.astext())
        if len(parts) == 1 or isinstance(text.parent, nodes.reference | nodes.literal_block):
            continue
        new: list[nodes.Node] = []
        for before, number in zip(parts[::2], [*parts[1::2], ""], strict=True):
            new.append(nodes.Text(before))
            if number:
                address = f"https://arxiv.org/abs/{number}"
                new.append(nodes.reference("", f"arXiv {number}", refuri=address))
        text.parent.replace(text, new)


def page_that_shows(path: str) -> str | None:
    """The page that includes a file of the checkout, or None."""
    folder, _, name = path.rpartition("/")
    if not folder:
        return _SHOWN.get(name)
    if folder != "benchmarks":
        return None
    own = Path(__file__).parents[1] / "benchmarks" / name
    return f"benchmarks/{name}" if own.exists() else f"reference/reports/{name}"


def shown(app: Sphinx, *where_and_text: Any) -> None:
    """Let links in a page, or in what it includes, lead to the pages that show their files.

    A file that no page shows is given as it is, to be saved.
    """
    *where, text = where_and_text

    def led(match: re.Match[str]) -> str:
        words, path, place = match[1], match[2], match[3] or ""
        page = page_that_shows(path.lstrip("./"))
        if page:
            return f"[{words}](/{page}{place})"
        is_page = len(where) == 1  # else what a page includes, whose links are the includer's
        target = (Path(app.srcdir) / where[0]).parent / path if is_page else None
        if target and target.exists() and Path(app.srcdir) not in target.resolve().parents:
            return f"{{download}}`{words} <{path}>`"
        return match[0]

    text[0] = _FILE.sub(led, text[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", shown)
    app.connect("include-read", shown)
    app.connect("doctree-read", link)
    app.connect("doctree-read", papers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

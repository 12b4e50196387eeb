"""Whether the built site is closed: each link leads to a file, nothing is loaded from elsewhere."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)
_LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "srcset"}


class _Page(HTMLParser):
    """The names and the addresses in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.names |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        address = found.get(_LOADED.get(tag, ""), "")
        if address:
            self.loaded.append(address)


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with the links of the pages in a folder, a sentence each."""
    pages = {}
    for path in sorted(folder.rglob("*.html")):
        pages[path] = _Page()
        pages[path].feed(path.read_text(encoding="utf-8"))
    for path, page in pages.items():
        name = path.relative_to(folder).as_posix()
        yield from (
            f"{name} loads {address} from elsewhere: it would not open without a network"
            for address in page.loaded
            if urlsplit(address).scheme not in ("", "data") or address.startswith("//")
        )
        for address in (*page.links, *page.loaded):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                yield f"{name} links to {address}, which is no file"
            elif (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].names
            ):
                yield f"{name} links to {address}, but there is no such place in that page"


def check(app: Sphinx, error: Exception | None) -> None:
    """Warn of each fault; with --fail-on-warning that ends the build."""
    if not error and app.builder.name == "html":
        for fault in faults(Path(app.outdir).resolve()):
            logger.warning("%s", fault)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", check, priority=900)  # when all files are there
    return {"parallel_read_safe": True, "parallel_write_safe": True}

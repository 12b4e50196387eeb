"""The lecture on trial: the report of recorded results, beside the pages, and a list of verdicts.

    python docs/extensions/claims.py FOLDER

records what ``tfadaopt run claims`` left in FOLDER; from that the site then writes its report.
"""

import io
import shutil
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from sphinx.application import Sphinx

from tfadaopt.experiments.runs import records
from tfadaopt.experiments.runs.files import sealed, write_whole
from tfadaopt.experiments.trial import run
from tfadaopt.experiments.trial.claim import Result
from tfadaopt.experiments.trial.report import verdict

RECORDED = Path(__file__).parents[1] / "claims.tar.xz"
LIST = "reference/claims"
# Where the report lies in the built site.
PLACE = "claims-report"
_LINES = str.maketrans({"\\": "\\\\", "*": "\\*", "|": "\\|", "_": "\\_", "`": "\\`"})


def record(folder: Path) -> None:
    """Keep the results of a run, without the names of folders of the machine it ran on."""
    told = records.run_in(folder / "run.json") | {"command": "tfadaopt run claims"}
    files = {"run.json": sealed(told).encode()}
    for path in sorted((folder / "cells").glob("*.json")):
        files[f"cells/{path.name}"] = path.read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz", preset=9) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    RECORDED.write_bytes(packed.getvalue())


def unpack(folder: Path) -> None:
    """Put the recorded results into an empty folder."""
    with tarfile.open(RECORDED) as archive:
        for entry in archive:
            path, content = folder / entry.name, archive.extractfile(entry)
            if content is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())


def page(results: Sequence[Result]) -> str:
    """The list of all verdicts, with a link to the page of each claim."""
    text = "All claims\n==========\n\n"
    text += (
        f"`The report <../{PLACE}/report.html>`__ has these with a figure each, "
        f"`the map <../{PLACE}/map.html>`__ tries each sentence with every method.\n"
    )
    topic = None
    for result in results:
        if result.topic != topic:
            topic = result.topic
            text += f"\n{topic}\n{'-' * len(topic)}\n\n"
        found = verdict(result)
        words = [f"*“{_plain(result.sentence)}”* "] if result.sentence else []
        words += [f"{_plain(result.reading)} **{found}**"]
        words += [f": {_plain(result.finding.condition)}"] if result.finding else []
        link = f"`{result.title} <../{PLACE}/claims/{result.name}.html>`__"
        text += f"{link}\n   {''.join(words)}\n\n"
    return text


def _plain(text: str) -> str:
    return " ".join(text.translate(_LINES).split())


def read(app: Sphinx) -> None:
    """Write the report and the list, where what is recorded is new."""
    folder = Path(app.outdir).parent / PLACE
    if not (folder / "report.html").exists() or _older(folder / "report.html"):
        shutil.rmtree(folder, ignore_errors=True)
        unpack(folder)
        run.write_report(folder, animate=True)
    text = page(run.read_results(folder))
    path = Path(app.srcdir) / f"{LIST}.rst"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text)


def _older(report: Path) -> bool:
    code = Path(run.__file__).parents[1]
    made = [RECORDED, *code.rglob("*.py"), *code.rglob("*.j2"), *code.rglob("*.js")]
    return report.stat().st_mtime < max(path.stat().st_mtime for path in made)


def copy(app: Sphinx, error: Exception | None) -> None:
    """Put the report beside the pages."""
    if error or app.builder.format != "html":
        return
    made, place = Path(app.outdir).parent / PLACE, Path(app.outdir) / PLACE
    shutil.rmtree(place, ignore_errors=True)
    others = shutil.ignore_patterns("*.lock", "*.log")
    shutil.copytree(made, place, ignore=others)
    back = '<body>\n<p style="margin: 1rem"><a href="../claims.html">← documentation</a></p>'
    for path in (place / "report.html", place / "map.html"):
        path.write_text(path.read_text("utf-8").replace("<body>", back, 1), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", read, priority=600)  # after the folder of the reference is made
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    record(Path(sys.argv[1]))

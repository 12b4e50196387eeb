"""The gallery of docs/claims.md: figures of claims, drawn from what was measured.

    python benchmarks/gallery.py [--results runs/claims]

Writes SVG files into ``benchmarks/figures`` and prints the table of that page.
Without a result folder of ``tfadaopt run claims``, it puts the claims on trial itself: a minute.
"""

import argparse
from pathlib import Path

from tfadaopt.experiments import configs
from tfadaopt.experiments.reports import draw, look
from tfadaopt.experiments.reports.picture import describe
from tfadaopt.experiments.trial import registry
from tfadaopt.experiments.trial import run as trial
from tfadaopt.experiments.trial.claim import Finding

PICTURES = Path(__file__).parent / "figures"
# Each with the place of its figure: what can be understood without the page around it.
SHOWN = {
    "claim-zigzag": 0,
    "claim-ravine": 1,
    "claim-hand-tuning": 1,
    "claim-steep-and-flat": 0,
    "claim-rotation": 0,
    "claim-no-tuning": 0,
}
MOST_BYTES = 100_000
COLUMNS = 2


def findings(results: Path | None) -> dict[str, Finding]:
    """Return what was found, from a result folder or by trying the claims now."""
    if results is None:
        settings = configs.claims()
        return {name: registry.find(name).load().run(settings) for name in SHOWN}
    found = {r.name: r.finding for r in trial.read_results(results) if r.finding}
    if absent := [name for name in SHOWN if name not in found]:
        raise SystemExit(
            f"{results} has no findings of {', '.join(absent)}. Finish the run: tfadaopt run "
            f"claims --out {results}"
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, help="Result folder of 'tfadaopt run claims'.")
    found = findings(parser.parse_args().results)
    PICTURES.mkdir(exist_ok=True)
    cells = []
    for name, place in SHOWN.items():
        finding, entry = found[name], registry.find(name)
        data = finding.figures[place]
        size = len(look.save(draw.draw(data), PICTURES / name).encode())
        if size > MOST_BYTES:
            raise SystemExit(f"{name}: {size} bytes are more than {MOST_BYTES}: draw fewer points.")
        alt = describe(data).replace("|", "∣").replace("[", "(").replace("]", ")")
        sentence = f"*“{entry.sentence}”* " if entry.sentence else ""
        sentence += f"{entry.reading} **{finding.verdict}**: {finding.condition}"
        cells.append(f"![{alt}](../benchmarks/figures/{name}.svg)<br>{sentence}")
    cells += [""] * (-len(cells) % COLUMNS)
    print("|" + " |" * COLUMNS + "\n|" + "---|" * COLUMNS)
    for start in range(0, len(cells), COLUMNS):
        print("| " + " | ".join(cells[start : start + COLUMNS]) + " |")


if __name__ == "__main__":
    main()

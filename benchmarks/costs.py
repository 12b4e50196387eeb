"""The tables of ``docs/manual/costs.md``, from what the benchmarks wrote: ``benchmarks/costs.py``.

Each stands between two comments that name it, and is written anew there.
"""

import re

from tables import HERE, as_markdown, rows_of

PAGE = HERE.parent / "docs" / "manual" / "costs.md"
Rows = list[dict[str, str]]
# Column, and what the name of a form is there; "" is the method alone.
FORMS = {
    "default": "{method}, compiled",
    "without the check for NaN": "{method}, compiled, no NaN check",
    "Keras": "keras",
    "Keras, all under XLA": "keras, XLA",
    "Optax under JAX": "optax {method} under JAX",
}


def steps(name: str) -> Rows:
    """Milliseconds of each method in each form; Keras' form follows those of its partner."""
    table: dict[str, dict[str, str]] = {}
    method = ""
    for row in rows_of(name):
        form = row["form"]
        if not form.startswith(("keras", "optax")):
            method = form.split(",")[0]
        if form.startswith("keras"):
            form = "keras, XLA" if "XLA" in form else "keras"
        table.setdefault(method, {})[form] = row["ms"]
    return [
        {"ms": method}
        | {head: found.get(form.format(method=method), "–") for head, form in FORMS.items()}
        for method, found in table.items()
    ]


def turned(rows: Rows, lines: str, columns: str, value: str) -> Rows:
    """A table with a row for each of ``lines``, and in it a column for each of ``columns``."""
    table: dict[str, dict[str, str]] = {}
    for row in rows:
        table.setdefault(row[lines], {})[row[columns]] = row[value]
    return [{lines: line, **found} for line, found in table.items()]


def fits(mode: str) -> Rows:
    """Ratios in ``fit``, of each method on each network."""
    rows = [row for row in rows_of("fit.md") if row["mode"] == mode]
    return turned(rows, "method", "network", "ratio")


def monitored() -> Rows:
    """Ratios in ``fit`` with the monitor, of each model and preset, by interval."""
    table: dict[str, dict[str, str]] = {}
    for row in rows_of("monitor-fit.md"):
        name = f"{row['model']}, `{row['preset']}`"
        line = table.setdefault(name, {"in fit": name, "steps of, ms": row["ms, step"]})
        line[f"every {row['every']}"] = f"{row['ratio']} ({row['middle half']})"
    return list(table.values())


def tables() -> dict[str, Rows]:
    """The tables by name."""
    return {
        "resnet50": steps("step-resnet50.md"),
        "vit-tiny": steps("step-vit-tiny.md"),
        "embedding": steps("step-embedding-100000.md"),
        **{f"fit, {mode}": fits(mode) for mode in ("plain", "xla", "mixed")},
        "snapshot": rows_of("monitor-snapshot.md"),
        "monitor": monitored(),
        "stalls": rows_of("monitor-stalls.md"),
        "operations": turned(rows_of("graphs.md"), "network", "method", "ratio"),
    }


def filled(page: str) -> str:
    """A page with the tables between their comments."""
    for name, rows in tables().items():
        begin, end = f"<!-- {name}: benchmarks/costs.py -->\n", f"<!-- end of {name} -->\n"
        pattern = re.escape(begin) + ".*?" + re.escape(end)
        new = f"{begin}\n{as_markdown(rows)}\n{end}"
        page, count = re.subn(pattern, lambda _, new=new: new, page, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"{PAGE.name}: table {name!r} stands {count} times; give it once.")
    return page


def in_fit() -> str:
    """The least and the most that a step in ``fit`` takes without XLA, for the README."""
    ratios = [row["ratio"] for row in rows_of("fit.md") if row["mode"] == "plain"]
    return f"{min(ratios)} to {max(ratios)} times, by network and method"


def with_monitor(model: str, preset: str, every: int) -> str:
    """What ``fit`` takes with the monitor, for the README."""
    wanted = (model, preset, str(every))
    (row,) = (
        x for x in rows_of("monitor-fit.md") if (x["model"], x["preset"], x["every"]) == wanted
    )
    return f"{row['ratio']} ({row['middle half']}) times the time of `fit` without it"


def for_readme() -> list[str]:
    """What stands in the README."""
    monitors = (("resnet20", "light", 10), ("digits", "standard", 10))
    return [in_fit(), *(with_monitor(*one) for one in monitors)]


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print("README:", *for_readme(), sep="\n")

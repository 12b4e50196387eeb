"""All cells of a result folder as one table, for pandas, W&B, MLflow or whatever reads one."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs import files
from tfadaopt.experiments.runs.files import DamagedError, said
from tfadaopt.experiments.runs.store import CELLS

_AT_ONCE = 10_000


def results(folder: Path, curves: bool = False) -> pd.DataFrame:
    """Return all whole cells of a result folder, whatever experiment it is of.

    Args:
        folder: Result folder.
        curves: Whether each record of a list in a result, such as that of an epoch, gets a row;
            else each cell has one row, without lists.

    Returns:
        Columns ``cell.*`` (what determines the result), ``result.*``, ``version.*``, ``file`` and
        ``sha256``; parts of parts have dots in their names.

    Raises:
        ConfigError: The folder holds no results.
    """
    place = folder / CELLS
    if not place.is_dir():
        raise ConfigError(f"{folder} holds no results: there is no folder {CELLS!r} in it.")
    frames, rows = [], []
    for row in _rows(place, curves):
        rows.append(row)
        if len(rows) == _AT_ONCE:
            # Columns take a tenth of the memory of rows.
            frames.append(pd.DataFrame(rows))
            rows = []
    frames.append(pd.DataFrame(rows))
    return pd.concat(frames, ignore_index=True)


def export(folder: Path, to: Path, curves: bool = False) -> int:
    """Write all cells of a result folder as a table, and return the number of its rows.

    Args:
        folder: Result folder.
        to: File that ends with ``.csv`` or ``.parquet``.
        curves: As of ``results``.

    Raises:
        ConfigError: The name ends otherwise, or what writes it is not installed.
    """
    kind = to.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise ConfigError(f"--to {to}: the name of the file ends with .csv or .parquet.")
    if kind == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise ConfigError(
                "Parquet needs pyarrow, which is not installed. Install it with: pip install "
                "'tfadaopt[parquet]', or write --to NAME.csv."
            ) from None
    table = results(folder, curves)
    with files.writing(to) as file:
        if kind == ".csv":
            table.to_csv(file, index=False)
        else:
            for name in table.select_dtypes("object").columns:
                # Texts and numbers in one column, as of a seed that is none: as text.
                if table[name].map(type).nunique() > 1:
                    table[name] = [v if v is None or v != v else str(v) for v in table[name]]
            table.to_parquet(file, index=False)
    return len(table)


def _rows(place: Path, curves: bool) -> Iterator[dict[str, Any]]:
    with os.scandir(place) as entries:
        names = sorted(entry.name for entry in entries if entry.name.endswith(".json"))
    for name in names:
        try:
            data = files.read_bytes(place / name)
            record = files.unsealed(data)
            about = {f"cell.{k}": v for k, v in _flat(record["cell"])}
            about |= {f"version.{k}": v for k, v in _flat(record["versions"])}
        except (DamagedError, KeyError) as error:
            said.warning("%s %s; it is left out.", place / name, error)
            continue
        about |= {"file": name, "sha256": json.loads(data).get("sha256")}
        result = record["result"]
        scalars = {f"result.{k}": v for k, v in _flat(result)}
        if not curves:
            yield about | scalars
            continue
        for part, values in result.items():
            for each in values if isinstance(values, list) else ():
                if isinstance(each, Mapping):
                    yield about | {"part": part} | {f"result.{k}": v for k, v in _flat(each)}


def _flat(record: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif not isinstance(value, list):
            yield f"{before}{name}", value

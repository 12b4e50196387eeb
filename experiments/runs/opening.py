"""Whether a result folder can be gone on with: what it holds, and what is asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfadaopt.experiments.configs import ConfigError


def grown(there: Mapping[str, Any], wanted: Mapping[str, Any], growing: Sequence[str]) -> dict:
    """Return the settings of which more is asked for than a folder holds.

    Example:
        >>> grown({"seeds": 3, "epochs": 1}, {"seeds": 5, "epochs": 2}, ["seeds"])
        {'seeds': 5}
    """
    counts = {name: there.get(name) for name in growing if isinstance(there.get(name), int)}
    return {name: wanted[name] for name, count in counts.items() if count < wanted[name]}


def check(
    folder: Path,
    run: Mapping[str, Any],
    experiment: str,
    wanted: Mapping[str, Any],
    more: Mapping[str, Any],
) -> None:
    """Check that a folder holds results of the same experiment with the same settings.

    Args:
        folder: Result folder.
        run: What it says of itself.
        experiment: What is asked for.
        wanted: Its settings.
        more: Those of them that may differ.

    Raises:
        ConfigError: It holds others; the message says which.
    """
    there = run["settings"]
    differing = [
        f"{name}: {there.get(name)!r} there, {value!r} asked for"
        if name != "file_sha256"
        else "the file of the problem, or a module that it imports, has changed since"
        for name, value in wanted.items()
        if {**there, **more}.get(name) != value
    ]
    if run["experiment"] != experiment or differing:
        raise ConfigError(
            f"{folder} holds results of {run['experiment']!r} with other settings "
            f"({'; '.join(differing) or 'another experiment'}). Nothing was changed. Choose "
            "another folder with --out, or repeat the run with the settings there."
        )

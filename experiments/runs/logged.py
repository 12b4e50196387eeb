"""What the callbacks logged in a run, as it is kept in a cell."""

from pathlib import Path

from tfadaopt.callbacks.history import read


def logged_series(log_dir: Path) -> list[dict[str, object]]:
    """Read back what the callbacks wrote: one record per tag, with steps and values."""
    found = read(log_dir).get(".")
    return [
        {"tag": tag, "steps": steps.tolist(), "values": values.tolist()}
        for tag, (steps, values) in (found.scalars.items() if found else ())
    ]

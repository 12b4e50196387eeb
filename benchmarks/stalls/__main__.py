"""The command line: ``python -m benchmarks.stalls record FOLDER`` and ``judge FOLDER``."""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def main() -> None:
    """Record or judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["record", "judge"])
    parser.add_argument("folder", type=Path, help="where the recordings are")
    parser.add_argument("--half", choices=["tune", "late", "judge"], default="tune")
    parser.add_argument("--seeds", type=int, help="runs of each scenario")
    parser.add_argument("--only", default="", help="part of the names of the scenarios")
    parser.add_argument("--write", type=Path, help="file for the table, in Markdown")
    options = parser.parse_args()
    if options.what == "judge":
        from benchmarks.stalls.judge import judge_all

        judge_all(options.folder, options.half, options.only, options.write)
        return
    from benchmarks.stalls.broken import broken
    from benchmarks.stalls.fresh import fresh
    from benchmarks.stalls.healthy import healthy
    from benchmarks.stalls.record import record_all

    chosen = [s for s in (*healthy(), *broken(), *fresh()) if options.only in s.name]
    record_all(chosen, options.folder, options.half, options.seeds)


if __name__ == "__main__":
    main()

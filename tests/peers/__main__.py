"""``python -m tests.peers keras FOLDER``: a peer's own tests with our classes in place."""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.peers.runner import PEERS, check


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.peers", description=__doc__)
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("sources", type=Path, help="folder with the peer's sources")
    parser.add_argument("--out", type=Path, help="folder for outcomes and logs; default: a new one")
    parser.add_argument("--test", action="append", default=[], help="only this file or test")
    parser.add_argument("--pytest", action="append", default=[], help="an argument for pytest")
    given = parser.parse_args(arguments)
    if not given.sources.is_dir():
        parser.error(
            f"there is no folder {given.sources}: give the one with {given.peer}'s sources"
        )
    folder = given.out or Path(tempfile.mkdtemp(prefix=f"peers-{given.peer}-"))
    sources, folder = given.sources.resolve(), folder.resolve()
    ours, wrong = check(PEERS[given.peer], sources, folder, given.test, given.pytest)
    counts = Counter(outcome for outcome, _ in ours.values())
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    print(f"Outcomes and logs are in {folder}.")
    for line in wrong:
        print(line)
    print(f"{len(wrong)} differences from stock are not as expected.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Record what a run with ``--set other_seeds=5`` found under other seeds, for the pages to show.

python -m tfadaopt.experiments.trial.record FOLDER
"""

import sys
from pathlib import Path

from tfadaopt.experiments.trial.fragility import write_record
from tfadaopt.experiments.trial.run import read_results


def main() -> None:
    """Record the results of the folder that is the argument."""
    write_record(read_results(Path(sys.argv[1])))


if __name__ == "__main__":
    main()

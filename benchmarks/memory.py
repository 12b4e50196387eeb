"""What a callback holds in memory beside the model: a variable of 400 MB, one process per preset.

    python benchmarks/memory.py [--megabytes 400]

Prints the peak of resident memory of a training with each preset, and what it is beyond that of the
same training without a callback. The update itself (SGD) keeps no state.
"""

import argparse
import resource
import subprocess
import sys
import tempfile

CASES = ("none", "light", "standard", "full", "stalls")


def train(case: str, megabytes: int) -> float:
    """Peak of resident memory of this process after some steps, in MB."""
    import keras
    import numpy as np
    import tensorflow as tf

    import tfadaopt
    from tfadaopt.callbacks import OptimizerMonitor, StallWarning

    rows = megabytes * 2**20 // 4 // 256
    table = keras.Variable(np.zeros((rows, 256), "float32"), name="table")
    optimizer = tfadaopt.SGD(0.1)
    optimizer.build([table])

    @tf.function
    def step():
        optimizer.apply([tf.fill([rows, 256], 0.5)], [table])

    with tempfile.TemporaryDirectory() as logs:
        if case == "none":
            for _ in range(6):
                step()
        else:
            stalls = case == "stalls"
            callback = StallWarning(logs, 2) if stalls else OptimizerMonitor(logs, 2, preset=case)
            with callback.watch(optimizer, [table]) as watch:
                for _ in range(6):
                    step()
                    watch.step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=400, help="size of the variable")
    parser.add_argument("--case", choices=CASES, help="one of them, in this process")
    options = parser.parse_args()
    if options.case:
        print(f"{train(options.case, options.megabytes):.0f}")
        return
    peaks = {}
    for case in CASES:
        words = [sys.executable, __file__, "--case", case, "--megabytes", str(options.megabytes)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        peaks[case] = int(done.stdout.split()[-1])
        print(f"{case:10} peak {peaks[case]:6} MB, beyond none {peaks[case] - peaks['none']:6} MB")


if __name__ == "__main__":
    main()

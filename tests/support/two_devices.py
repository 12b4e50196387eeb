"""All that needs two devices, in one process: they can be split only before TensorFlow starts.

A test file that needs them has a function ``on_two_devices(strategy)``, which returns what JSON can
hold, and its tests take it from the fixture ``two_devices``.
"""

import importlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def results_of(modules: list[str]) -> dict:
    """What the function of each of these modules of ``tests`` returns, by name of the module."""
    command = [sys.executable, "-m", "tests.support.two_devices", *modules]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def main(modules: list[str]) -> dict:
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from tfadaopt.experiments.training.strategies import strategy_of

    strategy = strategy_of("mirrored")  # one for all: what they sum has numbers of its own
    return {
        name: importlib.import_module(f"tests.{name}").on_two_devices(strategy) for name in modules
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))

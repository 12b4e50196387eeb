"""What must work wherever a release is installed: run with ``python -I``, outside of the tree."""

import importlib.metadata
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path


def main(version: str) -> None:
    """Import, train, save, load, read the log, find the tab and the command.

    Args:
        version: Version that must be the one that is installed.
    """
    import keras
    import numpy as np
    import tensorboard.default

    import tfadaopt
    from tfadaopt.callbacks import OptimizerMonitor
    from tfadaopt.callbacks.history import read

    packages = Path(sysconfig.get_path("purelib")).resolve()
    assert Path(tfadaopt.__file__).resolve().is_relative_to(packages), tfadaopt.__file__
    assert tfadaopt.__version__ == importlib.metadata.version("tfadaopt") == version

    with tempfile.TemporaryDirectory() as folder:
        logs, file = Path(folder, "logs"), Path(folder, "model.keras")
        model = keras.Sequential([keras.Input([3]), keras.layers.Dense(1)])
        model.compile(optimizer=tfadaopt.Adagrad(0.1), loss="mse")
        x, y = np.random.default_rng(0).normal(size=[64, 3]), np.ones([64])
        monitor = OptimizerMonitor(str(logs), every=2)
        first = model.fit(x, y, 8, epochs=2, verbose=0, callbacks=[monitor]).history["loss"]
        assert first[-1] < first[0], first
        model.save(file)
        loaded = keras.models.load_model(file)
        assert int(loaded.optimizer.iterations) == 16
        again = loaded.fit(x, y, 8, verbose=0).history["loss"]
        assert again[-1] < first[-1], (first, again)
        (history,) = read(logs).values()
        assert history.steps.tolist() == [2, 4, 6, 8, 10, 12, 14, 16], history.steps
        assert history.problems == ()

    names = [getattr(plugin, "__module__", "") for plugin in tensorboard.default.get_plugins()]
    assert "tfadaopt.callbacks.plugin" in names, names
    command = Path(sysconfig.get_path("scripts")) / "tfadaopt"
    listed = subprocess.run([command, "list"], check=True, capture_output=True, text=True).stdout
    assert "Adagrad" in listed, listed
    print(f"tfadaopt {version}, Keras {keras.__version__}, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main(sys.argv[1])

"""What the TensorBoard tab costs, and its picture for the README.

    python benchmarks/tab.py [--layers 2000] [--steps 2000] [--runs 1] [--starts 5]
    python benchmarks/tab.py --screenshot

Without ``--screenshot``: how much later TensorBoard answers for the plugin, started with and
without it in turn; and in headless Chromium, the time from opening the tab to its first picture,
and from a move of the pointer to the box with the value. With it: a short training of a deep
network with several methods, and a picture of the tab in ``benchmarks/figures``.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser import browsing, open_in_tensorboard, open_tab  # noqa: E402
from tests.tab_data import RATE, RunWriter, layer_names, rates  # noqa: E402
from tests.tensorboard_server import serving  # noqa: E402

FIGURES = ROOT / "benchmarks" / "figures"
METHODS = {
    "adagrad": {"learning_rate": 0.02},
    "adam": {"learning_rate": 0.002},
    "rmsprop": {"learning_rate": 0.001},
}
LAST_STEP = 274  # 5 epochs of 55 steps, each second one logged
MAIN = "from tensorboard import main\nmain.run_main()\n"
WITHOUT = f"from tensorboard import default\ndefault.get_dynamic_plugins = lambda: []\n{MAIN}"
IMPORT = """
import time
import tensorboard.main, tensorboard.default
from tensorboard.plugins import base_plugin
import tensorboard.backend.application
began = time.perf_counter()
import tfadaopt.callbacks.plugin.backend
print(time.perf_counter() - began)
"""
HOVER = """async () => {
  const canvas = document.querySelector("canvas.front");
  const box = canvas.getBoundingClientRect();
  const times = [];
  for (let k = 0; k < 300; k++) {
    const place = {
      clientX: box.left + ((k * 37) % box.width),
      clientY: box.top + ((k * 17) % box.height),
      bubbles: true,
    };
    const began = performance.now();
    canvas.dispatchEvent(new PointerEvent("pointermove", place));
    document.body.getBoundingClientRect(); // the layout is part of it
    times.push(performance.now() - began);
    await new Promise(requestAnimationFrame);
  }
  return times.sort((a, b) => a - b);
}"""


def start_up(folder: Path, code: str) -> float:
    """Return the seconds from starting TensorBoard to its first answer."""
    began = time.perf_counter()
    with serving(folder, program=("-c", code)) as server:
        server.get("data/environment")
        return time.perf_counter() - began


def start_ups(pairs: int) -> None:
    """Print what the plugin adds to the start of TensorBoard."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        runs.mkdir()
        start_up(runs, MAIN)  # what is read first from the disk is not counted
        times = []
        for number in range(pairs):
            order = (MAIN, WITHOUT) if number % 2 else (WITHOUT, MAIN)
            took = {code: start_up(runs, code) for code in order}
            times.append((took[MAIN], took[WITHOUT]))
    more = sorted(a - b for a, b in times)
    imports = [
        float(
            subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True).stdout
        )
        for _ in range(5)
    ]
    print(
        f"TensorBoard's start without the plugin, median of {pairs}: "
        f"{statistics.median(b for _, b in times):.2f} s"
    )
    print(
        f"with the plugin, median difference: {statistics.median(more):+.3f} s "
        f"({more[0]:+.3f} to {more[-1]:+.3f})"
    )
    print(f"import of the plugin alone, median of 5: {1e3 * statistics.median(imports):.0f} ms")


def latencies(layers: int, steps: int, runs: int, opens: int = 5) -> None:
    """Print the time to the first picture, and that of the box beside the pointer."""
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "runs"
        names = layer_names(layers)
        for run in range(runs):
            writer = RunWriter(logs / f"run-{run}")
            for step, row in enumerate(rates(layers, steps, run)):
                writer.write(step, {(RATE, "p50"): row}, names)
            writer.close()
        with serving(logs) as server, browsing() as browser:
            for run in range(runs):
                server.wait_for(f"run-{run}", steps - 1)
            pictures, hovers = [], []
            for _ in range(opens):
                page = browser.new_page(viewport={"width": 1400, "height": 900})
                tab = open_tab(page, server.url)
                mark = "performance.getEntriesByName('tfadaopt-drawn')[0].startTime"
                pictures.append(tab.evaluate(mark) / 1e3)
                hovers += tab.evaluate(HOVER)
                page.close()
    hovers.sort()
    print(f"{runs} run(s) of {layers} layers × {steps} steps")
    print(
        f"first picture, from the navigation on: {pictures[0]:.2f} s at the first opening, "
        f"then {min(pictures[1:]):.2f} to {max(pictures[1:]):.2f} s"
    )
    print(
        f"hover, {len(hovers)} moves: median {statistics.median(hovers):.2f} ms, "
        f"95 % below {hovers[int(0.95 * len(hovers))]:.2f} ms, worst {hovers[-1]:.1f} ms"
    )


def train(logs: Path) -> None:
    """Train a deep network without shortcuts with several methods, watched."""
    import keras

    import tfadaopt
    from tfadaopt.callbacks import OptimizerMonitor, StallWarning
    from tfadaopt.experiments.problems.data import digits

    data = digits(3500, 750, 0)["train"]
    for name, arguments in METHODS.items():
        keras.utils.set_random_seed(1)
        network = [keras.Input([28, 28, 1])]
        for block in range(1, 6):
            for number in range(1, 4):
                strides = 2 if number == 1 and block < 5 else 1
                path = f"block{block}_conv{number}"
                convolution = keras.layers.Conv2D(
                    12, 3, strides, "same", activation="tanh", name=path
                )
                network.append(convolution)
        network += [keras.layers.Flatten(), keras.layers.Dense(10, name="logits")]
        model = keras.Sequential(network)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(tfadaopt.get(name, **arguments), loss)
        folder = str(logs / name)
        callbacks = [OptimizerMonitor(folder, every=2), StallWarning(folder, every=2)]
        model.fit(data.images, data.labels, 64, epochs=5, verbose=0, callbacks=callbacks)


def screenshot(logs: Path) -> None:
    """Picture the tab, with the box of one value, in 256 colours, so that the file is small."""
    from PIL import Image

    path = FIGURES / "tab_light.png"
    with serving(logs) as server, browsing() as browser:
        for method in METHODS:
            server.wait_for(method, LAST_STEP)
        page = browser.new_page(viewport={"width": 1280, "height": 640})
        tab = open_in_tensorboard(page, server.url)
        box = tab.locator("canvas.front").nth(1).bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.35)
        page.wait_for_timeout(300)
        page.screenshot(path=path)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(path.relative_to(ROOT), path.stat().st_size // 1000, "kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=2000, help="layers of the large picture")
    parser.add_argument("--steps", type=int, default=2000, help="its steps")
    parser.add_argument("--runs", type=int, default=1, help="its runs")
    parser.add_argument("--starts", type=int, default=5, help="pairs of starts; 0: none")
    parser.add_argument("--screenshot", action="store_true", help="make pictures instead")
    parser.add_argument("--logs", type=Path, help="folder to keep the trainings of the pictures in")
    options = parser.parse_args()
    if not options.screenshot:
        latencies(options.layers, options.steps, options.runs)
        if options.starts:
            start_ups(options.starts)
        return
    with contextlib.ExitStack() as stack:
        logs = options.logs or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "runs"
        if not (logs / "rmsprop").exists():
            train(logs)
        screenshot(logs)


if __name__ == "__main__":
    main()

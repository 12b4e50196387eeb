"""Training steps on a GPU that has JAX and no TensorFlow: the program travels as StableHLO text.

    python benchmarks/gpu.py export FOLDER [--networks resnet20,resnet50,transformer]
    python benchmarks/gpu.py run FOLDER [--steps 50] [--write FILE]

``export`` needs TensorFlow and no GPU. Of each network and method it writes the whole step, from
forward pass to update, of ours and of Keras', with what it starts from and its first losses.
``run`` needs JAX alone: it compiles each, compares the losses, times the steps in turn, and counts
the kernels of the optimized module. The numbers of a GPU differ from a CPU's in rounding.
"""

import argparse
import json
import re
import statistics
import time
from pathlib import Path

import numpy as np

METHODS = "SGD,Adagrad,Adam"
STEPS = 5  # whose losses are compared


def export(folder: Path, networks: str, methods: str) -> None:
    """Write a folder for each step: its program, its arguments, and its first losses."""
    import keras
    from graphs import pair, step_of

    from tfadaopt import compat

    compat.has_gpu = lambda: True  # the step that would be traced there
    for network in networks.split(","):
        for method in methods.split(","):
            for owner, make in zip(("tfadaopt", "keras"), pair(method), strict=True):
                optimizer = make()
                step, x, y, variables = step_of(network, optimizer)
                values = {id(v.value.handle): v for v in (*variables, *optimizer.variables)}
                concrete = step.get_concrete_function(x, y)
                arrays = [x.numpy(), y.numpy()]
                for held in concrete.captured_inputs:
                    own = values.get(id(held))
                    arrays.append(held.numpy() if own is None else own.numpy())
                text = step.experimental_get_compiler_ir(x, y)(stage="stablehlo")
                where = folder / f"{network}-{method}-{owner}"
                where.mkdir(parents=True, exist_ok=True)
                # Where an operation came from is most of the text.
                text = re.sub(r" loc\((?:[^()]|\([^()]*\))*\)", "", text)
                text = re.sub(r"(?m)^#loc.*\n", "", text)
                (where / "step.mlir").write_text(text, encoding="utf-8")
                np.savez_compressed(where / "arguments.npz", *arrays)
                losses = [float(step(x, y)) for _ in range(STEPS)]
                (where / "losses.json").write_text(json.dumps(losses), encoding="utf-8")
                print(f"{where.name}: {len(arrays)} arguments, losses {losses}", flush=True)
            keras.backend.clear_session()


class Step:
    """A program that was exported, compiled for the device that JAX has."""

    def __init__(self, folder: Path) -> None:
        import jax
        from jax.extend import backend
        from jaxlib import xla_client

        jax.config.update("jax_enable_x64", True)  # steps are counted in int64
        self.name = folder.name
        text = (folder / "step.mlir").read_text(encoding="utf-8")
        self.losses = json.loads((folder / "losses.json").read_text(encoding="utf-8"))
        device = jax.devices()[0]
        began = time.perf_counter()
        self._program = backend.get_backend().compile_and_load(
            text, xla_client.DeviceList((device,)), xla_client.CompileOptions()
        )
        self.compile_seconds = time.perf_counter() - began
        with np.load(folder / "arguments.npz") as arrays:
            self._arguments = [jax.device_put(arrays[name], device) for name in arrays.files]
        # Which result is the new value of which argument.
        pairs = re.findall(
            r"parameter_number = (\d+)[^}]*\}, output_index = array<i64: (\d+)>|"
            r"parameter_number = (\d+)[^}]*\}, output_index = array<i64>",
            text,
        )
        self._places = {int(out or 0): int(a or b) for a, out, b in pairs}

    def __call__(self) -> float:
        """Take a step; return its loss."""
        results = [x[0] for x in self._run()]
        for out, place in self._places.items():
            self._arguments[place] = results[out]
        return float(results[0])

    def _run(self):
        done = self._program.execute_sharded(self._arguments)
        return done.disassemble_into_single_device_arrays()

    def kernels(self) -> int:
        """Fusions, convolutions, products and calls of the optimized module's entry."""
        (module,) = self._program.hlo_modules()
        entry = re.split(r"\n(?=ENTRY)", module.to_string())[-1]
        return len(re.findall(r" (?:fusion|convolution|dot|custom-call|copy|reduce)\(", entry))


def run(folder: Path, steps: int) -> list[dict]:
    """Time all exported steps in turn."""
    import jax

    programs = [Step(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    rows = {}
    for program in programs:
        found = [program() for _ in range(STEPS)]
        rows[program.name] = {
            "step": program.name,
            "device": jax.devices()[0].device_kind,
            "largest difference of the loss": max(
                abs(a - b) / max(abs(b), 1e-3) for a, b in zip(found, program.losses, strict=True)
            ),
            "kernels": program.kernels(),
            "compile s": program.compile_seconds,
        }
    times: dict[str, list[float]] = {program.name: [] for program in programs}
    for _ in range(steps):
        for program in programs:
            began = time.perf_counter()
            program()
            times[program.name].append(time.perf_counter() - began)
    for name, row in rows.items():
        row["ms per step"] = 1e3 * statistics.median(times[name])
        partner = times.get(name.replace("-tfadaopt", "-keras"))
        if partner and name.endswith("-tfadaopt"):
            ratios = [a / b for a, b in zip(times[name], partner, strict=True)]
            row["over Keras'"] = statistics.median(ratios)
    return list(rows.values())


def as_table(rows: list[dict]) -> str:
    heads = list(dict.fromkeys(key for row in rows for key in row))
    cells = [
        [f"{x:.3g}" if isinstance(x, float) else str(x) for x in (row.get(h, "") for h in heads)]
        for row in rows
    ]
    lines = [heads, ["---"] * len(heads), *cells]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("export", "run"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--networks", default="resnet20,resnet50,transformer")
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--steps", type=int, default=50, help="that are timed, of each in turn")
    parser.add_argument("--write", type=Path, help="file for the table")
    options = parser.parse_args()
    if options.what == "export":
        export(options.folder, options.networks, options.methods)
        return
    table = as_table(run(options.folder, options.steps))
    print(table)
    if options.write:
        options.write.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()

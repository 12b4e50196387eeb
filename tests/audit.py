"""Can the tests fail? Faults of the engine, each put into a copy of the project: ``make audit``.

The mutants of ``test_mutants`` break a method's own rule, in the process of the tests. What lies
between the rules and Keras (the base class, the compiled steps, the sums) is broken here in its
source, and the tests that should notice run on the broken copy. A fault survives if they pass.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = ("tfadaopt", "callbacks", "experiments", "tests", "pyproject.toml", "README.md")


@dataclass(frozen=True)
class Fault:
    """One place of the source that says something else.

    Attributes:
        name: What is wrong.
        file: File below ``tfadaopt``.
        right: Text that stands there once.
        wrong: What stands there instead.
        tests: Test file, below ``tests`` and without ``test_``, and an expression for ``-k``.
    """

    name: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, str]

    def source(self) -> str:
        """The file as it is.

        Raises:
            ValueError: The text is not there once: the fault is to be written anew.
        """
        source = (ROOT / "tfadaopt" / self.file).read_text(encoding="utf-8")
        if source.count(self.right) != 1:
            raise ValueError(
                f"{self.file} has {self.right!r} {source.count(self.right)} times, not once: edit "
                f"the fault {self.name!r} in tests/audit.py."
            )
        return source


BASE, INCOMING, RULE = (f"optimizers/{name}.py" for name in ("base", "incoming", "rule"))
RESTORING = "optimizers/restoring.py"
PLAN, STEP, COMPILED, PACKED, SUMS, AT_ONCE, FITTING, ENGINE = (
    f"optimizers/engine/{name}.py"
    for name in ("plan", "step", "compiled", "packed", "sums", "at_once", "fitting", "engine")
)
NAN = ("where_keras_fails", "not_finite_is_skipped")

FAULTS = (
    # What a step leaves out
    Fault(
        "a NaN is computed with, operation by operation",
        FITTING,
        "return tf.unstack(halves <= most(halves.dtype))",
        "return [tf.constant(True) for _ in gradients]",
        (NAN[0], f"{NAN[1]} and momentum and eager"),
    ),
    Fault(
        "a NaN is computed with, compiled",
        COMPILED,
        'finite = True if settings.nonfinite == "ignore" else fits(g)',
        "finite = True",
        ("fast", "a_nan_leaves_its_variable"),
    ),
    Fault(
        "a NaN among packed variables is computed with",
        PACKED,
        "taken = fit_each(g, matrix.owner, len(variables))",
        "taken = tf.fill([len(variables)], True)",
        ("fast", "a_nan_leaves_its_variable"),
    ),
    Fault(
        "a NaN is computed with where all step at once",
        AT_ONCE,
        "finite = [fits(g) for g in gradients]",
        "finite = [tf.constant(True) for g in gradients]",
        (NAN[0], f"{NAN[1]} and soap"),
    ),
    Fault(
        "state moves where a gradient was left out",
        AT_ONCE,
        "{name: tf.where(f, x, old[name]) for name, x in state.items()}",
        "{name: x for name, x in state.items()}",
        (NAN[0], f"{NAN[1]} and soap"),
    ),
    Fault(
        "state moves where a gradient was left out, one by one",
        STEP,
        "return {name: chosen(x, state[name]) for name, x in new.items()}, chosen(found, before)",
        "return new, chosen(found, before)",
        (NAN[0], f"{NAN[1]} and momentum and eager"),
    ),
    Fault(
        "what was left out decays",
        STEP,
        "rule.still_without_gradient and not kind.decay",
        "rule.still_without_gradient",
        ("fast", "a_nan_leaves_its_variable"),
    ),
    Fault(
        "a NaN enters the sums",
        SUMS,
        "g = kept(finite, g)",
        "g = g * 1",
        (NAN[0], f"{NAN[1]} and dog and eager"),
    ),
    Fault(
        "what is finite fits",
        FITTING,
        "return dtype.max / ROOM",
        "return dtype.max",
        ("fitting", "one_huge_gradient and adagrad"),
    ),
    Fault(
        "what was taken is counted as skipped",
        "compat.py",
        "skipped = tf.cast(~taken, counts.dtype)",
        "skipped = tf.cast(taken, counts.dtype)",
        ("fitting", "counted_in_fit"),
    ),
    Fault(
        "skipped updates are counted for another variable",
        "compat.py",
        "skipped = tf.scatter_nd([[i] for i in order], skipped, counts.shape)",
        "skipped = tf.concat([skipped, tf.zeros(counts.shape[0] - len(order), 'int64')], 0)",
        ("fitting", "another_order"),
    ),
    # Rows
    Fault(
        "repeated rows step one after the other",
        BASE,
        "tf.convert_to_tensor(g)\n            if isinstance",
        "g.values\n            if isinstance",
        ("common_keywords", "repeated_rows and adagrad"),
    ),
    Fault(
        "of repeated rows the largest counts",
        COMPILED,
        "sums = tf.math.unsorted_segment_sum(",
        "sums = tf.math.unsorted_segment_max(",
        ("fast", "rows_of_an_embedding"),
    ),
    Fault(
        "the state of rows without gradient moves",
        STEP,
        "rows = {name: tf.where(touched, new[name], state[name]) for name in lazy}",
        "rows = {name: new[name] for name in lazy}",
        ("common_keywords", "lazy_rows_without and (adamw or momentum)"),
    ),
    Fault(
        "rows without gradient move",
        STEP,
        "return {**new, **rows}, tf.where(touched, delta, tf.zeros_like(delta))",
        "return {**new, **rows}, delta",
        ("common_keywords", "lazy_rows_without and (adamw or momentum)"),
    ),
    Fault(
        "only rows step although a clip needs all",
        BASE,
        "if any(common):",
        "if False:",
        ("fast", "all_rows_matter"),
    ),
    # Precision
    Fault(
        "bfloat16 is rounded to nearest",
        STEP,
        "return round_at_random(theta, seed)",
        "return tf.cast(theta, dtype)",
        ("where_keras_fails", "small_steps_of_bfloat16"),
    ),
    Fault(
        "state in half precision",
        PLAN,
        'return "float32" if dtype in ("float16", "bfloat16") else dtype',
        "return dtype",
        ("modes", "state_of_half_precision and adagrad"),
    ),
    Fault(
        "gradients are clipped and added up in half precision",
        INCOMING,
        'tf.cast(g, "float32") if g is not None and is_half(variable) else g',
        "g",
        ("incoming", "half"),
    ),
    # Order and numbers of a step
    Fault(
        "replicas do not add up",
        BASE,
        "super().apply(incoming.sum_over_replicas(grads), trainable_variables)",
        "super().apply(list(grads), trainable_variables)",
        ("fast", "two_devices_equal_one"),
    ),
    Fault(
        "decay without η",
        RULE,
        "shrink = eta * self.decay_now(state, decay) * theta",
        "shrink = self.decay_now(state, decay) * theta",
        ("common_keywords", "shrinks_before and momentum"),
    ),
    Fault(
        "excluded variables decay",
        PLAN,
        "settings.weight_decay if plan.decays else 0.0",
        "settings.weight_decay",
        ("common_keywords", "patterns_exclude"),
    ),
    Fault(
        "compiled steps are numbered from 0",
        COMPILED,
        "moved = step(planned, kind, settings.nonfinite, theta, state, g, t, eta, finite)\n"
        "        for",
        "moved = step(planned, kind, settings.nonfinite, theta, state, g, t - 1, eta, finite)\n"
        "        for",
        ("fast", "two_roundings and adam and not betas"),
    ),
    Fault(
        "packed variables share the numbers of the first",
        PACKED,
        "tf.unstack(tf.gather(matrix[:, 0], self._first))",
        "tf.unstack(tf.gather(matrix[:, 0], 0 * self._first))",
        ("fast", "of_its_own_number"),
    ),
    Fault(
        "one number of the step is taken for another",
        "optimizers/pieces/once.py",
        "key = (function, id(graph), *(x if _is_setting(x) else id(x) for x in args))",
        "key = (function, id(graph))",
        ("updates", "follows_its_twin and adam and float32"),
    ),
    Fault(
        "a setting changed later does not count",
        PLAN,
        "full = (make, key, settings.nonfinite, *arguments)",
        "full = (make, key)",
        ("fast", "changed_setting"),
    ),
    Fault(
        "sums of the first variable alone",
        SUMS,
        "tf.add_n([part[name] for part in parts])",
        "parts[0][name]",
        ("updates", "follows_its_twin and dog and float32"),
    ),
    Fault(
        "shared numbers move after the variables",
        SUMS,
        "assign(number, new[name])",
        "assign(number, shared[name])",
        ("updates", "follows_its_twin and dog and float32"),
    ),
    # Averages and accumulation
    Fault(
        "averages begin at zero",
        "compat.py",
        "momentum = tf.where(first, 0.0, self.ema_momentum)",
        "momentum = tf.cast(self.ema_momentum, 'float32')",
        ("common_keywords", "moving_average"),
    ),
    Fault(
        "averages move while gradients accumulate",
        "compat.py",
        "tf.cast(tf.where(moved, momentum, 1.0), value.dtype)",
        "tf.cast(momentum, value.dtype)",
        ("where_keras_fails", "average_stands_still"),
    ),
    Fault(
        "averages of weights that are not constrained",
        "compat.py",
        "value = value if constraint is None else constraint(value)",
        "value = value * 1",
        ("where_keras_fails", "average_is_of_constrained"),
    ),
    Fault(
        "a gradient that is missing in one batch loses the others",
        BASE,
        "if self.gradient_accumulation_steps:",
        "if False:",
        ("where_keras_fails", "survives_a_batch"),
    ),
    # What changes the step of single variables
    Fault(
        "all variables at once have one factor",
        AT_ONCE,
        "alike.setdefault((plan.precision, plan.multiplier), []).append(i)",
        "alike.setdefault((plan.precision, 1.0), []).append(i)",
        ("per_variable_keywords", "rate_of_its_own and soap"),
    ),
    Fault(
        "a factor is not in the rate that is read",
        "readers.py",
        "return eta * factors[0]",
        "return eta",
        ("per_variable_keywords", "in_the_rate_that_is_read and adagrad"),
    ),
    Fault(
        "the rest of a masked step is no longer than it was",
        "optimizers/cautious.py",
        "caution = k / tf.maximum(tf.reduce_mean(k), _LEAST)",
        "caution = k",
        ("per_variable_keywords", "are_the_masked_steps and momentum"),
    ),
    Fault(
        "what a transform returns is dropped",
        ENGINE,
        "gradients = [self.transform(g, v) for g, v in pairs]",
        "[self.transform(g, v) for g, v in pairs]",
        ("per_variable_keywords", "clipped_against_its_weights"),
    ),
    # State in files
    Fault(
        "what waits is dropped",
        RESTORING,
        "compat.put(compat.micro_steps(self.optimizer), 0)\n        self._take(fit.values)",
        "compat.put(compat.micro_steps(self.optimizer), 0)",
        ("stored", "waiting_state_is_there"),
    ),
    Fault(
        "methods do not matter",
        "optimizers/matching.py",
        "if not set(methods) & set(stored.methods):",
        "if not set(stored.methods):",
        ("stored", "dropped_or_mixed"),
    ),
)


def run(folder: Path, tests: tuple[str, str]) -> tuple[bool, str]:
    """Whether these tests pass in a copy of the project, and what pytest said."""
    file, expression = f"tests/test_{tests[0]}.py", tests[1]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", file]
    done = subprocess.run(
        [*command, "-k", expression],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    if done.returncode not in (0, 1) or not re.search(r"\d (passed|failed)", done.stdout):
        raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.returncode == 0, done.stdout


def survives(fault: Fault) -> bool:
    """Whether the tests pass on a copy of the project that has the fault; say so."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, symlinks=True)
            else:
                shutil.copy(ROOT / part, folder / part)
        place = folder / "tfadaopt" / fault.file
        place.write_text(fault.source().replace(fault.right, fault.wrong), encoding="utf-8")
        passed, output = run(folder, fault.tests)
    print(f"{'SURVIVES' if passed else 'caught  '}  {fault.name}", flush=True)
    if passed:
        print(output[-600:])
    return passed


def main(words: list[str] | None = None) -> int:
    """Try all faults, or those whose name has a word; say which survive. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.audit", description=main.__doc__)
    parser.add_argument("words", nargs="*", help="parts of names of faults; none for all")
    chosen = parser.parse_args(words).words
    faults = [f for f in FAULTS if not chosen or any(word in f.name for word in chosen)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        survived = sum(pool.map(survives, faults))
    print(f"{len(faults) - survived} of {len(faults)} faults of the engine are caught.")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())

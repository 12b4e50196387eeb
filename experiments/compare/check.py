"""Look at a user's problem before anything is trained on it."""

import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from tfadaopt.experiments.compare import contenders, parts_of_data, problem, schedules
from tfadaopt.experiments.compare.local_modules import imported_modules
from tfadaopt.experiments.training.strategies import check_batches, strategy_of


def check(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Look at a problem before anything is trained, and say what it is.

    Raises:
        ProblemError: Something is wrong with it.
        ConfigError: A method of Keras or the objective does not exist.
    """
    found = problem.load(path)
    keras.utils.set_random_seed(0)
    model = problem.made_model(found, path)
    default_rates = {
        name: contenders.maker(name)[1]
        for name in settings["methods"]
        if name != contenders.COMPILED
    }
    _, parts = loaded(path, settings["file_sha256"])
    train, batch_size = parts["train"], settings["batch_size"]
    if parts_of_data.is_arrays(train):
        examples = len(keras.tree.flatten(train)[0])
        check_batches(strategy_of(settings.get("strategy")), examples, batch_size)
    steps = parts_of_data.steps_per_epoch(train, batch_size)
    if steps is None and settings["steps"] is None:
        raise problem.ProblemError(
            f"{path}: data(): the train data set never ends, so an epoch has no length: give the "
            "budget in steps, such as --steps 500."
        )
    try:
        first = model.evaluate(
            *parts_of_data.arguments(parts_of_data.first_batch(train, batch_size)),
            steps=1,
            verbose=0,
            return_dict=True,
        )
    except Exception as error:
        raise problem.ProblemError(
            f"{path}: the model cannot be evaluated on the first training batch: "
            f"{problem.described(error, path)}"
        ) from error
    if not model.trainable_variables:
        raise problem.ProblemError(
            f"{path}: the model has no weights to train: it is frozen (trainable = False), or has "
            "no layers with weights. Set trainable = True on those to train before compile()."
        )
    if not math.isfinite(first["loss"]):
        raise problem.ProblemError(
            f"{path}: the loss on the first training batch is {first['loss']} before any training, "
            "so no optimizer can help. Look for NaN or infinity in the inputs, targets out of "
            "range, and a logarithm or division in the loss."
        )
    if settings["objective"] not in first:
        raise problem.ProblemError(
            f"{path}: the objective {settings['objective']!r} is no metric of the model; it has "
            f"{', '.join(first)}. Name one of these with --objective, or compile the metric."
        )
    more: dict[str, Any] = {}
    if contenders.COMPILED in settings["methods"]:
        total = parts_of_data.total_steps(train, settings)
        default_rates[contenders.COMPILED] = highest = _compiled_rate(path, model, total)
        schedule = schedules.own_schedule(model.optimizer)
        more["compiled"] = {"schedule": schedule and type(schedule).__name__, "highest": highest}
        if problem.made_model(found, path).optimizer is model.optimizer:
            raise problem.ProblemError(
                f"{path}: model() compiles each model with the same optimizer object, so that a "
                "run would begin with the state of another. Make the optimizer inside model()."
            )
    return {
        "model": model.name,
        "parameters": int(sum(math.prod(v.shape) for v in model.trainable_variables)),
        "loss": _loss_name(model.loss),
        "metrics": [name for name in first if name != "loss"],
        "optimizer": type(model.optimizer).__name__,
        "steps_per_epoch": steps,
        "has_test": "test" in parts,
        # Of the first model in a process: those after it are numbered on, as conv2d_7.
        "variables": [variable.path for variable in model.trainable_variables],
        "first": first,
        "default_rates": default_rates,
        # Reading the file does not show all of them, as what importlib.import_module names.
        "modules": imported_modules(path),
        **more,
    }


@functools.lru_cache(maxsize=1)
def loaded(path: Path, sha256: str) -> tuple[problem.Problem, dict[str, Any]]:
    """Return a problem and its data, which all runners of a worker share.

    Raises:
        ProblemError: The file, or a module that it imports, is no longer as the settings say.
    """
    if problem.digest(path) != sha256:
        raise problem.ProblemError(
            f"{path}, or a module that it imports, was changed while the comparison runs. Put it "
            "back, or begin in another folder with --out."
        )
    found = problem.load(path)
    # What data() draws from the global generators is the same in each worker.
    keras.utils.set_random_seed(0)
    return found, parts_of_data.made_data(found, path)


def _compiled_rate(path: Path, model: keras.Model, steps: int) -> float:
    schedule = schedules.own_schedule(model.optimizer)
    if schedule is not None and not isinstance(schedule, schedules.Schedule):
        raise problem.ProblemError(
            f"{path}: 'compiled' cannot be tuned: its learning_rate is a function, which cannot be "
            "scaled. Give it a number or a keras.optimizers.schedules.LearningRateSchedule."
        )
    try:
        highest = schedules.highest_rate(model.optimizer, steps)
    except Exception as error:
        raise problem.ProblemError(
            f"{path}: the schedule of the compiled optimizer failed: "
            f"{problem.described(error, path)}"
        ) from error
    if not 0 < highest < math.inf:
        raise problem.ProblemError(
            f"{path}: 'compiled' cannot be tuned: its highest learning rate in {steps} steps is "
            f"{highest}. Give it a rate above 0."
        )
    return highest


def _loss_name(loss: object) -> str:
    return loss if isinstance(loss, str) else getattr(loss, "name", None) or type(loss).__name__

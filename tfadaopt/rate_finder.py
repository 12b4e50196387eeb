"""A sweep over learning rates on a user's own model: where the loss falls, where it diverges."""

import contextlib
import importlib
import os
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfadaopt.around import Around
from tfadaopt.effective import WRAPPERS
from tfadaopt.optimizers.arguments import count, number

_FEWEST = 20
# Around each step: a running mean of the steps before would name a rate five times too large.
_WINDOW = np.hanning(13)[1:-1]


@dataclass(frozen=True)
class RateSweep:
    """What a sweep over learning rates found.

    Attributes:
        rates: Rate η of each step, rising.
        losses: Loss of the batch of each step, before its update.
        smooth: The losses, smoothed by a window of eleven steps around each.
        suggestion: Rate at which the smoothed loss falls the fastest per factor of η; None: it
            never falls.
        diverged: First rate from which on the smoothed loss is above ``too_much`` times its
            lowest, or not finite; None: at none.
        too_much: What counts as diverged.

    Example:
        >>> import numpy as np, tfadaopt
        >>> losses = np.array([1.0, 0.5, 0.1])
        >>> print(tfadaopt.RateSweep(np.array([0.1, 1, 10]), losses, losses, 0.1, 10, 4.0))
        Try a learning rate of 1.0e-01: the loss falls the fastest; from 1.0e+01 on it diverges.
    """

    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    smooth: npt.NDArray[np.float64]
    suggestion: float | None
    diverged: float | None
    too_much: float

    def __str__(self) -> str:
        if self.suggestion is None:
            return (
                f"No rate between {self.rates[0]:.1e} and {self.rates[-1]:.1e} makes the loss fall "
                "in one sweep. Give more steps, a larger batch, or other bounds."
            )
        end = (
            f"it does not diverge up to {self.rates[-1]:.1e}"
            if self.diverged is None
            else f"from {self.diverged:.1e} on it diverges"
        )
        return f"Try a learning rate of {self.suggestion:.1e}: the loss falls the fastest; {end}."

    def save(self, path: str | os.PathLike[str]) -> None:
        """Draw loss over rate into a file: .png, .svg or .pdf.

        Raises:
            ImportError: Matplotlib is not installed.
        """
        matplotlib = _matplotlib()
        figure = matplotlib.figure.Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.rates, self.losses, color="0.75", label="loss of each batch")
        axes.plot(self.rates, self.smooth, color="C0", label="smoothed")
        for rate, colour, label in (
            (self.suggestion, "C2", "falls the fastest"),
            (self.diverged, "C3", "diverges"),
        ):
            if rate is not None:
                axes.axvline(rate, color=colour, linestyle="--", label=f"{label}: {rate:.1e}")
        finite = self.smooth[np.isfinite(self.smooth)]
        if finite.size:
            low, first = finite.min(), self.smooth[0]
            height = max(first - low, 0.1 * abs(first), 1e-12)
            axes.set_ylim(low - 0.2 * height, first + 0.6 * height)
        axes.set(xscale="log", xlabel="learning rate η", ylabel="loss", title=str(self))
        axes.title.set_fontsize(9)
        axes.legend()
        with matplotlib.rc_context(
            {"svg.fonttype": "none"}
        ):  # text that can be searched and read aloud
            figure.savefig(path)


def find_learning_rate(
    model: keras.Model,
    data: Any,
    *,
    batch_size: int = 32,
    lowest: float = 1e-7,
    highest: float = 10.0,
    steps: int = 100,
    too_much: float = 4.0,
) -> RateSweep:
    """Train a compiled model a little at rising rates, and leave it as it was.

    Step i has the rate ``lowest · (highest / lowest) ** (i / (steps − 1))``. What trains is a fresh
    optimizer like the model's, with all of its settings but a schedule, which these rates replace.
    The sweep ends where the loss diverges. Weights, moving statistics, seeds of dropout, metrics,
    the optimizer and its state are put back, also where the training raises. A sweep tells of the
    first steps from these weights; what is right for them may be too large for a whole training.

    Args:
        model: A compiled model, trained or not.
        data: What ``fit`` takes: ``(x, y)``, a ``tf.data.Dataset``, a ``PyDataset``. A data set
            gives batches.
        batch_size: Examples per batch, for arrays.
        lowest: First rate, > 0.
        highest: Last rate, > ``lowest``.
        steps: Batches at most, ≥ 20. The data are gone through again as often as needed.
        too_much: Factor > 1 on the lowest smoothed loss from which on it counts as diverged.

    Returns:
        Rates, losses and what to try; ``print`` says it in words, ``save`` draws it.

    Raises:
        TypeError: An argument of the wrong type.
        ValueError: The model is not compiled or reports no loss, its optimizer has several rates
            or none, or an argument is out of range.

    Example:
        >>> import keras, numpy as np, tfadaopt
        >>> keras.utils.set_random_seed(0)
        >>> model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
        >>> model.compile(tfadaopt.SGD(), loss="mse")
        >>> x = np.random.default_rng(0).normal(size=(256, 2))
        >>> sweep = tfadaopt.find_learning_rate(model, (x, x @ [[2.0], [-1.0]]))
        >>> 0.01 < sweep.suggestion < sweep.diverged
        True

    Source: Smith, Cyclical learning rates for training neural networks (2017), arXiv 1506.01186,
    section 3.3, whose test raises the rate linearly; the exponential sweep and the steepest descent
    of a smoothed loss are those of fastai's ``lr_find``.
    """
    owner = "find_learning_rate"
    hint = "give a rate, such as 1e-7"
    lowest = number(owner, "lowest", lowest, above=0.0, hint=hint)
    highest = number(owner, "highest", highest, above=lowest, hint="give a rate above lowest")
    hint = f"give the batches of a sweep, at least {_FEWEST}"
    steps = count(owner, "steps", steps, at_least=_FEWEST, hint=hint)
    too_much = number(owner, "too_much", too_much, above=1.0, hint="give a factor, such as 4")
    hint = "give the examples per batch"
    batch_size = count(owner, "batch_size", batch_size, at_least=1, hint=hint)
    rates = np.geomspace(lowest, highest, steps)
    given = model.optimizer if getattr(model, "compiled", False) else None
    if given is None:
        raise ValueError(f"{owner}: the model is not compiled; call model.compile(…) first.")
    sweep = _Sweep(rates, too_much)
    arrays = isinstance(data, tuple | list)
    x, y, *weights = (*data, None) if arrays else (data, None)
    more: dict[str, Any] = {"batch_size": batch_size} if arrays else {}
    if arrays and weights and weights[0] is not None:
        more["sample_weight"] = weights[0]
    history = vars(model).get("history")
    with model.distribute_strategy.scope():
        model.optimizer = _at_rate(given, lowest)
    model.train_function = None
    try:
        model.fit(x, y, epochs=steps, verbose=0, callbacks=[sweep], **more)
    finally:
        sweep.put_back()
        model.optimizer = given
        model.train_function = None
        model.stop_training = False
        with contextlib.suppress(AttributeError):
            del model.history
        if history is not None:
            model.history = history
    return sweep.found()


def _matplotlib() -> Any:
    try:
        matplotlib = importlib.import_module("matplotlib")
        importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise ImportError(
            "A picture needs Matplotlib, which is not installed: run pip install matplotlib."
        ) from error
    return matplotlib


class _Sweep(keras.callbacks.Callback):
    """Sets the rate before each batch, and keeps its loss."""

    def __init__(self, rates: npt.NDArray[np.float64], too_much: float) -> None:
        super().__init__()
        self.rates, self.too_much = rates, too_much
        self.losses: list[float] = []
        self._kept: list[tuple[keras.Variable, npt.NDArray[Any]]] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        # Here, as a model may be built by the first batch of ``fit``.
        variables = [*self.model.variables, *(v for m in self.model.metrics for v in m.variables)]
        self._kept = [(v, keras.ops.convert_to_numpy(v)) for v in variables]

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.model.optimizer.learning_rate = float(self.rates[len(self.losses)])

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if "loss" not in (logs or {}):
            raise ValueError(
                "find_learning_rate: the model's train_step reports no 'loss', but "
                f"{', '.join(logs or {}) or 'nothing'}. Let it return a dictionary with 'loss'."
            )
        self.losses.append(float((logs or {})["loss"]))
        self.model.reset_metrics()  # else the next loss would be a mean with this one
        done = len(self.losses) == len(self.rates)
        late = len(self.losses) >= _FEWEST
        self.model.stop_training = done or (late and self.found().diverged is not None)

    def found(self) -> RateSweep:
        """What the losses so far say."""
        return _found(self.rates, np.asarray(self.losses), self.too_much)

    def put_back(self) -> None:
        """Give the model what it had before the sweep."""
        for variable, value in self._kept:
            variable.assign(value)


def _at_rate(given: keras.optimizers.Optimizer, rate: float) -> keras.optimizers.Optimizer:
    """A fresh optimizer of the same settings, at a constant rate.

    Raises:
        ValueError: It has several rates, or none.
    """
    config = given.get_config()
    if isinstance(given, WRAPPERS):
        name = "optimizer" if isinstance(given, Around) else "inner_optimizer"
        inner = _at_rate(given.inner_optimizer, rate)
        config[name] = keras.saving.serialize_keras_object(inner)
    elif "learning_rate" in config:
        config["learning_rate"] = rate
    else:
        raise ValueError(
            f"find_learning_rate: {type(given).__name__} has no single learning rate. Compile the "
            "model with one optimizer, find its rate, and do so for each of several by itself."
        )
    return type(given).from_config(config)


def _found(
    rates: npt.NDArray[np.float64], losses: npt.NDArray[np.float64], too_much: float
) -> RateSweep:
    rates = rates[: len(losses)]
    weights = np.convolve(np.ones_like(losses), _WINDOW, "same")
    smooth = np.convolve(losses, _WINDOW, "same") / weights
    finite = np.isfinite(smooth)
    lowest = np.minimum.accumulate(np.where(finite, smooth, np.inf))
    # A loss may be below 0: what counts is how far it is above its lowest.
    gone = ~finite | (smooth - lowest > (too_much - 1) * np.abs(lowest))
    end = int(np.argmax(gone)) if gone.any() else len(losses)
    diverged = float(rates[end]) if gone.any() else None
    bottom = int(np.argmin(smooth[:end])) if end else 0
    suggestion = None
    if bottom:
        falls = np.gradient(smooth[: bottom + 1], np.log(rates[: bottom + 1]))
        suggestion = float(rates[int(np.argmin(falls))])
    return RateSweep(rates, losses, smooth, suggestion, diverged, too_much)

"""Callback: everything worth knowing about an optimizer, for any optimizer, in one line."""

import importlib
import numbers
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfadaopt.callbacks.changes import Updates, WeightNorms
from tfadaopt.callbacks.layers import Quantity
from tfadaopt.callbacks.log_format import Tables
from tfadaopt.callbacks.notebook_file import NotebookFile
from tfadaopt.callbacks.overview import hparams_summary, layout_summary
from tfadaopt.callbacks.quantities import (
    Accumulators,
    EffectiveRates,
    GradientNorms,
    MethodNumbers,
    SpectralScales,
    SyncDistances,
)
from tfadaopt.callbacks.request import Request, What
from tfadaopt.callbacks.state_callback import Logs, StateCallback
from tfadaopt.callbacks.units import DeadUnits, Probe
from tfadaopt.callbacks.when import When
from tfadaopt.callbacks.writers import Guarded, Writer, guarded
from tfadaopt.callbacks.zeros import ZeroGradients

_STANDARD = (
    EffectiveRates(required=False),
    Accumulators(),
    MethodNumbers(),
    SpectralScales(),
    SyncDistances(),
    Updates("update_ratio"),
)
PRESETS: dict[str, tuple[Quantity, ...]] = {
    "light": (
        EffectiveRates(sampled=True, required=False),
        Accumulators(numbers_only=True),
        MethodNumbers(),
        SpectralScales(),
        SyncDistances(),
        Updates("update_ratio", sampled=True),
    ),
    "standard": _STANDARD,
    "full": (*_STANDARD, Updates("update_norm"), WeightNorms(), GradientNorms()),
}

# Off by default; ``dead_units`` besides, which needs a probe.
ALSO: dict[str, Quantity] = {
    "angular_update": Updates("angular_update"),
    "zero_gradients": ZeroGradients(),
    "units_without_gradient": ZeroGradients(of_units=True),
}
DEAD_UNITS = "dead_units"


class OptimizerMonitor(StateCallback):
    r"""See inside any optimizer: effective rates, accumulators and updates of each layer.

    Point TensorBoard at ``log_dir``: the tab "Optimizer" has one picture of all layers for each
    quantity, "Scalars" the curves, "HParams" the arguments of the run, "Custom Scalars" the layers
    of each block together, "Text" nothing unless ``StallWarning`` has something to say.

    ============  ===========================================================================
    preset        what is measured, of each layer
    ============  ===========================================================================
    ``light``     effective rate (p05, p50, p95) and update ratio, both from a sample of 256
                  coordinates: quantiles to 6 % of rank, the ratio mostly to 10 %
    ``standard``  effective rate and magnitude of each accumulator (mean, min, max, p05, p50,
                  p95; ``norm`` of accumulators), update ratio: what the callbacks
                  ``EffectiveLearningRate``, ``AccumulatorMagnitude`` and ``UpdateRatio`` do
    ``full``      besides: norms of the update ‖Δθ‖, of the weights ‖θ‖, and of the gradient
                  ‖g‖ where the optimizer's state tells it, so without a second backward pass;
                  ``tfadaopt.gradients`` says where that is. Not under ``steps_per_execution``
    ============  ===========================================================================

    In all of them the scheduled rate (``learning_rate``; one per optimizer with
    ``MultiOptimizer``) and a method's own numbers: ``accumulator/distance/mean`` of Prodigy,
    ``step_size`` of DoG, ``rectification`` of RAdam, ``accumulator/trust_ratio`` of LARS,
    ``spectral_scale`` of Muon, ``sync_distance`` of Lookahead. An optimizer, or a layer, without
    an effective rate gets one warning, and its measured update ratio. What is logged is of the step
    just done; skipped steps log nothing; training is bit for bit what it is without.

    In memory, ``standard`` and ``full`` keep a copy of the weights from before a step that is due,
    as the update is their difference; ``light`` keeps its sample. What a snapshot needs besides is
    a few pieces of 16 MB, and the rates of one variable at a time.

    If ``log_dir`` already holds a later step, or a run of other layers, TensorBoard would drop what
    is there: the run goes to a new folder in it, ``run-2`` and so on, and a warning says so.

    Args:
        log_dir: Folder of the TensorBoard run, such as ``"logs/adam"``; made where needed. None
            writes no event files; it needs ``writers``.
        every: Optimizer iterations between two snapshots, ≥ 1, a schedule such as ``LogSpaced()``,
            or a function of the step that returns a bool. Default 10.
        preset: ``"light"``, ``"standard"`` or ``"full"``. Default ``"standard"``.
        include: Regular expressions, searched in the paths of the variables; others are left out.
            Default none: all.
        exclude: Regular expressions for variables to leave out. Default none.
        scalars: Most layers of a quantity with scalars of their own, ≥ 0; where there are more,
            those that stand out, and the median of all, get them. Default 32.
        file: File for notebooks, or None: ``.csv`` or ``.parquet`` (with pyarrow installed) with
            the columns step, quantity, statistic, layer, value, run; ``.npz`` with
            ``<quantity>/<statistic>`` [steps, layers], and ``/steps``, ``/runs`` and ``/layers`` of
            each. What it holds of other runs stays.
        hparams: Numbers, strings and booleans for the tab "HParams", besides the optimizer's.
        optimizer: What to watch: an optimizer, or a dictionary of several by name. Default None:
            the one that the model was compiled with, or those among its attributes, as of a GAN.
        writers: What gets the numbers besides TensorBoard: ``WandbWriter()``, ``MlflowWriter()``,
            ``TrackioWriter()``, or any ``Writer``. With one, ``log_dir`` may be left out. Default
            none.
        also: What else is measured of each layer: ``"angular_update"``, the angle between the
            weights before and after; ``"zero_gradients"`` and ``"units_without_gradient"``, shares
            of coordinates, and of units (last axis of a kernel), whose gradient was zero, where the
            state tells it; ``"dead_units"``, the share of units with the same activation in all of
            ``probe``. Default none.
        probe: Inputs for ``"dead_units"``, such as ``x_train[:64]``: each snapshot is one more
            forward pass of the model on them. Default None.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range; or (when training begins) the model is not
            compiled, or the patterns leave no layer.
        ImportError: ``file`` needs a package that is not installed.

    Example:
        >>> import keras, numpy, tempfile
        >>> from tfadaopt.callbacks import OptimizerMonitor
        >>> model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        >>> model.compile(optimizer="adam", loss="mse")
        >>> x, y = numpy.ones([32, 3]), numpy.zeros([32, 1])
        >>> with tempfile.TemporaryDirectory() as logs:
        ...     monitor = OptimizerMonitor(logs, every=2, exclude=["bias"])
        ...     history = model.fit(x, y, batch_size=8, verbose=0, callbacks=[monitor])
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        every: int | When | Callable[[int], bool] = 10,
        preset: str = "standard",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        scalars: int = 32,
        file: str | os.PathLike[str] | None = None,
        hparams: Mapping[str, float | str | bool] | None = None,
        optimizer: keras.optimizers.Optimizer
        | Mapping[str, keras.optimizers.Optimizer]
        | None = None,
        writers: Sequence[Writer] = (),
        also: Sequence[str] = (),
        probe: Any = None,
    ) -> None:
        self.writers: tuple[Guarded, ...] = guarded(writers)
        self.needs_folder = not self.writers
        super().__init__(log_dir, every, optimizer)
        if preset not in PRESETS:
            raise ValueError(
                f"OptimizerMonitor: preset={preset!r} is not allowed; give one of "
                f"{', '.join(map(repr, PRESETS))}."
            )
        if not isinstance(scalars, numbers.Integral) or isinstance(scalars, bool):
            raise TypeError(
                f"OptimizerMonitor: scalars must be a whole number, but {scalars!r} was received; "
                "give the most layers that get scalars of their own, such as 32, or 0 for none."
            )
        if scalars < 0:
            raise ValueError(
                f"OptimizerMonitor: scalars={scalars} is not allowed; give 0 for no layers, or the "
                "most layers that get scalars of their own, such as 32."
            )
        self.preset: str = preset
        self.include: tuple[str, ...] = _patterns("include", include)
        self.exclude: tuple[str, ...] = _patterns("exclude", exclude)
        self.scalars: int = int(scalars)
        self.file: NotebookFile | None = None if file is None else NotebookFile.at(file)
        self._keeping: bool = False
        self.hparams: dict[str, float | str | bool] = _hparams(hparams or {})
        self.also: tuple[str, ...] = _also(also, probe is not None)
        self.probe: Probe | None = None if probe is None else Probe(probe)

    def request(self) -> Request:
        more = [ALSO[name] for name in self.also if name in ALSO]
        if self.probe is not None:
            more.append(DeadUnits(self.probe))
        what = What((*PRESETS[self.preset], *more), self.include, self.exclude)
        return Request(
            what,
            self.every,
            scalars=self.scalars,
            listeners=() if self.file is None else (self._keep,),
            writers=self.writers,
            prefaces=(
                lambda layers: hparams_summary(self.model, self._recorder.optimizer, self.hparams),
                lambda layers: layout_summary([x.path for x in layers if what.wants(x.path)]),
            ),
        )

    def _keep(self, step: int, tables: Tables) -> None:
        run = self.run_dir or "run"
        assert self.file is not None  # or nobody calls it: see ``request``
        if not self._keeping:
            self._keeping = True
            self.file.begin(run, self._recorder.begun_at)
        self.file.add(run, step, tables)

    def on_train_begin(self, logs: Logs = None) -> None:
        self._keeping = False
        super().on_train_begin(logs)

    def plot(self, **arguments: Any) -> Any:
        """Draw what was logged: layers × steps in a Matplotlib figure, for a notebook.

        Args:
            **arguments: As ``tfadaopt.callbacks.picture.plot`` takes them.

        Returns:
            The figure.

        Raises:
            ValueError: There is no ``log_dir`` to read.
        """
        if self.log_dir is None:
            raise ValueError("OptimizerMonitor: plot reads a log_dir, but none was given.")
        picture = importlib.import_module("tfadaopt.callbacks.picture")  # Matplotlib is an extra
        return picture.plot(self.log_dir, **arguments)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self.file is not None:
            self._safely(self.file.save)
        for writer in self.writers:
            writer.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        super().on_train_end(logs)
        if self.file is not None:
            self._safely(self.file.close)
        for writer in self.writers:
            writer.close()


def _patterns(name: str, given: Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, str) or not all(isinstance(pattern, str) for pattern in given):
        raise TypeError(
            f"OptimizerMonitor: {name} takes a list of regular expressions, but {given!r} was "
            'received; give ["kernel"], for example.'
        )
    for pattern in given:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"OptimizerMonitor: {name}={pattern!r} is no regular expression ({error}). It is "
                'searched in paths such as "conv2d/kernel"; write "\\\\." for a dot.'
            ) from error
    return tuple(given)


def _also(names: Sequence[str], has_probe: bool) -> tuple[str, ...]:
    known = (*ALSO, DEAD_UNITS)
    if isinstance(names, str) or not all(name in known for name in names):
        raise ValueError(
            f"OptimizerMonitor: also={names!r} is not allowed; give a list with some of "
            f"{', '.join(map(repr, known))}."
        )
    if (DEAD_UNITS in names) != has_probe:
        raise ValueError(
            "OptimizerMonitor: also=['dead_units'] and probe= go together; give both, with some "
            "inputs of the model as the probe, such as x_train[:64]."
        )
    return tuple(dict.fromkeys(names))


def _hparams(given: Mapping[str, Any]) -> dict[str, float | str | bool]:
    for name, value in given.items():
        if isinstance(value, np.generic):
            value = value.item()
        if not isinstance(value, int | float | str | bool):
            raise TypeError(
                f"OptimizerMonitor: hparams[{name!r}] is {value!r} ({type(value).__name__}); "
                "TensorBoard shows numbers, strings and booleans."
            )
    return {name: x.item() if isinstance(x, np.generic) else x for name, x in given.items()}

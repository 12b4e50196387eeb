"""What the callbacks that log optimizer state share."""

import abc
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from tfadaopt import effective
from tfadaopt.callbacks import watched
from tfadaopt.callbacks.recorder import Recorder
from tfadaopt.callbacks.request import Request
from tfadaopt.callbacks.when import When, schedule

# What Keras tells of the losses and metrics.
Logs: TypeAlias = Mapping[str, Any] | None

# Batches after which it is said that nothing was seen, if no epoch ended before.
_EARLY = 100
# Strategies under which a callback cannot see the state between two steps.
_ELSEWHERE = (
    tf.distribute.TPUStrategy,
    tf.distribute.experimental.ParameterServerStrategy,
    tf.distribute.experimental.CentralStorageStrategy,
)


class StateCallback(keras.callbacks.Callback, abc.ABC):
    """Abstract base: a subclass says what it asks of the recorder of its folder.

    What only looks at a training never ends it: from a fault on, a callback says so once and is
    silent. What is wrong with its arguments or with the model is an error before the first step.

    A copy (``copy.deepcopy``, ``pickle``) is a fresh callback with the same arguments.

    Args:
        log_dir: Folder of the TensorBoard run. Assign to it between two ``fit`` to log elsewhere.
        every: Optimizer iterations between two snapshots; or a schedule, such as ``LogSpaced()``;
            or a function of the step that returns a bool.
        optimizer: What to watch: an optimizer, or a dictionary of several by name. Default None:
            the one that the model was compiled with, or those among its attributes.

    Raises:
        TypeError: ``log_dir`` is no path, ``every`` none of these, or ``optimizer`` no optimizer.
        ValueError: ``every`` is below 1.
    """

    # Whether log_dir must be given: what only listens can do without.
    needs_folder = True

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self._made_with = args, kwargs
        return self

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None,
        every: int | When | Callable[[int], bool] = 10,
        optimizer: keras.optimizers.Optimizer
        | Mapping[str, keras.optimizers.Optimizer]
        | None = None,
    ) -> None:
        super().__init__()
        self.log_dir = log_dir
        self.every = schedule(every)
        self.optimizer = watched.checked(type(self).__name__, optimizer)
        self._failed = False
        self._batches = 0
        self._has_said = False

    def __reduce__(self):
        args, kwargs = self._made_with
        return _made_again, (type(self), args, kwargs, {"log_dir": self.log_dir})

    @abc.abstractmethod
    def request(self) -> Request:
        """What is measured, when, and what of it goes where."""

    @property
    def log_dir(self) -> str | os.PathLike[str] | None:
        """Folder that was asked for."""
        return self._log_dir

    @log_dir.setter
    def log_dir(self, log_dir: str | os.PathLike[str] | None) -> None:
        if not isinstance(log_dir, str | os.PathLike) and (
            self.needs_folder or log_dir is not None
        ):
            raise TypeError(
                f"{type(self).__name__}: log_dir must be a path, but {log_dir!r} "
                f"({type(log_dir).__name__}) was received; give a folder such as 'logs'."
            )
        self._log_dir = log_dir
        self._recorder = Recorder.at(log_dir)

    @property
    def run_dir(self) -> str | None:
        """The folder that is written to, ``log_dir`` or a new one in it; see ``folder.free_for``.

        None without a ``log_dir``.
        """
        return self._recorder.run_dir

    def watch(self, optimizer, variables) -> "Watch":
        """Watch a training loop of one's own.

        Args:
            optimizer: The optimizer that steps, or a dictionary of several by name.
            variables: The variables that are trained.

        Returns:
            A context manager, whose ``step(loss)`` is to be called after each update.

        Example:
            >>> import keras, tempfile, tensorflow as tf, tfadaopt
            >>> from tfadaopt.callbacks import OptimizerMonitor
            >>> from tfadaopt.callbacks.history import read
            >>> w, optimizer = keras.Variable([1.0], name="w"), tfadaopt.Adagrad(0.5)
            >>> with tempfile.TemporaryDirectory() as logs:
            ...     with OptimizerMonitor(logs, every=2).watch(optimizer, [w]) as watch:
            ...         for _ in range(4):
            ...             optimizer.apply([w.value], [w])
            ...             watch.step()
            ...     read(logs)["."].steps.tolist()
            [2, 4]
        """
        return Watch(self, optimizer, variables)

    def on_train_begin(self, logs: Logs = None) -> None:
        strategy = getattr(self.model, "distribute_strategy", None)
        self._failed = isinstance(strategy, _ELSEWHERE)
        if self._failed:
            warnings.warn(
                f"{type(self).__name__} does not look under {type(strategy).__name__}: there the "
                "optimizer's state lives on other machines or inside a step. The training goes on "
                "without it; read tfadaopt.accumulators at its end.",
                stacklevel=2,
            )
            return
        try:
            self._recorder.start(self, self.model, self.request(), self.optimizer)
            self._batches, self._has_said = 0, False
        except UnicodeError as error:
            self._fail(error)
        except (ValueError, TypeError):
            raise  # It says what is wrong with an argument or the model.
        except Exception as error:
            self._fail(error)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._safely(self._recorder.begin_epoch, self)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._safely(self._recorder.begin_batch, self, batch)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._safely(self._recorder.end_batch, self, batch)
        self._batches += 1
        if self._batches == _EARLY:
            self._safely(self._say_if_nothing_moved)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._safely(self._recorder.end_epoch)
        self._safely(self._say_if_nothing_moved)

    def on_train_end(self, logs: Logs = None) -> None:
        self._safely(self._recorder.stop, self)

    def _safely(self, do: Callable, *args) -> None:
        """Do what only looks: a fault ends it, and not the training."""
        if self._failed:
            return
        try:
            do(*args)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failed = True
        self._recorder.forget(self)
        text = " ".join(str(error).split())[:400]
        warnings.warn(
            f"{type(self).__name__} stopped looking, and the training goes on. The cause: "
            f"{type(error).__name__}: {text}. What was logged before stays; if the cause is not "
            "yours, please report it.",
            stacklevel=3,
        )

    def _say_if_nothing_moved(self) -> None:
        if self._has_said:
            return
        self._has_said = True  # early, or never
        name, batches = type(self).__name__, self._batches
        if not self._recorder.has_moved():
            warnings.warn(
                f"{name}: {self._recorder.watched} took no step in {batches} batches, so nothing "
                "is logged. If the model is trained by another optimizer, name it: "
                f"{name}(…, optimizer=…), one or a dictionary of several by name."
                + self._why_scaled(),
                stacklevel=3,
            )
            return
        gathers = max(
            leaf.gradient_accumulation_steps or 1
            for leaf in effective.leaves(self._recorder.optimizer)
        )
        if gathers > batches:
            warnings.warn(
                f"{name}: no weight has changed in {batches} batches, so nothing is logged yet: "
                f"gradient_accumulation_steps={gathers} makes one update of that many batches.",
                stacklevel=3,
            )

    def _why_scaled(self) -> str:
        """What there is to say of a loss scale under which no gradient is finite."""
        scaled = getattr(self.model, "optimizer", None)
        if not isinstance(scaled, keras.optimizers.LossScaleOptimizer) or not scaled.built:
            return ""
        return (
            f" Its loss scale is {float(scaled.dynamic_scale):.3g}: it is lowered, and the step "
            "left out, where a gradient is NaN or infinite. Look for NaN in the data and the loss."
        )


class Watch:
    """A training loop of one's own, as a callback sees it; made by ``watch`` of a callback.

    Args:
        callback: The callback.
        optimizer: The optimizer that steps, or several by name.
        variables: The variables that are trained.
    """

    def __init__(self, callback: StateCallback, optimizer, variables):
        watched.checked(type(callback).__name__, optimizer)
        self._callback = callback
        self._loop = watched.Loop(optimizer, variables)
        self._steps = 0

    def __enter__(self) -> "Watch":
        self._callback.set_model(self._loop)
        self._callback.on_train_begin()
        self._callback.on_epoch_begin(0)
        self._callback.on_train_batch_begin(0)
        return self

    def step(self, loss=None) -> None:
        """Look, where that is due; call it after each update.

        Args:
            loss: Loss of the step, a number, or None: ``StallWarning`` knows more with it.
        """
        logs = None if loss is None else {"loss": float(loss)}
        self._callback.on_train_batch_end(self._steps, logs)
        self._steps += 1
        self._callback.on_train_batch_begin(self._steps)

    @property
    def stop_training(self) -> bool:
        """Whether the callback asks to end the loop, as ``StallWarning(stop_training=True)``."""
        return self._loop.stop_training

    def __exit__(self, *exception) -> None:
        self._callback.on_epoch_end(0)
        self._callback.on_train_end()


def _made_again(cls: type, args: tuple, kwargs: dict, changed: dict) -> StateCallback:
    callback = cls(*args, **kwargs)
    for name, value in changed.items():
        setattr(callback, name, value)
    return callback

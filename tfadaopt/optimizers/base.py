"""What all methods share: θ ← θ − rate ⊙ direction, with rate = η(t) · scale(state, t)."""

import abc
import numbers
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.optimizers import fast, incoming, stored, sums, together
from tfadaopt.optimizers.arguments import argument_names, keywords, patterns, plain, rate, single
from tfadaopt.optimizers.docstrings import REST, with_common_keywords
from tfadaopt.optimizers.fitting import fits

State = Mapping[str, tf.Tensor]
# Name of the number of updates that a gradient kept out, as an accumulator and in files.
SKIPPED = "skipped_updates"


class UnsupportedOptimizerError(TypeError):
    """The optimizer has no effective learning rate that tfadaopt can read."""


class Slot(NamedTuple):
    """State of a shape of its own, where that is not the variable's.

    Attributes:
        shape: Shape of the state.
        initial_value: What all of it starts from.
    """

    shape: tuple[int, ...]
    initial_value: float = 0.0


class GradientIn(NamedTuple):
    """The slot that tells the gradient: it becomes ``kept · old + g ** power`` in an update.

    Attributes:
        slot: Its name.
        power: 1, or 2.
        kept: Share of the old value, or the name of the argument that says it.
        mean: Whether g has the weight 1 − kept instead of 1.
    """

    slot: str
    power: int = 1
    kept: str | float = 0.0
    mean: bool = False


class Optimizer(compat.KerasOptimizer, abc.ABC):
    """Abstract base of the optimizers of tfadaopt.

    A method writes ``slots``, ``advance``, ``scale`` and ``direction``, and keeps each argument of
    its constructor in an attribute of that name, which ``get_config`` reads; one that is no product
    of the last two writes ``update`` instead of ``advance`` and ``direction``, and one
    that needs numbers over all variables ``shared``, ``terms`` and ``combine``. This class does the
    rest: it builds the slots, steps, reads the rate, checks arguments, sums the gradients of an
    embedding per id, and keeps state and arithmetic of half-precision variables in float32.
    Because the update uses the same ``rate`` that ``tfadaopt.effective_learning_rate`` returns,
    what is logged is what was applied.

    Under ``tf.distribute`` the gradients of all replicas are summed before they are clipped. A
    bfloat16 variable is rounded at random, up or down in proportion: steps below its resolution
    are right on average instead of lost. State in a file that is loaded before the optimizer is
    built waits until it is; state that does not fit is an error.

    Args:
        learning_rate: η ≥ 0: a number (Python or NumPy), a ``LearningRateSchedule``, or a callable
            without arguments. Under ``tf.function`` a callable is read once, when the step is
            traced: let it return a ``tf.Variable`` to change the rate later, or use a schedule.
        weight_decay: λ ≥ 0 or None. Decoupled: θ ← θ − η λ θ before each update.
        exclude_from_weight_decay: Regular expressions; variables whose path matches one do not
            decay. The same as calling the method of that name; survives saving.
        clipnorm: Largest norm of each gradient, > 0 or None. One of the three clips at most.
        global_clipnorm: Largest norm of all gradients together, > 0 or None.
        clipvalue: Largest magnitude of each coordinate of a gradient, > 0 or None.
        use_ema: Whether to keep an exponential moving average of the weights, which replaces them
            at the end of ``fit``.
        ema_momentum: Factor of that average, in [0, 1].
        ema_overwrite_frequency: Updates between two replacements of the weights by their average,
            or None: only at the end.
        loss_scale_factor: Factor > 0 by which the loss is multiplied and gradients divided.
        gradient_accumulation_steps: Batches ≥ 2 whose gradients are averaged into one update, or
            None. A schedule still counts batches, as in Keras. A gradient that is missing in one
            batch counts as zero. Not in a compiled step under a ``tf.distribute`` strategy.
        nonfinite: What a NaN or infinity in the gradient of a variable does, or a gradient so
            large that sums of its squares do not fit (a norm above 4.5e15 in float32): "skip"
            leaves that variable and its state as they are in this step, and counts it in
            ``tfadaopt.accumulators(optimizer, variable)["skipped_updates"]``; "ignore" computes
            with it, as Keras does. Default "skip".
        lazy_rows: Regular expressions; in variables whose path matches one, such as embeddings, a
            row whose gradient is zero stays as it is in that step, its state and decay included.
            Default none: such a row goes on by its momentum, as the papers' rules say.
        jit_compile: Whether XLA compiles the update: True, False (operation by operation, to debug
            a method), or "auto": in a graph that is not under XLA as a whole, from 131,072
            coordinates on. Results are the same but for rounding. Default "auto".
        name: Name of the optimizer.

    Raises:
        TypeError: An argument that is not a number where one is needed.
        ValueError: An argument out of range, two clips at once, or an unknown keyword.
    """

    # What a step of this is computed for without a look at anything else but the shared numbers:
    # a "coordinate", a "variable", or None, where XLA is not asked to compile it.
    unit: ClassVar[str | None] = None
    # Whether a coordinate stays as it is, with its state, in a step in which its gradient is zero.
    still_without_gradient: ClassVar[bool] = False
    # The same rule by a kernel of TensorFlow (see ``kernels``), where that is faster on a CPU.
    kernel: ClassVar[Callable | None] = None
    # From which state the gradient of the last update can be had; None: from none.
    gradient_in: ClassVar[GradientIn | None] = None
    # Whether all variables step at once, by ``update_all``.
    together: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if cls.__doc__ and REST in cls.__doc__:
            cls.__doc__ = with_common_keywords(cls.__doc__, Optimizer.__doc__)

    def __init__(
        self,
        learning_rate,
        *,
        weight_decay: float | None = None,
        exclude_from_weight_decay: Sequence[str] | None = None,
        nonfinite: str = "skip",
        lazy_rows: Sequence[str] | None = None,
        jit_compile: bool | str = "auto",
        **kwargs,
    ):
        owner = type(self).__name__
        learning_rate = rate(owner, learning_rate)
        if weight_decay is not None:
            hint = "give the decay λ, such as 0.004, or None for no decay"
            weight_decay = single(owner, "weight_decay", weight_decay, at_least=0.0, hint=hint)
        kwargs = keywords(owner, kwargs)
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        if nonfinite not in ("skip", "ignore"):
            raise ValueError(
                f"{owner}: nonfinite={nonfinite!r} is not allowed; give 'skip' to leave a variable "
                "as it is when its gradient has a NaN or infinity, or 'ignore' to compute with it."
            )
        if not isinstance(jit_compile, bool | np.bool_) and jit_compile != "auto":
            raise ValueError(
                f"{owner}: jit_compile={jit_compile!r} is not allowed; give True or False, or "
                "'auto' to compile the update where that pays."
            )
        self.nonfinite = nonfinite
        self.jit_compile = jit_compile
        self.functions = fast.Functions()
        self._slots: list[dict] = []
        self._shared: dict[str, keras.Variable] = {}
        self._waiting: stored.Stored | None = None
        self._lazy = patterns(owner, "lazy_rows", lazy_rows)
        self._lazy_ones: frozenset[int] = frozenset()
        self.skipped_updates: keras.Variable | None = None
        self._no_decay: tuple[str, ...] = ()
        # Of variables that were given themselves: several may have one path, which a file keeps.
        self._no_decay_keys: set = set()
        self._no_decay_paths: tuple[str, ...] = ()
        if exclude_from_weight_decay:
            self.exclude_from_weight_decay(var_names=exclude_from_weight_decay)

    # What a method writes

    @abc.abstractmethod
    def slots(self, shape: tuple[int, ...]) -> Mapping[str, float | Slot]:
        """State kept for a variable of this shape: its initial value, or a ``Slot``, by name."""

    @abc.abstractmethod
    def scale(self, state: State, t: tf.Tensor) -> tf.Tensor:
        """Size of each coordinate without η, from the state after step t; broadcasts to θ."""

    def advance(self, state: State, g: tf.Tensor, t: tf.Tensor) -> State:
        """State after gradient g arrives in step t = 1, 2, …"""
        raise NotImplementedError

    def direction(self, state: State, g: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        """Where the method goes, from the state after step t."""
        raise NotImplementedError

    def update_all(
        self,
        thetas: Sequence[tf.Tensor],
        states: Sequence[State],
        gradients: Sequence[tf.Tensor],
        t: tf.Tensor,
        eta: tf.Tensor,
    ) -> list[tuple[State, tf.Tensor]]:
        """``update`` of several variables at once, for methods whose ``together`` says so."""
        raise NotImplementedError

    def inside(
        self,
        theta: tf.Tensor,
        state: State,
        t: tf.Tensor,
        eta: tf.Tensor,
        constraint: Callable[[tf.Tensor], tf.Tensor],
    ) -> tuple[State, tf.Tensor]:
        """State that changes, and θ, after step t of a variable with a constraint.

        Keras constrains θ next. A method whose state holds weights overrides this, or what it
        makes of them would be of weights that the model never had.
        """
        return {}, theta

    def shared(self) -> Mapping[str, float]:
        """Numbers that all variables have in common, and what each starts from."""
        return {}

    def terms(
        self,
        shared: State,
        theta: tf.Tensor,
        state: State,
        g: tf.Tensor,
        t: tf.Tensor,
        eta: tf.Tensor,
    ) -> Mapping[str, tf.Tensor]:
        """What each coordinate adds to sums over all variables, when its gradient arrives."""
        raise NotImplementedError

    def combine(
        self, shared: State, sums: Mapping[str, tf.Tensor], t: tf.Tensor, eta: tf.Tensor
    ) -> State:
        """The shared numbers after these sums of the terms, before any variable moves."""
        raise NotImplementedError

    # What follows from it

    def rate(self, state: State, t: tf.Tensor, eta: tf.Tensor) -> tf.Tensor:
        """Effective learning rate η(t) · scale(state, t)."""
        return eta * self.scale(state, t)

    def delta(self, state: State, g: tf.Tensor, t: tf.Tensor, eta: tf.Tensor) -> tf.Tensor:
        """What is subtracted from θ; a method that is no product of the two overrides this."""
        return self.rate(state, t, eta) * self.direction(state, g, t)

    def update(
        self, theta: tf.Tensor, state: State, g: tf.Tensor, t: tf.Tensor, eta: tf.Tensor
    ) -> tuple[State, tf.Tensor]:
        """State after g, and what is subtracted from θ: all of a step but weight decay.

        A method whose state needs θ or η, or whose step needs the state before, overrides this.
        """
        new = self.advance(state, g, t)
        return new, self.delta({**state, **new}, g, t, eta)

    def decay_and_update(
        self,
        theta: tf.Tensor,
        state: State,
        g: tf.Tensor,
        t: tf.Tensor,
        eta: tf.Tensor,
        decay: float,
    ) -> tuple[State, tf.Tensor]:
        """All of a step, weight decay λ (0 for none) included: here θ shrinks by η λ θ first.

        A method whose paper decays otherwise overrides this.
        """
        if not decay:
            return self.update(theta, state, g, t, eta)
        shrink = eta * self.decay_now(state, decay) * theta
        state, delta = self.update(theta - shrink, state, g, t, eta)
        return state, delta + shrink

    def decay_now(self, state: State, decay: float) -> tf.Tensor | float:
        """Weight decay λ of a step, from the state before it.

        A method whose first update moves nothing overrides this: nothing shrinks in it either.
        """
        return decay

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the state for ``variables``, once; Keras calls this before the first update."""
        if self.built:
            return
        variables = list(variables)
        self._check_that_it_can_train(variables)
        # Also where a step is traced, or what waits would be assigned in each step, or never.
        with tf.init_scope():
            self._build(variables)

    def _build(self, variables: list[keras.Variable]) -> None:
        paths = [compat.path_of(v) for v in variables]
        super().exclude_from_weight_decay(
            var_list=[
                v
                for v, path in zip(variables, paths, strict=True)
                if not self._decays(path) or compat.key_of(v) in self._no_decay_keys
            ]
        )
        super().build(variables)
        self._lazy_ones = frozenset(
            i for i, path in enumerate(paths) if any(re.search(p, path) for p in self._lazy)
        )
        self._slots = [
            self._make_slots(v)
            if incoming.is_float(v) and not compat.is_overwritten_by_gradient(self, v)
            else {}
            for v in variables
        ]
        dtype = "float64" if "float64" in map(compute_dtype, variables) else "float32"
        self._shared = {
            name: compat.add_shared(self, name, initial_value, dtype)
            for name, initial_value in self.shared().items()
        }
        if self.nonfinite == "skip":
            self.skipped_updates = compat.add_counts(self, SKIPPED, len(variables))
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            fit = stored.fit(self, self._methods(), waiting)
            fit.values.pop(stored.RATE, None)  # taken when it was loaded; one given since stays
            if fit.reasons:
                compat.put(compat.micro_steps(self), 0)
            self._take(fit.values)
            if text := stored.said(self, fit, 0):
                warnings.warn(text, stacklevel=3)

    def _check_that_it_can_train(self, variables: list) -> None:
        incoming.trainable(self.name, variables)
        incoming.once(self.name, variables)
        if self.use_ema and any(compat.is_overwritten_by_gradient(self, v) for v in variables):
            raise ValueError(
                f"{self.name}: use_ema=True does not work with float8, whose scales are no weights "
                "that could be averaged. Leave use_ema out."
            )
        for variable in variables:
            known = tf.TensorShape(variable.shape)
            state = self.use_ema or self.gradient_accumulation_steps or self.slots(())
            if known.rank is None or (state and not known.is_fully_defined()):
                raise ValueError(
                    f"{self.name}: no state can be made for a variable whose shape is known in "
                    "part only. Give it a full shape, or use SGD, which has no state, without "
                    "averages or accumulation. Received: "
                    f"{compat.path_of(variable)!r} of shape {known}."
                )
        mine = compat.strategy_of(self)
        for variable in variables:
            native = variable.value if isinstance(variable, keras.Variable) else variable
            theirs = getattr(native, "distribute_strategy", None)
            if theirs is not None and theirs is not mine and hasattr(native, "values"):
                raise ValueError(
                    f"{self.name} was made outside the scope of the strategy of "
                    f"{compat.path_of(variable)!r}. Make the optimizer where the model is made, "
                    "inside `with strategy.scope():`, and compile the model with it there."
                )

    def slots_of(self, variable) -> dict[str, keras.Variable]:
        """State variables of one variable of the model, by name; those it shares come last.

        Raises:
            ValueError: The optimizer is not built yet, or was not built for this variable.
        """
        if not self.built:
            raise ValueError(
                f"{self.name} has no state yet. Train one step first, or call "
                "optimizer.build(model.trainable_variables)."
            )
        return {**self._slots[self._known_index(variable)], **self._shared}

    def skipped_of(self, variable) -> tf.Tensor | None:
        """Updates that left the variable out; None with ``nonfinite="ignore"``."""
        if self.skipped_updates is None:
            return None
        return tf.convert_to_tensor(self.skipped_updates)[self._known_index(variable)]

    def state_of(self, variable) -> State:
        """Values of ``slots_of``, in the precision of the variable's update."""
        dtype, slots = compute_dtype(variable), self.slots_of(variable)
        return {name: tf.cast(tf.convert_to_tensor(slot), dtype) for name, slot in slots.items()}

    def value_of(self, variable) -> tf.Tensor:
        """A variable of the model, in the precision of its update."""
        return tf.cast(tf.convert_to_tensor(variable), compute_dtype(variable))

    def update_shared(self, gradients, variables, learning_rate) -> list:
        """Do what comes before the steps of the single variables; Keras calls this once a step.

        Returns:
            The gradients, those of which it is known by then whether they are finite with that.
        """
        if tf.executing_eagerly() and not compat.has_gpu():  # there, a look would wait for it
            incoming.usable_rate(self.name, learning_rate)
        if not self._shared:
            return gradients
        return sums.update(self, variables, gradients, learning_rate)

    def step(
        self,
        theta: tf.Tensor,
        state: State,
        g: tf.Tensor,
        t: tf.Tensor,
        eta: tf.Tensor,
        decay: float,
        lazy: Sequence[str] | None = None,
        finite: tf.Tensor | None = None,
    ) -> tuple[State, tf.Tensor]:
        """Own state and θ after a step, with what ``nonfinite`` and ``lazy_rows`` say.

        Args:
            theta: θ, or rows of it, or several variables in one vector.
            state: All of the state before.
            g: Gradient.
            t: Number of the step, from 1.
            eta: Learning rate η.
            decay: Weight decay λ, 0 for none.
            lazy: Names of the state that has rows, if rows without gradient stay; or None.
            finite: Whether the gradient fits (see ``fitting``), if that is known already.
        """

        def moved(g):
            new, delta = self.decay_and_update(theta, state, g, t, eta, decay)
            value = theta - delta
            if lazy is not None:
                new, value = self.only_touched(lazy, theta, state, g, new, value)
            return {name: new[name] for name in new if name not in self._shared}, value

        if self.nonfinite == "ignore":
            return moved(g)
        if finite is None:
            finite = fits(g)
        # A branch spares passes through memory; on a GPU, it would wait for the host instead.
        branches = tf.executing_eagerly() or (compat.under_xla() and not compat.has_gpu())
        if branches and finite.shape.rank == 0:

            def as_it_was():
                names = self.slots(tuple(theta.shape) if theta.shape.rank is not None else ())
                return {name: state[name] for name in names}, theta

            return tf.cond(finite, lambda: moved(g), as_it_was)
        # Zeros, as some operations raise on what is not finite.
        new, value = moved(tf.where(finite, g, tf.zeros_like(g)))
        new = {name: tf.where(finite, x, state[name]) for name, x in new.items()}
        return new, tf.where(finite, value, theta)

    @staticmethod
    def only_touched(
        lazy: Sequence[str],
        theta: tf.Tensor,
        state: State,
        g: tf.Tensor,
        new: State,
        value: tf.Tensor,
    ) -> tuple[State, tf.Tensor]:
        """State and θ after a step, where rows without gradient stay as they were."""
        others = list(range(1, g.shape.rank))
        touched = tf.reduce_any(tf.not_equal(g, 0), axis=others, keepdims=True)
        rows = {name: tf.where(touched, new[name], state[name]) for name in lazy}
        return {**new, **rows}, tf.where(touched, value, theta)

    def rounded(self, theta: tf.Tensor, dtype: str, iterations: tf.Tensor, index) -> tf.Tensor:
        """θ in the dtype of its variable, the one at this index; bfloat16 is rounded at random."""
        if dtype == "bfloat16":
            seed = tf.stack([tf.cast(iterations, "int32"), tf.cast(index, "int32")])
            return round_at_random(theta, seed)
        return tf.cast(theta, dtype)

    def update_step(self, gradient, variable, learning_rate) -> tf.Tensor | bool:
        """Do one step for one variable, operation by operation: what ``fast`` does in one.

        Returns:
            Whether the gradient was taken.
        """
        dtype, kind = compute_dtype(variable), self.kind_of(variable)
        g, finite = gradient if isinstance(gradient, tuple) else (gradient, None)
        g = tf.cast(g, dtype)
        if finite is None:
            finite = True if self.nonfinite == "ignore" else fits(g)
        new, value = self.step(
            self.value_of(variable),
            self.state_of(variable),
            g,
            tf.cast(self.iterations + 1, dtype),
            tf.cast(learning_rate, dtype),
            kind.decay,
            kind.lazy,
            finite,
        )
        index = self._known_index(variable)
        for name, slot in self._slots[index].items():
            self.assign(slot, new[name])
        self.assign(variable, self.rounded(value, kind.dtype, self.iterations, index))
        return finite

    def hold_inside(self, variable, constraint, learning_rate) -> None:
        """Constrain the weights that the state of a variable holds; Keras calls this in a step."""
        if type(self).inside is Optimizer.inside:
            return
        dtype, index = compute_dtype(variable), self._known_index(variable)
        new, value = self.inside(
            self.value_of(variable),
            self.state_of(variable),
            tf.cast(self.iterations + 1, dtype),
            tf.cast(learning_rate, dtype),
            constraint,
        )
        for name, x in new.items():
            self.assign(self._slots[index][name], x)
        dtype = keras.backend.standardize_dtype(variable.dtype)
        self.assign(variable, self.rounded(value, dtype, self.iterations, index))

    def update_groups(self, variables, gradients) -> list[list[int]] | None:
        """Positions of the variables that step together, or None: one by one, uncompiled."""
        if together.is_on(self):
            return together.groups(self, variables)
        if not fast.is_on(self, variables):
            return None
        return fast.groups(self, variables, gradients)

    def update_together(self, variables, gradients, learning_rate) -> tf.Tensor | bool:
        """One step of the variables of a group; Keras calls this from ``apply``.

        Returns:
            Whether the gradient of each was taken.
        """
        step = together.update if together.is_on(self) else fast.update
        return step(self, variables, gradients, learning_rate)

    def kind_of(self, variable, whole: bool = False) -> fast.Kind:
        """What decides which compiled function a variable takes; ``whole``: with its shape."""
        index, shape = self._known_index(variable), tuple(variable.shape)
        slots = self._slots[index]
        lazy = None
        if self._is_lazy(variable):
            lazy = tuple(name for name, slot in slots.items() if tuple(slot.shape) == shape)
        known = whole or lazy is not None or self.unit != "coordinate"
        decay = self.weight_decay if self.decays(variable) else 0.0
        dtype = keras.backend.standardize_dtype(variable.dtype)
        return fast.Kind(shape if known else None, dtype, tuple(slots), decay, lazy)

    def is_whole(self, name: str, shape: tuple[int, ...]) -> bool:
        """Whether the state of that name has the shape of its variable by its nature."""
        return not isinstance(self.slots(tuple(shape))[name], Slot)

    def slot_shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the state of that name of a variable of this shape."""
        slot = self.slots(shape)[name]
        return slot.shape if isinstance(slot, Slot) else shape

    def numbers(self) -> Mapping[str, keras.Variable]:
        """The numbers that all variables share."""
        return self._shared

    @staticmethod
    def compute_dtype(dtype: str) -> str:
        """Dtype of the arithmetic for variables of a dtype."""
        return "float32" if dtype in ("float16", "bfloat16") else dtype

    def apply(self, grads, trainable_variables=None) -> None:
        """Update the variables once, from gradients summed per embedding id and over replicas.

        Keras passes repeated ids on as repeated rows, which every rule that is not linear in the
        gradient (and clipping) would treat as separate gradients, and clips on each replica alone.

        Raises:
            ValueError: A variable is unknown, no gradient is there at all, or gradients are to be
                accumulated in a compiled step under a distribution strategy.
        """
        compiled = tf.distribute.has_strategy() and not tf.executing_eagerly()
        if self.gradient_accumulation_steps and compiled:
            raise ValueError(
                f"{self.name}: gradient_accumulation_steps={self.gradient_accumulation_steps} does "
                "not work in a compiled step under a tf.distribute strategy (Keras' own optimizers "
                "fail there too). Use larger batches without accumulation, or compile the model "
                "with run_eagerly=True."
            )
        if self.use_ema and self.ema_overwrite_frequency and compiled:
            raise ValueError(
                f"{self.name}: ema_overwrite_frequency={self.ema_overwrite_frequency} does not "
                "work in a compiled step under a tf.distribute strategy. Leave it out: the average "
                "replaces the weights at the end of fit; or use run_eagerly=True."
            )
        grads = list(grads)
        if not grads:
            return
        if trainable_variables is None:
            if not self.built:
                raise ValueError(
                    f"{self.name}: apply received no variables and has none yet. Call "
                    "optimizer.build(variables) first, or apply(grads, variables)."
                )
            trainable_variables = compat.variables_of(self)
        trainable_variables = list(trainable_variables)
        incoming.paired(self.name, grads, trainable_variables)
        if self.built:
            for variable in trainable_variables:
                self._known_index(variable)
        else:
            self.build(trainable_variables)
        for i, (g, variable) in enumerate(zip(grads, trainable_variables, strict=True)):
            if isinstance(g, tf.IndexedSlices) and not fast.takes_rows(self, variable):
                grads[i] = tf.convert_to_tensor(g)
        if self.gradient_accumulation_steps and any(g is not None for g in grads):
            pairs = zip(grads, trainable_variables, strict=True)
            grads = [
                tf.zeros(v.shape, v.dtype) if g is None and incoming.is_float(v) else g
                for g, v in pairs
            ]
        grads = incoming.widened(grads, trainable_variables)
        super().apply(sum_over_replicas(grads), trainable_variables)

    def apply_gradients(self, grads_and_vars):
        """Update the variables once, from pairs of a gradient and a variable.

        Raises:
            ValueError: There is no pair; or as ``apply``.
        """
        pairs = list(grads_and_vars)
        if not pairs:
            raise ValueError(
                f"{self.name}: apply_gradients received no pair of a gradient and a variable; give "
                "zip(gradients, model.trainable_variables). A zip that was used is empty."
            )
        return super().apply_gradients(pairs)

    @property
    def learning_rate(self):
        """The rate η; assign a number ≥ 0, or a schedule. Of a schedule, that of the next step."""
        found = compat.KerasOptimizer.learning_rate.fget(self)
        if found is None or isinstance(found, numbers.Real | str):
            single(self.name, "learning_rate", found, at_least=0.0, hint=_LATER)
        return found

    @learning_rate.setter
    def learning_rate(self, value):
        if callable(value) and not isinstance(value, type):
            value = rate(self.name, value)
        else:
            given = compat.rate_of(self)
            if callable(given):
                schedule = isinstance(given, keras.optimizers.schedules.LearningRateSchedule)
                kind = "LearningRateSchedule" if schedule else "callable"
                raise TypeError(
                    f"{self.name}: This optimizer was created with a `{kind}` "
                    f"({type(given).__name__}), so that no number can be assigned to its "
                    "learning_rate, nor by a callback such as ReduceLROnPlateau. Make it with a "
                    "number, or let a callable return a tf.Variable and assign to that."
                )
            if tf.is_tensor(value) and not hasattr(value, "numpy"):
                pass  # It is known only when the graph runs.
            elif np.ndim(value) == 0:
                value = np.asarray(value).item() if not isinstance(value, str) else value
                value = single(self.name, "learning_rate", value, at_least=0.0, hint=_LATER)
        compat.KerasOptimizer.learning_rate.fset(self, value)

    def exclude_from_weight_decay(self, var_list=None, var_names=None) -> None:
        """Exclude variables from weight decay; calls add up.

        Args:
            var_list: Variables to exclude.
            var_names: Regular expressions, searched in the path of each variable:
                ``["bias", "batch_norm.*/gamma"]``.

        Raises:
            ValueError: The optimizer is already built, so that it would have no effect.
            re.error: A pattern that is no regular expression.
        """
        if self.built:
            raise ValueError(
                f"{self.name} is already built, so exclude_from_weight_decay would have no effect."
                " Call it before training, or give the patterns to the constructor."
            )
        self._no_decay_keys |= {compat.key_of(v) for v in var_list or ()}
        paths = [f"^{re.escape(compat.path_of(v))}$" for v in var_list or ()]
        named = patterns(self.name, "exclude_from_weight_decay", var_names)
        self._no_decay = (*self._no_decay, *named)
        self._no_decay_paths = (*self._no_decay_paths, *paths)

    def get_config(self) -> dict:
        """Arguments that make an equal optimizer (without its state), as plain Python values."""
        config = super().get_config()
        for name in argument_names(type(self)):
            if name not in config and hasattr(self, name):
                config[name] = getattr(self, name)
        config["nonfinite"] = self.nonfinite
        if self._lazy:
            config["lazy_rows"] = list(self._lazy)
        if self.jit_compile != "auto":
            config["jit_compile"] = self.jit_compile
        if self._no_decay or self._no_decay_paths:
            config["exclude_from_weight_decay"] = [*self._no_decay, *self._no_decay_paths]
        return plain(config)

    def save_own_variables(self, store) -> None:
        """Write the state into a file, with what each array is of."""
        if self._waiting is not None:  # loaded, and never trained since
            for key, array in self._waiting.arrays.items():
                store[key] = array
            if self._waiting.about is not None:
                store[stored.KEY] = self._waiting.about
            return
        super().save_own_variables(store)
        store[stored.KEY] = stored.description(self, self._methods())

    def load_own_variables(self, store) -> None:
        """Take the state from a file; before ``build``, what needs its variables waits until then.

        A file of an optimizer that has taken no step makes this one fresh. State that does not fit
        is not taken, and a warning says why: that of another method, of other variables, or with
        other slots.

        Raises:
            ValueError: The file is damaged.
        """
        found = stored.read(store)
        if found is None:
            self._say_that_state_stays()
            return
        self._waiting = None
        same = not found.methods or bool(set(found.methods) & set(self._methods()))
        if stored.is_fresh(found):
            self._reset()
            self._take({stored.RATE: found.of_rate()} if same else {})
        elif self.built:
            self._fit(found)
        else:
            self._waiting = found
            if same:
                self._take({stored.RATE: found.of_rate(), stored.ITERATION: found.of_count(self)})

    def set_weights(self, weights) -> None:
        """Set the values of ``variables``, in their order.

        Raises:
            ValueError: It is not built, or the number or a shape of the arrays is another.
        """
        weights = list(weights)
        if self.built and len(weights) != len(self.variables):
            raise ValueError(
                f"{self.name}: set_weights received {len(weights)} arrays, but this optimizer has "
                f"{len(self.variables)}; give the values of optimizer.variables, in their order."
            )
        super().set_weights(weights)

    def own_slots(self) -> list[dict[str, keras.Variable]]:
        """State of each variable that the optimizer was built for, by name."""
        return self._slots

    def _methods(self) -> tuple[str, ...]:
        """Names of the method and of those that it extends."""
        ours = [c for c in type(self).__mro__ if issubclass(c, Optimizer) and c is not Optimizer]
        public = [c.__name__ for c in ours if c.__module__.startswith("tfadaopt.optimizers.")]
        return tuple(public or [c.__qualname__ for c in ours])

    def _fit(self, found: stored.Stored) -> None:
        fit = stored.fit(self, self._methods(), found)
        self._take(fit.values)
        if text := stored.said(self, fit, self._step_now()):
            warnings.warn(text, stacklevel=2)

    def _take(self, values: Mapping[stored.Role, object]) -> None:
        mine = dict(zip(stored.roles(self), self.variables, strict=True))
        for role, value in values.items():
            if role in mine and value is not None:
                compat.put(mine[role], value)

    def _reset(self) -> None:
        """Back to the state before the first step; the rate stays."""
        if not self._step_now():
            return
        values = {stored.ITERATION: 0}
        for name, index in stored.roles(self):
            if index is not None or name in self._shared or name == SKIPPED:
                variable = self._slots[index].get(name) if index is not None else None
                initial = 0.0
                if variable is not None:
                    shape = tuple(compat.variables_of(self)[index].shape)
                    slot = self.slots(shape)[name]
                    initial = slot.initial_value if isinstance(slot, Slot) else slot
                elif name in self._shared:
                    initial = self.shared()[name]
                values[name, index] = initial
        self._take(values)

    def _step_now(self) -> int:
        """Calls of ``apply`` so far, on the host."""
        return int(compat.micro_steps(self).numpy())

    def _say_that_state_stays(self) -> None:
        if self.built and self._step_now():
            warnings.warn(
                f"{self.name}: the file has no optimizer state: the weights are those of the file, "
                f"and training goes on with the state that the optimizer has (step "
                f"{self._step_now()}). Compile the model with a new optimizer to start afresh.",
                stacklevel=3,
            )

    def _make_slots(self, variable) -> dict[str, keras.Variable]:
        made = {}
        for name, slot in self.slots(tuple(variable.shape)).items():
            shape, initial_value = slot if isinstance(slot, Slot) else (None, slot)
            made[name] = compat.add_slot(
                self, variable, name, initial_value, compute_dtype(variable), shape
            )
        return made

    def _known_index(self, variable) -> int:
        index = compat.index_of(self, variable)
        if index is None:
            known = ", ".join(compat.path_of(v) for v in compat.variables_of(self))
            raise ValueError(
                f"{self.name} was not built for the variable {compat.path_of(variable)!r}. It "
                f"knows: {known}. If the variable was frozen when training began, compile the "
                "model with a new optimizer after unfreezing it."
            )
        return index

    def _is_lazy(self, variable) -> bool:
        return self._known_index(variable) in self._lazy_ones

    def _decays(self, path: str) -> bool:
        return not any(re.search(pattern, path) for pattern in self._no_decay)


def compute_dtype(variable) -> str:
    """Dtype of the state and arithmetic for a variable: float32 for half precision."""
    return Optimizer.compute_dtype(keras.backend.standardize_dtype(variable.dtype))


def inverse_root(x: tf.Tensor) -> tf.Tensor:
    """1/√x, and 0 where x = 0: a coordinate that never had a gradient stays where it is."""
    return tf.math.divide_no_nan(tf.ones([], x.dtype), tf.sqrt(x))


def sum_over_replicas(grads: Sequence[tf.Tensor | None]) -> list[tf.Tensor | None]:
    """Sum of each gradient over the replicas of a ``tf.distribute`` strategy; None stays None."""
    context = tf.distribute.get_replica_context()
    present = [g for g in grads if g is not None]
    if context is None or context.num_replicas_in_sync == 1 or not present:
        return list(grads)
    sums = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, present))
    return [None if g is None else next(sums) for g in grads]


def round_at_random(x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Float32 to bfloat16, up or down in proportion to the distance; the same for equal seeds."""
    bits = tf.bitcast(x, "int32")
    noise = tf.random.stateless_uniform(tf.shape(x), seed, 0, 1 << 16, "int32")
    cut = tf.bitwise.bitwise_and(bits + noise, tf.constant(-(1 << 16), "int32"))
    return tf.cast(tf.where(tf.math.is_finite(x), tf.bitcast(cut, "float32"), x), "bfloat16")


_LATER = "give a number such as 0.01"
Rate = float | keras.optimizers.schedules.LearningRateSchedule | Callable[[], tf.Tensor]

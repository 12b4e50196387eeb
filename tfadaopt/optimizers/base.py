"""What Keras calls: an optimizer that applies a rule to the variables of a model."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Gradient, Variable
from tfadaopt.optimizers import incoming, rates
from tfadaopt.optimizers.arguments import (
    argument_names,
    boolean,
    choice,
    matching,
    patterns,
    plain,
    single,
)
from tfadaopt.optimizers.cautious import cautious as masked
from tfadaopt.optimizers.docstrings import REST, with_common_keywords
from tfadaopt.optimizers.engine.engine import Engine
from tfadaopt.optimizers.engine.plan import (
    Checked,
    Moment,
    Settings,
    in_precision,
    planned,
    precision_of,
)
from tfadaopt.optimizers.held import Held
from tfadaopt.optimizers.keywords import keywords
from tfadaopt.optimizers.multipliers import Multipliers
from tfadaopt.optimizers.restoring import Restorer
from tfadaopt.optimizers.rule import Rule, State, complete
from tfadaopt.optimizers.stored import Store
from tfadaopt.optimizers.transforms import (
    GradientTransform,
    Transforms,
    share_names,
    transforms,
)
from tfadaopt.optimizers.undecayed import Undecayed

# Name of the number of updates that a gradient kept out, as an accumulator and in files.
SKIPPED = "skipped_updates"


class Optimizer(Rule, compat.KerasOptimizer):
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
    built waits until it is; what does not fit is not taken, and a warning says why.

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
        cautious: Whether a coordinate stays where the step would go against its gradient, and the
            others take longer steps: u ← u ⊙ k / max(mean k, 10⁻³) with k = [u ⊙ g > 0] and the
            mean over the variable (Liang et al. 2024, arXiv 2411.16085, Algorithm 1). The factor
            is in the effective learning rate and in the accumulator ``caution``, one more number
            per weight. Weight decay is not masked. Not for methods that never go against the
            gradient, nor for those with one rate for the model or a mean of weights.
        learning_rate_multipliers: Factors ≥ 0 on η by regular expression, such as
            ``{"encoder/": 0.1}``: for variables whose path matches. The first pattern that matches
            counts. Weight decay shrinks by η too, and thus by the factor. Default none.
        gradient_transforms: What changes each gradient before the method sees it, in their order:
            ``tfadaopt.AdaptiveClip``, ``tfadaopt.Centralize``, or a ``GradientTransform`` of your
            own. Default none.
        jit_compile: Whether XLA compiles the update: True, False (operation by operation, to debug
            a method), or "auto": in a graph that is not under XLA as a whole, from 131,072
            coordinates on. Results are the same but for rounding. Default "auto".
        name: Name of the optimizer.

    Raises:
        TypeError: An argument that is not a number where one is needed.
        ValueError: An argument out of range, two clips at once, or an unknown keyword.

    Example:
        >>> import keras, tfadaopt
        >>> from tfadaopt.optimizers import Optimizer
        >>> class Signs(Optimizer):
        ...     def slots(self, shape):
        ...         return {}
        ...     def advance(self, state, g, t):
        ...         return {}
        ...     def scale(self, state, t):
        ...         return 1.0
        ...     def direction(self, state, g, t):
        ...         return keras.ops.sign(g)
        >>> w = keras.Variable([1.0, 1.0])
        >>> Signs(0.5, weight_decay=None).apply([keras.ops.array([3.0, -0.1])], [w])
        >>> w.numpy().tolist()
        [0.5, 1.5]
    """

    engine: Engine

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__doc__ and Optimizer.__doc__ and REST in cls.__doc__:
            cls.__doc__ = with_common_keywords(cls.__doc__, Optimizer.__doc__)

    def __init__(
        self,
        learning_rate: rates.Rate,
        *,
        weight_decay: float | None = None,
        exclude_from_weight_decay: Sequence[str] | None = None,
        nonfinite: str = "skip",
        lazy_rows: Sequence[str] | None = None,
        cautious: bool = False,
        learning_rate_multipliers: Mapping[str, float] | None = None,
        gradient_transforms: Iterable[GradientTransform] | None = None,
        jit_compile: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        owner = type(self).__name__
        if type(self).update_step is Optimizer.update_step:  # else it steps without a rule
            complete(self)
        learning_rate = rates.rate(owner, learning_rate)
        if weight_decay is not None:
            hint = "give the decay λ, such as 0.004, or None for no decay"
            weight_decay = single(owner, "weight_decay", weight_decay, at_least=0.0, hint=hint)
        kwargs = keywords(owner, kwargs)
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        hint = "'skip' leaves a variable as it is when its gradient has a NaN or infinity"
        self.nonfinite = choice(owner, "nonfinite", nonfinite, ("skip", "ignore"), hint)
        hint = "'auto' compiles the update where that pays"
        self.jit_compile = choice(owner, "jit_compile", jit_compile, (True, False, "auto"), hint)
        self.held = Held(self)
        self._restorer = Restorer(self)
        self._lazy = patterns(owner, "lazy_rows", lazy_rows)
        self._undecayed = Undecayed(self.name)
        self._multipliers = Multipliers(owner, learning_rate_multipliers)
        self.cautious = boolean(owner, "cautious", cautious)
        self._masked = masked(self, self.weight_decay) if self.cautious else None
        self.gradient_transforms = transforms(owner, gradient_transforms)
        if exclude_from_weight_decay:
            self.exclude_from_weight_decay(var_names=exclude_from_weight_decay)

    def rule(self) -> Rule:
        """What each step does: this method's own rule, or that rule with cautious steps."""
        # A method: Keras' saving walks through properties, and would come here again and again.
        return self._masked or self

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the state for ``variables``, once; Keras calls this before the first update.

        For no variables it does nothing: Keras' reader of HDF5 files of whole models gives none, of
        a model that has some, and its first update brings them.
        """
        variables = list(variables)
        if self.built or not variables:
            return
        state = bool(self.use_ema or self.gradient_accumulation_steps or self.rule().slots(()))
        incoming.can_train(self.name, variables, compat.strategy_of(self), self.use_ema, state)
        # Also where a step is traced, or what waits would be assigned in each step, or never.
        with compat.outside_functions():
            self._build(variables)

    def _build(self, variables: list[keras.Variable]) -> None:
        super().exclude_from_weight_decay(var_list=self._undecayed.among(variables))
        super().build(variables)
        self.held.make(variables, share_names(self.gradient_transforms))
        if self.nonfinite == "skip":
            self.skipped_updates = compat.add_counts(self, SKIPPED, len(variables))
        lazy = matching(self._lazy, [compat.path_of(v) for v in variables])
        decaying = [compat.may_decay(self, v) for v in variables]
        names = [name for name in argument_names(type(self)) if name != "learning_rate"]
        multipliers, held = self._multipliers.of(variables), self.held
        plan = planned(
            self.rule(), names, variables, held.own, held.shared, decaying, multipliers, lazy
        )
        transform = None
        if self.gradient_transforms:
            transform = Transforms(self.gradient_transforms, variables, held.shares)
        self.engine = Engine(plan, type(self).update_step is Optimizer.update_step, transform)
        self._restorer.take_waiting()

    # A step

    def moment(self, learning_rate: tf.Tensor) -> Moment:
        """What all variables have in common in the step that is done now."""
        return Moment(self.iterations, learning_rate, self.settings())

    def settings(self) -> Settings:
        """What may change between two steps."""
        return Settings(self.nonfinite, self.jit_compile, self.weight_decay or 0.0)

    def apply(
        self,
        grads: Iterable[Gradient | None],
        trainable_variables: Iterable[Variable] | None = None,
    ) -> None:
        """Update the variables once, from gradients summed per embedding id and over replicas.

        Keras passes repeated ids on as repeated rows, which every rule that is not linear in the
        gradient (and clipping) would treat as separate gradients, and clips on each replica alone.

        Raises:
            ValueError: A variable is unknown, no gradient is there at all, or gradients are to be
                accumulated in a compiled step under a distribution strategy.
        """
        overwritten = self.ema_overwrite_frequency if self.use_ema else None
        incoming.works_here(self.name, self.gradient_accumulation_steps, overwritten)
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
                self.held.index_of(variable)
        else:
            self.build(trainable_variables)
        grads = [
            tf.convert_to_tensor(g)
            if isinstance(g, tf.IndexedSlices) and not self._takes_rows(v, g)
            else g
            for g, v in zip(grads, trainable_variables, strict=True)
        ]
        if self.gradient_accumulation_steps:
            grads = incoming.filled(grads, trainable_variables)
        grads = incoming.widened(grads, trainable_variables)
        super().apply(incoming.sum_over_replicas(grads), trainable_variables)

    def _takes_rows(self, variable: Variable, slices: tf.IndexedSlices) -> bool:
        common = (
            self.clipnorm,
            self.global_clipnorm,
            self.clipvalue,
            self.loss_scale_factor,
            self.gradient_accumulation_steps,
            self.gradient_transforms,
        )
        if any(common):
            return False
        return self.engine.takes_rows(self.settings(), variable, slices, self.learning_rate)

    def apply_gradients(
        self, grads_and_vars: Iterable[tuple[Gradient | None, Variable]]
    ) -> tf.Tensor:
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

    def update_step(
        self, gradient: tf.Tensor | Checked, variable: Variable, learning_rate: tf.Tensor
    ) -> tf.Tensor | bool:
        """Do one step for one variable, operation by operation.

        Returns:
            Whether the gradient was taken.
        """
        return self.engine.run_one(self.moment(learning_rate), variable, gradient)

    def now(self, variable: Variable) -> tuple[tf.Tensor, State]:
        """θ and all state of a variable, in the precision of its update."""
        dtype = precision_of(variable)
        theta = tf.cast(tf.convert_to_tensor(variable), dtype)
        return theta, in_precision(self.held.of(variable), dtype)

    # The rate, decay, configuration and files

    @property
    def learning_rate(self) -> keras.Variable | tf.Tensor:
        """The rate η; assign a number ≥ 0, or a schedule. Of a schedule, that of the next step."""
        return rates.found(self.name, compat.KerasOptimizer.learning_rate.fget(self))

    @learning_rate.setter
    def learning_rate(self, value: rates.Rate | tf.Tensor) -> None:
        value = rates.later(self.name, compat.rate_of(self), value)
        compat.KerasOptimizer.learning_rate.fset(self, value)

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: str | Iterable[str] | None = None,
    ) -> None:
        """Exclude variables from weight decay; calls add up.

        Args:
            var_list: Variables to exclude.
            var_names: Regular expressions, searched in the path of each variable:
                ``["bias", "batch_norm.*/gamma"]``.

        Raises:
            ValueError: The optimizer is already built, and the variables are not excluded yet.
            re.error: A pattern that is no regular expression.
        """
        self._undecayed.add(self.built, var_list, var_names)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal optimizer (without its state), as plain Python values."""
        config = super().get_config()
        for name in argument_names(type(self)):
            if name not in config and hasattr(self, name):
                config[name] = getattr(self, name)
        config["nonfinite"] = self.nonfinite
        if self._lazy:
            config["lazy_rows"] = list(self._lazy)
        if self.cautious:
            config["cautious"] = True
        if multipliers := self._multipliers.config():
            config["learning_rate_multipliers"] = multipliers
        if self.gradient_transforms:
            serialize = keras.saving.serialize_keras_object
            config["gradient_transforms"] = [serialize(x) for x in self.gradient_transforms]
        if self.jit_compile != "auto":
            config["jit_compile"] = self.jit_compile
        if undecayed := self._undecayed.config():
            config["exclude_from_weight_decay"] = undecayed
        return plain(config)

    def save_own_variables(self, store: Store) -> None:
        """Write the state into a file, with what each array is of."""
        if self._restorer.write_waiting(store):  # loaded, and never trained since
            return
        super().save_own_variables(store)
        self._restorer.write(store)

    def load_own_variables(self, store: Store) -> None:
        """Take the state from a file; before ``build``, what needs its variables waits until then.

        A file of an optimizer that has taken no step makes this one fresh. State that does not fit
        is not taken, and a warning says why: that of another method, of other variables, or with
        other slots.

        Raises:
            ValueError: The file is damaged.
        """
        self._restorer.read(store)

    def set_weights(self, weights: Iterable[Any]) -> None:
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

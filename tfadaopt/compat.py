"""The only file that touches private names of Keras and TensorFlow.

Checked with Keras 3.8.0 on TensorFlow 2.18.0 and with Keras 3.15.1 on TensorFlow 2.21.0;
``tests/test_compat.py`` names what is missing when a later Keras drops one of them.
"""

import abc
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context, execute
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext
from tensorflow.python.ops.resource_variable_ops import ResourceVariable

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"tfadaopt needs Keras on TensorFlow, but Keras runs on {keras.backend.backend()!r}. Set "
        "KERAS_BACKEND=tensorflow in the environment before Keras is imported."
    )

# A variable of a model: of Keras, of TensorFlow, or a replica's component of a distributed one.
Variable: TypeAlias = keras.Variable | tf.Variable
# What comes for it: the rows of an embedding that were looked up, or all of it.
Gradient: TypeAlias = tf.Tensor | tf.IndexedSlices


def class_of_keras(name: str) -> type[Any]:
    """A class of ``keras.optimizers``; one that nothing is an instance of, in a Keras before it."""
    return getattr(keras.optimizers, name, None) or type(name, (), {})


# Since Keras 3.10, 3.14 and 3.15.
Muon = class_of_keras("Muon")
ScheduleFreeAdamW = class_of_keras("ScheduleFreeAdamW")
MultiOptimizer = class_of_keras("MultiOptimizer")


def index_of(optimizer: keras.optimizers.Optimizer, variable: Variable) -> int | None:
    """Position of a variable among those the optimizer was built for, or None if it is not one.

    Accepts a Keras variable, a ``tf.Variable`` and a replica's component of a distributed one.
    """
    return optimizer._trainable_variables_indices.get(optimizer._var_key(variable))


def key_of(variable: Variable) -> Any:
    """What tells a variable apart from all others, however it is named.

    As Keras finds it, also for what a replica is given of a distributed one.
    """
    return keras.optimizers.Optimizer._var_key(None, variable)  # It looks at no optimizer.


def rate_of(optimizer: keras.optimizers.Optimizer) -> Any:
    """The rate as it was given: a variable, a schedule or a callable."""
    return optimizer._learning_rate


def strategy_of(optimizer: keras.optimizers.Optimizer) -> tf.distribute.Strategy:
    """The ``tf.distribute`` strategy in whose scope an optimizer was made."""
    return optimizer._distribution_strategy


# Priority of the creator by which a ``tf.function`` learns of variables that it makes.
_OF_A_FUNCTION = 50


@contextmanager
def outside_functions() -> Iterator[None]:
    """Make variables now, as outside of whatever is being traced.

    A function that learns that variables were made in its first trace is traced a second time.
    """
    with tf.init_scope():
        graph = tf.compat.v1.get_default_graph()
        creators = graph._variable_creator_stack
        graph._variable_creator_stack = [x for x in creators if x[0] != _OF_A_FUNCTION]
        try:
            yield
        finally:
            graph._variable_creator_stack = creators


def under_xla() -> bool:
    """Whether what is traced now will be compiled by XLA."""
    graph = tf.compat.v1.get_default_graph()
    return not tf.executing_eagerly() and GraphOrParentsInXlaContext(graph)


@functools.cache
def has_gpu() -> bool:
    """Whether TensorFlow steps on a GPU, where a branch would wait for the host."""
    return bool(tf.config.list_logical_devices("GPU"))


def is_on_host(variable: Any) -> bool:
    """Whether it is one variable in the memory of this process, that NumPy can look at."""
    native = variable.value if isinstance(variable, keras.Variable) else variable
    here = context.context().host_address_space()  # a parameter server has a CPU:0 of its own
    return (
        isinstance(native, ResourceVariable)
        and not isinstance(native, tf.distribute.DistributedValues)
        and native.device == f"{here}/device:CPU:0"
    )


class Buffers:
    """Reads variables that are ``is_on_host`` in one operation.

    A variable that is changed while somebody holds its buffer gets a new one, by a copy.

    Args:
        variables: The variables.
    """

    def __init__(self, variables: Sequence[Variable]) -> None:
        native = [x.value if isinstance(x, keras.Variable) else x for x in variables]
        self._handles = [x.handle for x in native]
        kinds = [x.dtype.as_datatype_enum for x in native]
        self._attributes = ("N", len(native), "dtypes", kinds)

    def read(self) -> list[tf.Tensor]:
        """Their values."""
        if not self._handles:
            return []
        n = len(self._handles)
        where = context.context()
        return execute.execute(b"_ReadVariablesOp", n, self._handles, self._attributes, where)


def array_of(tensor: tf.Tensor) -> np.ndarray:
    """What a tensor on the host holds, without a copy of it."""
    return np.asarray(tensor._numpy())  # which is a scalar where there is but one number


def variables_of(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Variables the optimizer was built for, in the order of its slots."""
    return list(optimizer._trainable_variables)


def path_of(variable: Variable) -> str:
    """Path of a variable: ``conv/kernel``; the name of a plain ``tf.Variable``, which has none."""
    return getattr(variable, "path", None) or variable.name.split(":")[0]


def is_overwritten_by_gradient(variable: Variable) -> bool:
    """Whether Keras copies the gradient into the variable (float8 scales): such have no slots."""
    return bool(getattr(variable, "overwrite_with_gradient", False))


def micro_steps(optimizer: keras.optimizers.Optimizer) -> keras.Variable:
    """Calls of ``apply`` so far: accumulation counts each of them, ``iterations`` only updates."""
    return optimizer._iterations


def may_decay(optimizer: keras.optimizers.Optimizer, variable: Variable) -> bool:
    """Whether a variable decays where there is weight decay; known once the optimizer is built."""
    return optimizer._use_weight_decay(variable)


def base_state(
    optimizer: keras.optimizers.Optimizer,
) -> dict[tuple[str, int | None], keras.Variable]:
    """What Keras' base class keeps, by name and position of the variable; None: of all."""
    state: dict[tuple[str, int | None], keras.Variable] = {
        ("iteration", None): optimizer._iterations
    }
    if isinstance(optimizer._learning_rate, keras.Variable):
        state["learning_rate", None] = optimizer._learning_rate
    lists = {
        "average": getattr(optimizer, "_model_variables_moving_average", ()),
        "gradient_accumulator": getattr(optimizer, "_accumulated_gradients", ()),
    }
    for name, variables in lists.items():
        state |= {(name, i): v for i, v in enumerate(variables) if v is not None}
    return state


def add_counts(optimizer: keras.optimizers.Optimizer, name: str, size: int) -> keras.Variable:
    """Whole numbers, one for each variable of the model, which replicas agree on."""
    return optimizer.add_variable(
        shape=(size,), dtype="int64", aggregation="only_first_replica", name=name
    )


def put(variable: keras.Variable, value: Any) -> None:
    """Give a variable of the optimizer a value, also inside a replica of a strategy."""
    native = variable.value
    value = tf.cast(tf.broadcast_to(tf.convert_to_tensor(value), native.shape), native.dtype)
    if tf.distribute.in_cross_replica_context() or not hasattr(native, "values"):
        native.assign(value)
        return
    for component in native.values:
        component.assign(value)


def writes_summaries(model: keras.Model) -> bool:
    """Whether this process is the one that writes, of several workers that train a model."""
    strategy = getattr(model, "distribute_strategy", None) or tf.distribute.get_strategy()
    return strategy.extended.should_save_summary


def normalizations_of(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """All layers of batch normalization in a model, however deep."""
    return [x for x in layers_inside(model) if isinstance(x, keras.layers.BatchNormalization)]


def layers_inside(model: Any) -> list[keras.layers.Layer]:
    """All layers in a model, however deep, in its order; none of what stands for a model."""
    if not isinstance(model, keras.layers.Layer):
        return []
    return list(model._flatten_layers(include_self=False, recursive=True))


def track_loss(model: keras.Model, loss: tf.Tensor, inputs: Any) -> None:
    """Count the loss of a batch into what ``fit`` reports, as ``train_step`` of Keras does."""
    batch = tf.shape(next(x for x in tf.nest.flatten(inputs) if x is not None))[0]
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    whole = loss * tf.cast(replicas, loss.dtype)  # Keras has divided it for the sum over all
    model._loss_tracker.update_state(whole, sample_weight=batch)


def applied_learning_rate(optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
    """Rate η of the update just done (of the first one, before any).

    ``optimizer.learning_rate`` already tells the *next* step's rate when it is a schedule.
    """
    if not isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        return optimizer.learning_rate
    per_update = optimizer.gradient_accumulation_steps or 1
    step = tf.maximum(tf.convert_to_tensor(optimizer.iterations) * per_update - 1, 0)
    return optimizer._learning_rate(step)


# Lists of Keras' optimizers that go with the variables they were built for, by name of the slot. A
# subclass comes before its base.
_M_AND_V = {"momentum": "_momentums", "velocity": "_velocities"}
SLOTS_OF_BUILTIN: dict[type[Any], dict[str, str]] = {
    keras.optimizers.SGD: {"momentum": "momentums"},
    keras.optimizers.Adagrad: {"accumulator": "_accumulators"},
    keras.optimizers.RMSprop: {
        "velocity": "_velocities",
        "momentum": "_momentums",
        "average_gradient": "_average_gradients",
    },
    keras.optimizers.Adadelta: {
        "accumulated_grad": "_accumulated_grads",
        "accumulated_delta_var": "_accumulated_delta_vars",
    },
    keras.optimizers.AdamW: {**_M_AND_V, "velocity_hat": "_velocity_hats"},
    keras.optimizers.Adam: {**_M_AND_V, "velocity_hat": "_velocity_hats"},
    keras.optimizers.Adamax: {"momentum": "_m", "norm": "_u"},
    keras.optimizers.Nadam: _M_AND_V,
    keras.optimizers.Adafactor: {"row": "_r", "column": "_c", "velocity": "_v"},
    keras.optimizers.Ftrl: {"accumulator": "_accumulators", "linear": "_linears"},
    keras.optimizers.Lion: {"momentum": "_momentums"},
    keras.optimizers.Lamb: _M_AND_V,
    Muon: {"momentum": "momentums", "velocity": "adam_velocities"},
    ScheduleFreeAdamW: _M_AND_V,
}


def builtin_slots(
    optimizer: keras.optimizers.Optimizer, kind: type, index: int
) -> dict[str, keras.Variable]:
    """State of the variable at this index in one of Keras' own optimizers, by name.

    Left out is what this setting does not use, or not for this variable.
    """
    found = {}
    for name, attribute in SLOTS_OF_BUILTIN[kind].items():
        slots = getattr(optimizer, attribute, None)  # made only where the setting needs it
        if slots and slots[index] is not None:
            found[name] = slots[index]
    if kind is keras.optimizers.Adafactor and len(found["velocity"].shape) < 2:
        del found["row"], found["column"]  # dummies, as vectors are not factored
    return found


def add_slot(
    optimizer: keras.optimizers.Optimizer,
    variable: Variable,
    name: str,
    initial_value: float,
    dtype: str,
    shape: tuple[int, ...] | None = None,
) -> keras.Variable:
    """``add_variable_from_reference``, with a dtype and, where it is given, a shape of its own."""
    native = variable.value if isinstance(variable, keras.Variable) else variable
    layout = getattr(variable, "_layout", None) if shape is None else None
    with optimizer._distribution_strategy.extended.colocate_vars_with(native):
        return optimizer.add_variable(
            shape=variable.shape if shape is None else shape,
            # keras.initializers.Constant would round a float64 value through float32.
            initializer=lambda shape, dtype: tf.fill(shape, tf.constant(initial_value, dtype)),
            dtype=dtype,
            # Since Keras 3.9, and only where a variable is laid out over devices.
            **({} if layout is None else {"layout": layout}),
            name=f"{path_of(variable).replace('/', '_')}_{name}",
        )


def add_shared(
    optimizer: keras.optimizers.Optimizer, name: str, initial_value: float, dtype: str
) -> keras.Variable:
    """A number that all variables share; replicas agree on it, so the first one's value counts."""
    return optimizer.add_variable(
        shape=(),
        initializer=lambda shape, dtype: tf.fill(shape, tf.constant(initial_value, dtype)),
        dtype=dtype,
        aggregation="only_first_replica",
        name=name,
    )


class Engine(Protocol):
    """What Keras' optimizer needs of the engine (``optimizers.engine``) during a step."""

    holds: bool

    def one_step(self) -> AbstractContextManager[None]:
        """Within it, what is the same for all variables is found once."""

    def prepare(
        self, moment: Any, variables: Sequence[Variable], gradients: Sequence[Gradient]
    ) -> list[Any]:
        """What comes before the steps; the gradients for them."""

    def groups(
        self, moment: Any, variables: Sequence[Variable], gradients: Sequence[Any]
    ) -> list[list[int]] | None:
        """Positions of variables that step together, or None: each by ``update_step``."""

    def run(
        self, moment: Any, variables: Sequence[Variable], gradients: Sequence[Any]
    ) -> tf.Tensor | bool:
        """Do one step for the variables of a group; whether the gradient of each was taken."""

    def hold_inside(
        self, moment: Any, variable: Variable, constraint: Callable[[tf.Tensor], tf.Tensor]
    ) -> None:
        """What comes after a step, before a variable is put back inside its constraint."""


class KerasOptimizer(keras.optimizers.Optimizer, abc.ABC):
    """Keras' optimizer, with what it does wrong inside ``apply`` put right.

    Gradients of several replicas are summed by the caller, before clipping, so not again here;
    weights decay in ``update_step``, in the precision of the update. A moving average of the
    weights moves with the weights only, and sees them constrained. Sums of half-precision numbers
    are float32, and averages find their variable by what it is, not by its place in a list.
    """

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        dtype = keras.backend.standardize_dtype(reference_variable.dtype)
        if dtype in ("float16", "bfloat16"):
            return add_slot(self, reference_variable, name, 0.0, "float32")
        return super().add_variable_from_reference(reference_variable, name, initializer)

    def _overwrite_model_variables_with_average_value(self, trainable_variables):
        for variable in trainable_variables:
            index = index_of(self, variable)
            average = None if index is None else self._model_variables_moving_average[index]
            if average is not None and tf.as_dtype(variable.dtype).is_floating:
                native = variable.value if isinstance(variable, keras.Variable) else variable
                self._distribution_strategy.extended.update(
                    native, lambda v, a: v.assign(tf.cast(a, v.dtype)), args=(average.value,)
                )

    # What applies the rule; made in ``build``.
    engine: Engine

    # Updates that left a variable out, for each; None where that is not asked for.
    skipped_updates: keras.Variable | None = None

    @abc.abstractmethod
    def moment(self, learning_rate: tf.Tensor) -> Any:
        """What all variables have in common in the step that is done now, for the engine."""

    def _apply_weight_decay(self, variables):
        pass

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        with self.engine.one_step():
            moment = self.moment(learning_rate)
            grads = self.engine.prepare(moment, trainable_variables, grads)
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def _distributed_tf_update_step(self, distribution, grads_and_vars, learning_rate):
        with self.engine.one_step():
            self._step(distribution, list(grads_and_vars), learning_rate)

    def _step(self, distribution, pairs, learning_rate):
        gradients, variables = [g for g, _ in pairs], [v for _, v in pairs]
        groups = self.engine.groups(self.moment(learning_rate), variables, gradients)

        def update(first, rest, gradients, learning_rate):
            if groups is None:
                return self.update_step(gradients[0], first, learning_rate)
            return self.engine.run(self.moment(learning_rate), [first, *rest], gradients)

        taken, order = [], []
        for group in groups or [[i] for i in range(len(pairs))]:
            members = [variables[i] for i in group]
            args = (members[1:], [gradients[i] for i in group], learning_rate)
            done = distribution.extended.update(members[0], update, args=args, group=False)
            # One result for each replica; they agree.
            done = done[0] if isinstance(done, tuple | list) else done
            if isinstance(done, tf.Tensor):
                taken.append(done)
                order += [self._trainable_variables_indices[self._var_key(v)] for v in members]
        if self.skipped_updates is not None and taken:
            counts = self.skipped_updates.value
            self._count_skipped(distribution, counts, _in_a_row(taken), order)
        if self.engine.holds:
            self._hold_inside(distribution, variables, learning_rate)

    def _hold_inside(self, distribution, variables, learning_rate):
        """Constrain what the state holds, before Keras constrains the variables."""

        def hold(variable, learning_rate, constraint):
            self.engine.hold_inside(self.moment(learning_rate), variable, constraint)

        for variable in variables:
            known = self._trainable_variables[index_of(self, variable)]
            constraint = getattr(known, "constraint", None)
            if constraint is not None:
                args = (learning_rate, constraint)
                distribution.extended.update(variable, hold, args=args, group=False)

    def _count_skipped(self, distribution, counts: tf.Variable, taken, order: list[int]) -> None:
        skipped = tf.cast(~taken, counts.dtype)
        if order != list(range(counts.shape[0])):
            skipped = tf.scatter_nd([[i] for i in order], skipped, counts.shape)
        distribution.extended.update(counts, self.assign_add, args=(skipped,), group=False)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars

    def _update_model_variables_moving_average(self, trainable_variables):
        per_update = self.gradient_accumulation_steps or 1
        moved = (tf.convert_to_tensor(self._iterations) + 1) % per_update == 0
        first = tf.equal(tf.convert_to_tensor(self.iterations), 0)
        averages = self._model_variables_moving_average
        for variable, average in zip(trainable_variables, averages, strict=True):
            if average is not None and tf.as_dtype(variable.dtype).is_floating:
                value = tf.convert_to_tensor(variable)
                constraint = getattr(variable, "constraint", None)
                value = value if constraint is None else constraint(value)
                value = tf.cast(value, average.dtype)
                momentum = tf.where(first, 0.0, self.ema_momentum)
                momentum = tf.cast(tf.where(moved, momentum, 1.0), value.dtype)
                average.assign(momentum * average + (1 - momentum) * value)


def _in_a_row(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    """Numbers and vectors in one vector."""
    if all(part.shape.rank == 0 for part in parts):
        return tf.stack(parts)
    return tf.concat([tf.reshape(part, [-1]) for part in parts], 0)

"""SAM and ASAM: the gradient of a step is taken where the loss nearby is highest."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.optimizers import incoming
from tfadaopt.optimizers.arguments import boolean, number
from tfadaopt.optimizers.engine.plan import precision

# Beside the norm of the gradient.
EPSILON = 1e-12
# Beside |θ| in ASAM's scale.
LEAST = 0.01


@keras.saving.register_keras_serializable(package="tfadaopt")
class SharpnessAware(keras.Model):
    r"""A model whose ``fit`` minimizes the highest loss near its weights, by SAM or ASAM.

    .. math::
        \hat\varepsilon = \rho \frac{g}{\|g\| + 10^{-12}}, \qquad
        \tilde g = \nabla L(\theta + \hat\varepsilon)

    on the same batch, with ‖g‖ over all variables; the optimizer steps from θ with g̃ in the place
    of g. With ``adaptive``, ε̂ = ρ T² g / ‖T g‖, where T is the size of θ, plus 0.01, in kernels and
    1 in biases and normalizations, so that scaling a layer does not change what is near.

    **Each step costs twice what it does without**: two forward and two backward passes, as
    ``cost()`` says, too. What Keras reports is of the first, at θ. Only that one moves the
    statistics of batch normalization, and in both the same units are dropped.

    Compile and fit it like the model that is given, whose weights it trains: callbacks, metrics,
    XLA, mixed precision and ``steps_per_execution`` stay as they are. Under a ``tf.distribute``
    strategy each replica looks for its own ε̂, in its part of the batch, as in the paper; with
    gradient accumulation, each batch. Evaluate, export and save either of the two; the model that
    is given knows nothing of this class.

    ==============  ======================  ============  =====================
    implementation  T of ASAM               norm of ε̂     statistics
    ==============  ======================  ============  =====================
    tfadaopt        as above                all weights   of the first pass
    authors (ASAM)  of γ as of kernels      all weights   of both
    davda54/sam     the size of θ, all      all weights   of both, unless told
    Optax           —                       all weights   —
    ==============  ======================  ============  =====================

    Optax' ``sam`` takes the two gradients on different batches unless it is made opaque.

    Args:
        model: The model that is trained, with one output or several; its layers are built.
        rho: ρ ≥ 0, the distance; 0.5 to 2 is usual with ``adaptive``. With 0, a step is what it is
            without. Default 0.05.
        adaptive: Whether the distance is ASAM's. Default False.
        name: Name of the model. Default None: made from the class.

    Raises:
        TypeError: ``model`` is no ``keras.Model``, or an argument is of another type.
        ValueError: ``rho`` is out of range.

    Example:
        >>> import keras, numpy as np, tfadaopt
        >>> layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        >>> sam = tfadaopt.SharpnessAware(keras.Sequential([keras.Input([1]), layer]), rho=0.5)
        >>> sam.compile(tfadaopt.SGD(0.5), loss="mse")
        >>> history = sam.fit(np.ones((4, 1)), np.zeros((4, 1)), verbose=0)
        >>> layer.kernel.numpy().tolist()  # 1 − 0.5 · 2 · (1 + 0.5)
        [[-0.5]]

    Source:
        P. Foret et al., "Sharpness-aware minimization for efficiently improving generalization",
        ICLR 2021, arXiv 2010.01412, Algorithm 1; J. Kwon et al., "ASAM", ICML 2021,
        arXiv 2102.11600, Algorithm 1.
    """

    def __init__(
        self,
        model: keras.Model,
        rho: float = 0.05,
        adaptive: bool = False,
        name: str | None = None,
    ) -> None:
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"SharpnessAware: model={model!r} was received; give a keras.Model, such as "
                "keras.Sequential([...])."
            )
        hint = "give the distance ρ, such as 0.05, or 0.5 with adaptive=True"
        rho = number("SharpnessAware", "rho", rho, at_least=0.0, hint=hint)
        adaptive = boolean("SharpnessAware", "adaptive", adaptive)
        super().__init__(name=name)
        self.model, self.rho, self.adaptive = model, rho, adaptive
        self.built = model.built

    def build(self, input_shape: Any = None) -> None:
        """Build the model that is given, if it is not built yet."""
        if not self.model.built and input_shape is not None:
            self.model.build(input_shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """What the model that is given returns."""
        return self.model(inputs, training=training, **({} if mask is None else {"mask": mask}))

    def cost(self) -> str:
        """What a step costs, in a sentence."""
        return (
            f"Each step of {self.name} runs {self.model.name} forward and backward twice: once at "
            f"the weights, once at a distance of {self.rho} from them. It takes about twice the "
            "time of a step without, and the memory of one more copy of the weights."
        )

    def train_step(self, data: Any) -> dict[str, Any]:
        """Both passes on a batch, and one step of the optimizer; Keras calls this."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        if not self.model.built:
            self(x)  # Before that, it has no variables.
        counters = [v for v in self.non_trainable_variables if not incoming.is_float(v)]
        before = [tf.identity(v.value) for v in counters]
        variables = self.trainable_variables
        values = [tf.convert_to_tensor(v) for v in variables]
        with tf.GradientTape() as tape:
            y_pred, loss = self._loss(x, y, weight)
            compat.track_loss(self, loss, x)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, variables)
        nearby = self._nearby(values, gradients)
        # No variable is changed in there: neither weights nor statistics have to be put back.
        same = [*zip(variables, nearby, strict=True), *zip(counters, before, strict=True)]
        with keras.StatelessScope(same, collect_losses=True), tf.GradientTape() as tape:
            tape.watch(nearby)
            scaled = self.optimizer.scale_loss(self._loss(x, y, weight)[1])
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, nearby), variables, strict=True))
        return self.compute_metrics(x, y, y_pred, sample_weight=weight)

    def _loss(self, x: Any, y: Any, weight: Any) -> tuple[Any, tf.Tensor]:
        y_pred = self(x, training=True)
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weight, training=True)
        return y_pred, loss

    def _nearby(self, values: Sequence[tf.Tensor], gradients: Sequence[Any]) -> list[tf.Tensor]:
        """θ + ε̂ of each variable."""
        dense = [None if g is None else tf.convert_to_tensor(g) for g in gradients]
        wide = [None if g is None else tf.cast(g, precision(g.dtype.name)) for g in dense]
        sizes = [
            tf.abs(tf.cast(v, g.dtype)) + LEAST if self.adaptive and v.shape.rank > 1 else 1.0
            for v, g in zip(values, wide, strict=True)
            if g is not None
        ]
        known = [g for g in wide if g is not None]
        scaled = [t * g for t, g in zip(sizes, known, strict=True)]
        factor = self.rho / (tf.linalg.global_norm(scaled) + EPSILON)
        steps = iter([tf.cast(factor, g.dtype) * t * g for t, g in zip(sizes, scaled, strict=True)])
        return [
            tf.identity(v) if g is None else v + tf.cast(next(steps), v.dtype)
            for v, g in zip(values, wide, strict=True)
        ]

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal model (without its weights)."""
        model = keras.saving.serialize_keras_object(self.model)
        return {"model": model, "rho": self.rho, "adaptive": self.adaptive, "name": self.name}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> "SharpnessAware":
        """A model of a configuration that ``get_config`` gave."""
        model = keras.saving.deserialize_keras_object(config["model"], custom_objects)
        return cls(**{**config, "model": model})

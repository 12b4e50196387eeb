"""What one kind of training is, and how it is trained once."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from benchmarks.stalls import data as of

BATCH = 32
CROSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@dataclass(frozen=True)
class Scenario:
    """One kind of training.

    Attributes:
        name: What it is.
        kind: ``healthy``, or what is broken.
        model: Makes the network.
        optimizer: Makes the optimizer.
        data: Makes arrays from a seed: inputs, targets and, perhaps, weights.
        loss: As ``compile`` takes it; None: the model has its own.
        epochs: Passes over the data.
        shuffle: Whether each pass has another order.
        compile: More arguments of ``compile``.
        callbacks: Makes callbacks that belong to the training.
        prepare: Changes the model before it is compiled.
        policy: Keras' policy of precision.
        expected: Kinds of marks that are right; none: healthy.
        where: Regular expression of the layers that are right.
        says: Regular expression that the cause or advice of a right mark must match.
        never: One that none may match.
        event: Step at which it breaks.
        must_learn: Whether a healthy run counts only if it learned something.
    """

    name: str
    kind: str
    model: Callable[[], keras.Model]
    optimizer: Callable[[], object]
    data: Callable = of.digits
    loss: object = CROSS
    epochs: int = 8
    shuffle: bool = True
    compile: dict = field(default_factory=dict)
    callbacks: Callable[[], Sequence] = lambda: ()
    prepare: Callable[[keras.Model], None] | None = None
    policy: str = "float32"
    expected: tuple[str, ...] = ()
    where: str = ""
    says: str = ""
    never: str = ""
    event: int = 0
    must_learn: bool = True

    @property
    def is_healthy(self) -> bool:
        """Whether there is nothing to say."""
        return not self.expected

    @property
    def half(self) -> str:
        """``judge`` where ``fresh`` is in its name; of the others, ``tune`` or ``late``.

        Rules were made on ``tune``; ``late`` was looked at once, and belongs to it since.
        """
        if "fresh" in self.name:
            return "judge"
        return ("tune", "late")[hashlib.sha256(self.name.encode()).digest()[8] >> 2 & 1]

    def train(self, seed: int, callback) -> dict[str, float]:
        """Train once, and return what it came to."""
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        keras.config.set_dtype_policy(self.policy)
        try:
            model = self.model()
        finally:
            keras.config.set_dtype_policy("float32")
        if self.prepare is not None:
            self.prepare(model)
        optimizer = self.optimizer()
        if isinstance(optimizer, tuple):
            model.compile(*optimizer)
        elif self.loss is None:
            model.compile(optimizer)
        else:
            model.compile(optimizer, loss=self.loss, **self.compile)
        x, y, *weight = self.data(seed)
        logs = model.fit(
            x, y, sample_weight=weight[0] if weight else None, batch_size=BATCH,
            epochs=self.epochs, shuffle=self.shuffle, verbose=0,
            callbacks=[*self.callbacks(), callback],
        ).history  # fmt: skip
        result = {key: values[-1] for key, values in logs.items()}
        if self.loss is CROSS and not isinstance(y, tuple):
            said = model.predict(x[:1792], batch_size=448, verbose=0)
            result["accuracy"] = float(np.mean(np.argmax(said, -1) == y[:1792]))
        return {key: float(x) for key, x in result.items() if np.ndim(x) == 0}

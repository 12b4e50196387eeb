"""Put a network back to its start, so that many runs share one trace."""

from collections.abc import Callable

import keras
import numpy as np


class Restart:
    """Gives a model and its optimizer the state they would have if they were new.

    A new model and optimizer per run would be traced again, which costs seconds; setting their
    variables back does not.

    Args:
        make_model: Returns the model; what it draws at random depends on the global seed only.
        model: The model to put back, one that ``make_model`` returned, built.
        optimizer: Its optimizer, fresh; it is built for the model here.
    """

    def __init__(
        self,
        make_model: Callable[[], keras.Model],
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
    ):
        self._make_model = make_model
        self._model = model
        self._optimizer = optimizer
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        self._first_state = [variable.numpy() for variable in optimizer.variables]
        self._first_values: dict[int, list[np.ndarray]] = {}

    def __call__(self, learning_rate: float, seed: int) -> None:
        """Begin a run: weights of the seed, no state, this rate, and the global seed set.

        Args:
            learning_rate: η of the run.
            seed: Seed of the weights, and of all that the run draws.
        """
        if seed not in self._first_values:
            keras.utils.set_random_seed(seed)
            fresh = self._make_model()
            self._first_values[seed] = [variable.numpy() for variable in fresh.variables]
        for variable, value in zip(self._model.variables, self._first_values[seed], strict=True):
            variable.assign(value)
        self._forget()
        self._optimizer.learning_rate = learning_rate
        # A data set mixes the global seed into its own: runs must not depend on those before them.
        keras.utils.set_random_seed(seed)

    def forget(self) -> None:
        """Set the state of the optimizer back, and leave weights and rate as they are."""
        rate = float(self._optimizer.learning_rate)
        self._forget()
        self._optimizer.learning_rate = rate

    def _forget(self) -> None:
        for variable, value in zip(self._optimizer.variables, self._first_state, strict=True):
            variable.assign(value)

# %% [markdown]
# # Mixed precision, compiled by XLA
#
# Keras scales the loss where the policy is `mixed_float16`; with `mixed_bfloat16` there is no need
# to. State of the optimizer is float32 in both.

# %% Data and model: float16 inside, float32 weights
import keras
import numpy as np

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(1024, 16)).astype("float32")
y = np.tanh(x[:, :4].sum(axis=1, keepdims=True))
half = keras.DTypePolicy("mixed_float16")
model = keras.Sequential(
    [
        keras.layers.Input([16]),
        keras.layers.Dense(32, activation="relu", dtype=half),
        keras.layers.Dense(1, dtype=half),
        keras.layers.Activation("linear", dtype="float32"),  # the loss is computed in float32
    ],
    name="mixed",
)

# %% Compile: the loss scale goes around the optimizer
# With the global policy, keras.config.set_dtype_policy("mixed_float16"), Keras adds it by itself.
inner = tfadaopt.Adam(learning_rate=0.003)
optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0**12)
model.compile(optimizer, loss="mse", jit_compile=True)

# %% Train: the monitor looks through the loss scale
monitor = OptimizerMonitor("logs/mixed", every=8)
history = model.fit(x, y, batch_size=32, epochs=3, verbose=0, callbacks=[monitor])
print(f"loss: {history.history['loss'][0]:.3f} to {history.history['loss'][-1]:.3f}")

# %% Weights and state are float32; a gradient that overflows is left out
kernel = model.layers[0].kernel
state = tfadaopt.accumulators(model.optimizer, kernel)
print(f"computed in {model.layers[0].compute_dtype}, weights {kernel.dtype}")
print(f"velocity {state['velocity'].dtype.name}, loss scale {float(optimizer.dynamic_scale):.0f}")

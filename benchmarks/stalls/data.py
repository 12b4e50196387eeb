"""Data of the zoo: digits that come with scikit-learn, and numbers drawn from a seed."""

import functools

import numpy as np
from sklearn import datasets

EXAMPLES = 1792


@functools.cache
def _digits():
    found = datasets.load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))[:EXAMPLES]
    return (found.data[order] / 16).astype("float32"), found.target[order].astype("int32")


def digits(seed=0):
    """Pictures [n, 64] of 0 to 1, and labels."""
    order = np.random.default_rng(seed).permutation(EXAMPLES)
    x, y = _digits()
    return x[order], y[order]


def few(seed=0):
    """So few that they are learned by heart."""
    x, y = digits(seed)
    return np.tile(x[:64], [28, 1]), np.tile(y[:64], 28)


def whole(seed=0, data=digits):
    """The same 32 examples in each step: no noise."""
    x, y = data(seed)
    return np.tile(x[:32], [56, 1]), np.tile(y[:32], [56] + [1] * (y.ndim - 1))


def noisy(seed=0):
    """Two in five labels are drawn at random: the loss ends far above 0."""
    x, y = digits(seed)
    rng = np.random.default_rng(seed)
    return x, np.where(rng.random(EXAMPLES) < 0.4, rng.integers(0, 10, EXAMPLES), y).astype("int32")


def pictures(seed=0):
    """Pictures, to be made again."""
    x, _ = digits(seed)
    return x, x


def heads(seed=0):
    """Labels, and how dark a picture is."""
    x, y = digits(seed)
    return x, (y, x.mean(1, keepdims=True) * 10)


def table(seed=0, offset=0.0):
    """Ten numbers, and one that depends on them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(EXAMPLES, 10))
    y = np.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3] + 0.3 * rng.normal(size=(EXAMPLES, 1))
    return x.astype("float32"), (y + offset).astype("float32")


def house_prices(seed=0):
    """Targets that are far from 0, and no one scaled."""
    x, y = table(seed)
    return x, (200 + 50 * y).astype("float32")


def words(seed=0):
    """Twenty of 500 words, frequent and rare; which is of which class is to be learned."""
    rng = np.random.default_rng(seed)
    chance = 1 / np.arange(1, 501)
    x = rng.choice(500, size=(EXAMPLES, 20), p=chance / chance.sum())
    value = np.random.default_rng(5).normal(size=500)
    return x.astype("int32"), (value[x].mean(1, keepdims=True) > 0).astype("float32")


def unit(seed=0):
    """Directions, for the cosine loss."""
    x, y = digits(seed)
    return x, np.eye(10, dtype="float32")[y]


def signs(seed=0):
    """Two classes as ±1, for the hinge loss."""
    x, y = digits(seed)
    return x, np.where(y == 0, 1.0, -1.0).astype("float32")[:, None]


def outlier(seed=0, factor=1e4, at=640, data=table):
    """One batch of enormous targets."""
    x, y = data(seed)
    y = y.copy()
    y[at : at + 32] *= factor
    return x, y


def bad(seed=0, at=640, count=1, value=np.nan, data=digits):
    """Some inputs that are NaN."""
    x, y = data(seed)
    x = x.copy()
    x[at : at + count] = value
    return x, y


def weighted(seed=0, factor=1000.0, count=EXAMPLES, data=digits):
    """The loss of the first examples of each pass counts more."""
    x, y = data(seed)
    weight = np.ones(len(x), "float32")
    weight[:count] = factor
    return x, y, weight


def spiked_at_first(seed=0, factor=1000.0, count=EXAMPLES, passes=8, data=digits):
    """The loss of the first examples of the whole run counts more: all passes in one."""
    x, y = data(seed)
    x, y = np.concatenate([x] * passes), np.concatenate([y] * passes)
    weight = np.ones(len(x), "float32")
    weight[:count] = factor
    return x, y, weight


def bright_at_first(seed=0, factor=255.0, count=EXAMPLES, passes=8):
    """Inputs that are scaled later."""
    x, y = digits(seed)
    x, y = np.concatenate([x] * passes), np.concatenate([y] * passes)
    x[:count] *= factor
    return x, y


def bad_once(seed=0, at=6400, count=1, value=np.nan, passes=8, data=digits):
    """One bad example in the whole run."""
    x, y = data(seed)
    x, y = np.concatenate([x] * passes), np.concatenate([y] * passes)
    x[at : at + count] = value
    return x, y


def random_labels(seed=0):
    """Labels that have nothing to do with the pictures."""
    x, y = digits(seed)
    return x, np.random.default_rng(seed + 1).permutation(y)


def parity(seed=0):
    """Whether an odd number of eight bits is set: a plateau comes first."""
    x = np.random.default_rng(seed).integers(0, 2, size=(EXAMPLES, 8))
    return x.astype("float32"), (x.sum(1) % 2).astype("int32")


def rare(seed=0):
    """One class in thirty: most batches teach little."""
    x, y = digits(seed)
    wanted = (y == 0) & (np.arange(EXAMPLES) % 3 == 0)
    return x, wanted.astype("float32")[:, None]


def sparse(seed=0):
    """Counts of 400 words, nearly all 0."""
    x, y = words(seed)
    counts = np.zeros((EXAMPLES, 500), "float32")
    np.add.at(counts, (np.arange(EXAMPLES)[:, None], x), 1)
    return counts, y


def changing(seed=0):
    """Other labels in the second half of the run."""
    x, y = digits(seed)
    return np.concatenate([x] * 8), np.concatenate([y] * 4 + [(y + 1) % 10] * 4)


def tiny_targets(seed=0):
    """Targets of a thousandth."""
    x, y = table(seed)
    return x, y * 1e-3

"""All contracts of tfadaopt on a method of one's own, and what comes with it for nothing."""

import keras
import numpy as np
from your_method import Settling
from your_method.twin import SettlingTwin

from tfadaopt.callbacks import OptimizerMonitor, StallWarning
from tfadaopt.callbacks.history import read
from tfadaopt.testing import check_optimizer

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = X @ np.ones((4, 1), "float32")


def small_model(optimizer):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4,)), keras.layers.Dense(8, name="hidden"), keras.layers.Dense(1)]
    model = keras.Sequential(layers, name="net")
    model.compile(optimizer, "mse")
    return model


def test_all_contracts_hold():
    report = check_optimizer(lambda: Settling(0.05, momentum=0.5), SettlingTwin)
    print(report)
    assert [outcome.contract for outcome in report.not_tried] == ["two_devices"]


def test_the_tab_has_its_effective_rate_and_its_state(tmp_path):
    monitor = OptimizerMonitor(tmp_path, every=4)
    small_model(Settling(0.05)).fit(X, Y, batch_size=4, verbose=0, callbacks=[monitor])
    (run,) = read(tmp_path).values()
    assert {"effective_learning_rate", "accumulator/momentum", "update_ratio"} <= {
        quantity for quantity, _ in run.quantities
    }
    rates = run.quantities["effective_learning_rate", "mean"]
    assert rates.layers[0] == "net/hidden/kernel"
    np.testing.assert_allclose(rates.values[:, 0], 0.05 / np.sqrt(rates.steps), rtol=1e-6)


def test_it_is_warned_of_what_stalls():
    warning = StallWarning(every=2)
    x = np.full_like(X, np.nan)
    model = small_model(Settling(0.05, nonfinite="ignore"))
    model.fit(x, Y, batch_size=4, verbose=0, callbacks=[warning])
    assert {mark.kind for mark in warning.marks} == {"nan"}

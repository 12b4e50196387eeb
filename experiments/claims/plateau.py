"""2.17 "Learning rate may become too small due to the accumulation." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Bars, Claim, Finding, between, verdict, within
from tfadaopt.experiments.claims.walks import walk

RATE, CLIFF, STEEP, FLAT, DISTANCE = 0.1, 100, 100.0, 0.1, 5.0


def slope(w, t):
    return tf.where(t <= CLIFF, STEEP, FLAT) * tf.ones_like(w)

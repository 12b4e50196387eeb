"""Averages of the weights over a training, from the list of all of them.

`thetas` are the weights after update 1, 2, ...; an average starts at the first that it takes.
"""

import math

import numpy as np


def stochastic_weight_average(thetas, start, every):
    """The plain mean of the weights after the updates start, start + every, ...

    P. Izmailov et al., arXiv 1803.05407, Algorithm 1, as a sum and not as a running mean.
    """
    taken = [theta for t, theta in enumerate(thetas, 1) if t >= start and (t - start) % every == 0]
    return np.mean(np.array(taken, dtype=np.float64), axis=0)


def exponential_average(thetas, decay, warm_up=False):
    """mean_0 = theta_1,  mean_n = d_n mean_{n-1} + (1 - d_n) theta_{n+1}.

    d_n = decay, with warm_up min(decay, (1 + n) / (10 + n)): tf.train.ExponentialMovingAverage
    with the number of updates.
    """
    mean = np.array(thetas[0], dtype=np.float64)
    for n, theta in enumerate(thetas[1:], 1):
        d = min(decay, (1 + n) / (10 + n)) if warm_up else decay
        mean = d * mean + (1 - d) * np.array(theta, dtype=np.float64)
    return mean


def tail_average(thetas, share):
    """The plain mean of the last ceil(share N) of N weights, of one at least.

    A. Rakhlin, O. Shamir and K. Sridharan, arXiv 1109.5647, section 5: suffix averaging.
    """
    count = max(1, math.ceil(share * len(thetas) - 1e-9))
    return np.mean(np.array(thetas[-count:], dtype=np.float64), axis=0)


def recalibrated(means, variances):
    """Statistics of a batch normalization: the plain means over the batches' own.

    The momentum of batch k is 1 / k, as in torch.optim.swa_utils.update_bn.
    """
    mean, variance = np.float64(0.0), np.float64(0.0)
    for k, (m, v) in enumerate(zip(means, variances, strict=True), 1):
        mean = mean + (np.array(m, dtype=np.float64) - mean) / k
        variance = variance + (np.array(v, dtype=np.float64) - variance) / k
    return mean, variance

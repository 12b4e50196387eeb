"""Whether TensorFlow's fused kernels beat the compiled step: `python benchmarks/kernels.py`.

For each classic method that has a kernel: milliseconds of an update of ResNet-50's 214 variables by
the kernel alone (no check for NaN, no clipping), by tfadaopt's compiled step without its check for
NaN, and by that step as it is by default; medians of interleaved rounds. A kernel would be worth a
second form of a method where it takes at most 0.85 of the compiled step.
"""

import argparse
import statistics

import tensorflow as tf
from step import Update

import tfadaopt

raw = tf.raw_ops


def kernels() -> dict:
    """Of each method: slots that the kernel takes, and one step by it."""

    def sgd(v, s, g, eta):
        raw.ResourceApplyGradientDescent(var=v, alpha=eta, delta=g)

    def momentum(v, s, g, eta, nesterov=False):
        b = tf.constant(0.9)
        raw.ResourceApplyMomentum(
            var=v, accum=s[0], lr=eta, grad=g, momentum=b, use_nesterov=nesterov
        )

    def nesterov(v, s, g, eta):
        momentum(v, s, g, eta, nesterov=True)

    def adagrad(v, s, g, eta):
        raw.ResourceApplyAdagradV2(var=v, accum=s[0], lr=eta, epsilon=tf.constant(1e-7), grad=g)

    def rmsprop(v, s, g, eta):
        rho, zero, e = tf.constant(0.9), tf.constant(0.0), tf.constant(1e-7)
        raw.ResourceApplyRMSProp(
            var=v, ms=s[0], mom=s[1], lr=eta, rho=rho, momentum=zero, epsilon=e, grad=g
        )

    def adadelta(v, s, g, eta):
        rho, e = tf.constant(0.95), tf.constant(1e-6)
        raw.ResourceApplyAdadelta(
            var=v, accum=s[0], accum_update=s[1], lr=eta, rho=rho, epsilon=e, grad=g
        )

    def adam(v, s, g, eta):
        b1, b2 = tf.constant(0.9), tf.constant(0.999)
        raw.ResourceApplyAdam(
            var=v,
            m=s[0],
            v=s[1],
            beta1_power=b1,
            beta2_power=b2,
            lr=eta,
            beta1=b1,
            beta2=b2,
            epsilon=tf.constant(1e-8),
            grad=g,
        )

    def amsgrad(v, s, g, eta):
        b1, b2 = tf.constant(0.9), tf.constant(0.999)
        raw.ResourceApplyAdamWithAmsgrad(
            var=v,
            m=s[0],
            v=s[1],
            vhat=s[2],
            beta1_power=b1,
            beta2_power=b2,
            lr=eta,
            beta1=b1,
            beta2=b2,
            epsilon=tf.constant(1e-8),
            grad=g,
        )

    def adamax(v, s, g, eta):
        b1, b2 = tf.constant(0.9), tf.constant(0.999)
        raw.ResourceApplyAdaMax(
            var=v,
            m=s[0],
            v=s[1],
            beta1_power=b1,
            lr=eta,
            beta1=b1,
            beta2=b2,
            epsilon=tf.constant(1e-8),
            grad=g,
        )

    return {
        "SGD": (0, sgd),
        "Momentum": (1, momentum),
        "Nesterov": (1, nesterov),
        "Adagrad": (1, adagrad),
        "RMSprop": (2, rmsprop),
        "Adadelta": (2, adadelta),
        "Adam": (2, adam),
        "AMSGrad": (3, amsgrad),
        "Adamax": (2, adamax),
    }


def kernel_step(update: Update, slots: int, kernel):
    """A step of all variables by a kernel."""
    state = [[tf.Variable(tf.zeros(v.shape)) for _ in range(slots)] for v in update.variables]
    eta = tf.constant(0.001)

    @tf.function(autograph=False)
    def step():
        for v, s, g in zip(update.variables, state, update.gradients, strict=True):
            kernel(v.value.handle, [x.handle for x in s], g.read_value(), eta)

    return step


def measure(method: str, model: str, rounds: int) -> dict[str, float]:
    """Median milliseconds of each form."""
    cls = getattr(tfadaopt, method)
    default = Update(model, (cls, {}, False))
    unchecked = Update(model, (cls, {"nonfinite": "ignore"}, False))
    by_kernel = Update(model, (cls, {}, False))
    by_kernel._step = kernel_step(by_kernel, *kernels()[method])
    forms = {"kernel": by_kernel, "no NaN check": unchecked, "compiled": default}
    for update in forms.values():
        update.step()
    seconds = {name: [] for name in forms}
    for _ in range(rounds):
        for name, update in forms.items():
            seconds[name].append(update.step())
    return {name: statistics.median(s) * 1e3 for name, s in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--methods", default=",".join(kernels()))
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    print(
        "| method | kernel ms | compiled, no NaN check | ratio | compiled | ratio |\n"
        + "|---" * 6
        + "|"
    )
    for method in options.methods.split(","):
        ms = measure(method, options.model, options.rounds)
        k, n, c = ms["kernel"], ms["no NaN check"], ms["compiled"]
        print(f"| {method} | {k:.1f} | {n:.1f} | {k / n:.2f} | {c:.1f} | {k / c:.2f} |", flush=True)


if __name__ == "__main__":
    main()

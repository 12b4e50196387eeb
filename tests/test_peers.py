"""A second oracle where one agrees: PyTorch and the authors' own packages, in float64.

PyTorch is a gigabyte, so that ``make test`` does not install it: these tests are skipped unless
``pip install torch schedulefree prodigyopt dadaptation dog-optimizer pytorch-optimizer`` was done.
"""

import importlib

import numpy as np
import pytest

from .cases import BY_ID, RATE
from .trajectories import Trajectory, check_updates, problem_of, train

torch = pytest.importorskip("torch", reason="PyTorch is not installed: a gigabyte")

pytestmark = pytest.mark.slow

# Row of the table, arguments of ours that differ from it, package, class, its arguments. With an ε
# of 1e-100, it does not matter beside what it stands.
QR_IN_FLOAT32 = 1e-4
TINY = {"epsilon": 1e-100}
PEERS = [
    ("sgd", {}, "torch.optim", "SGD", {}),
    ("momentum", {}, "torch.optim", "SGD", {"momentum": 0.9}),
    ("nesterov", {}, "torch.optim", "SGD", {"momentum": 0.9, "nesterov": True}),
    ("adagrad-zero-epsilon", {}, "torch.optim", "Adagrad", {"eps": 1e-100}),
    ("rmsprop-zero-epsilon", {}, "torch.optim", "RMSprop", {"alpha": 0.9, "eps": 1e-100}),
    ("adadelta", {}, "torch.optim", "Adadelta", {"rho": 0.95, "eps": 1e-6}),
    ("adam", {}, "torch.optim", "Adam", {}),
    ("adamw", {}, "torch.optim", "AdamW", {"weight_decay": 0.004}),
    ("adamax", {}, "torch.optim", "Adamax", {"eps": 1e-100}),
    ("amsgrad-corrected", TINY, "torch.optim", "Adam", {"amsgrad": True, "eps": 1e-100}),
    ("radam-threshold", TINY, "torch.optim", "RAdam", {"eps": 1e-100}),
    ("schedulefreesgd", {}, "schedulefree", "SGDScheduleFree", {}),
    (
        "schedulefreesgd-decay",
        {},
        "schedulefree",
        "SGDScheduleFree",
        {"weight_decay": 0.5, "momentum": 0.5},
    ),
    ("schedulefreesgd-warmup", {}, "schedulefree", "SGDScheduleFree", {"warmup_steps": 50}),
    ("schedulefreeadamw", {}, "schedulefree", "AdamWScheduleFree", {}),
    ("schedulefreeadamw-decay", {}, "schedulefree", "AdamWScheduleFree", {"weight_decay": 0.5}),
    ("dog", {}, "dog", "DoG", {"reps_rel": 1.0}),
    ("dog-grows", {}, "dog", "DoG", {"reps_rel": 1e-3}),
    ("dadaptadam", {}, "dadaptation", "DAdaptAdam", {"d0": 1.0}),
    ("dadaptadam-grows", {}, "dadaptation", "DAdaptAdam", {"d0": 1e-3}),
    ("dadaptadam-limited", {}, "dadaptation", "DAdaptAdam", {"d0": 1e-3, "growth_rate": 1.02}),
    (
        "dadaptadam-corrected",
        {},
        "dadaptation",
        "DAdaptAdam",
        {"d0": 0.5, "use_bias_correction": True},
    ),
    (
        "dadaptadam-decay",
        {},
        "dadaptation",
        "DAdaptAdam",
        {"d0": 1.0, "weight_decay": 0.5, "decouple": True},
    ),
    # Its ε is multiplied by the d after the step.
    ("prodigy", TINY, "prodigyopt", "Prodigy", {"d0": 1.0, "eps": 1e-100}),
    ("prodigy-grows", TINY, "prodigyopt", "Prodigy", {"d0": 1e-3, "d_coef": 0.5, "eps": 1e-100}),
    (
        "prodigy-corrected",
        TINY,
        "prodigyopt",
        "Prodigy",
        {"d0": 0.5, "use_bias_correction": True, "eps": 1e-100},
    ),
    (
        "prodigy-decay",
        TINY,
        "prodigyopt",
        "Prodigy",
        {"d0": 1.0, "weight_decay": 0.5, "eps": 1e-100},
    ),
    (
        "prodigy-safe",
        TINY,
        "prodigyopt",
        "Prodigy",
        {"d0": 1.0, "safeguard_warmup": True, "eps": 1e-100},
    ),
    ("adan", {}, "pytorch_optimizer", "Adan", {}),
    ("adan-decay", {}, "pytorch_optimizer", "Adan", {"weight_decay": 0.5}),
    # It decays from the second step on.
    ("soap", {"weight_decay": None}, "pytorch_optimizer", "SOAP", {"weight_decay": 0.0}),
    (
        "soap-refresh",
        {},
        "pytorch_optimizer",
        "SOAP",
        {"precondition_frequency": 1, "weight_decay": 0.0},
    ),
]


def train_torch(make, starts, gradients) -> Trajectory:
    parameters = [torch.nn.Parameter(torch.tensor(s, dtype=torch.double)) for s in starts]
    optimizer = make(parameters)
    if hasattr(optimizer, "train"):  # schedule-free: the parameters are y
        optimizer.train()
    path = [[p.detach().numpy().copy() for p in parameters]]
    for g in zip(*gradients, strict=True):
        for parameter, x in zip(parameters, g, strict=True):
            parameter.grad = torch.tensor(x, dtype=torch.double)
        optimizer.step()
        path.append([p.detach().numpy().copy() for p in parameters])
    return Trajectory([np.stack(steps) for steps in zip(*path, strict=True)], [], [], [])


@pytest.mark.parametrize(
    ("name", "arguments", "package", "peer", "options"),
    [pytest.param(*row, id=f"{row[0]}-{row[2]}") for row in PEERS],
)
def test_agrees_with_its_peer(name, arguments, package, peer, options, worst):
    module = pytest.importorskip(package)
    case = BY_ID[name]
    # SOAP's vectors wait for a step there that they do not need.
    starts, gradients = problem_of(case, shapes=((7,), (5, 6)) if case.has_rate else ((5, 6),))
    actual = train(case.make(**arguments), starts, gradients, dtype="float64")
    make = getattr(module, peer)
    expected = train_torch(lambda p: make(p, lr=case.rate, **options), starts, gradients)
    error = check_updates(actual, expected, 1e-10 if case.has_rate else QR_IN_FLOAT32)
    worst(f"worst displacement error against {package}, float64", f"{case.name}", error)


def test_the_rate_is_known_exactly():
    """A rate that float32 rounds would be another one here than there."""
    assert float(np.float32(RATE)) == RATE
    assert importlib.util.find_spec("torch")

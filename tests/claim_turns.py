"""What would have to be measured for each other verdict: a change of what was seen, by claim."""

from dataclasses import replace

import numpy as np

from tfadaopt.experiments.reports.intervals import Interval


def at(value: float) -> Interval:
    return Interval(value, value, value)


def scaled(values: dict, factor: float, *keys) -> dict:
    """A dictionary of arrays with some of them multiplied."""
    return values | {key: values[key] * factor for key in keys or values}


def constant(values: dict, value: float, *keys) -> dict:
    return values | {key: np.full_like(values[key], value) for key in keys or values}


def rates_of_walks(seen, rho):
    """Walks of momentum that fall as rho(κ) to the power t, times t for the double root."""
    walks = dict(seen.walks)
    for k in (100, 1000):
        key = (k, ("Momentum", "tuned"))
        t = np.arange(len(walks[key].distance))
        walks[key] = replace(walks[key], distance=np.maximum(t, 1) * rho(k) ** t)
    return replace(seen, walks=walks)


def masked_steps(seen, factor):
    """Steps with the mask that are so many times those without."""
    plain = {key: value for key, value in seen.steps.items() if not key[2]}
    masked = {(m, ravine, True): factor * value for (m, ravine, _), value in plain.items()}
    return replace(seen, steps=plain | masked)


def rates_kept(seen, momentum):
    return replace(seen, kept=seen.kept | {"Momentum": momentum})


def falls(seen, kind, change):
    return replace(seen, falls=seen.falls | {kind: change(seen.falls[kind])})


def flat(seen):
    """Every gradient lowers the rate alike."""
    same = {kind: np.repeat(fall[:, -1:], 4, axis=1) for kind, fall in seen.falls.items()}
    return replace(seen, falls=same)


def hand_tuned(seen, methods, steps):
    """These methods arrive after so many steps, with every rate and every μ."""
    changed = {
        key: np.full_like(value, steps) if key[0] in methods else value
        for key, value in seen.steps.items()
    }
    return replace(seen, steps=changed)


def one_good_rate(seen, methods):
    """A rate at which these methods have the lowest loss, on every problem."""
    losses = dict(seen.losses)
    lowest = min(float(np.median(loss, axis=0).min()) for loss in losses.values())
    for key, loss in losses.items():
        if key[0] in methods:
            losses[key] = np.full_like(loss, lowest)
    return replace(seen, losses=losses)


def one_rate_only(seen):
    """Adagrad is good at the last rate of the grid, on every problem, and nowhere else."""
    losses = dict(seen.losses)
    lowest = min(float(np.median(loss, axis=0).min()) for loss in losses.values())
    for key, loss in losses.items():
        if key[0] == "Adagrad":
            losses[key] = np.full_like(loss, 3 * lowest)
            losses[key][:, -1] = lowest
    return replace(seen, losses=losses)


def rates_apart(seen, adagrad, sgd):
    """Each problem has a best rate of its own; at others these methods lose by a factor."""
    losses, units = dict(seen.losses), list(dict.fromkeys(unit for _, unit in seen.losses))
    lowest = min(float(np.median(loss, axis=0).min()) for loss in losses.values())
    for method, factor in (("Adagrad", adagrad), ("SGD", sgd)):
        for place, unit in enumerate(units):
            changed = np.full_like(losses[method, unit], factor * lowest)
            changed[:, place] = lowest
            losses[method, unit] = changed
    return replace(seen, losses=losses)


def adam_ends(seen, *ends):
    """Points where Adam ends with α = 0.5/√t, by β₂."""
    changed = dict(seen.ends)
    keys = [key for key in changed if key[0] == "Adam" and "√t" in key[2]]
    for key, end in zip(keys, ends, strict=True):
        changed[key] = np.full_like(changed[key], end)
    return replace(seen, ends=changed)


def paths_end(seen, label, x):
    path = seen.paths[label].copy()
    path[-3:] = x
    return replace(seen, paths=seen.paths | {label: path})


def last_step_at_rest(seen, age):
    return replace(seen, last=dict.fromkeys(seen.last, age))


def stopping(seen, *names):
    changed = {}
    if "random" in names:
        changed["random"] = np.minimum(seen.random, seen.random[10])
    if "none" in names:
        walk = {start: seen.random.copy() for start in seen.nearest}
        changed["nearest"] = walk
    return replace(seen, **changed)


def regrets(seen, factor, *streams):
    return replace(seen, regret=scaled(seen.regret, factor, *streams))


def quotients(seen, factor):
    """Adagrad's numbers as so many times SGD's."""
    name = "regret" if hasattr(seen, "regret") else "errors"
    values = getattr(seen, name)
    return replace(seen, **{name: values | {"Adagrad": factor * values["SGD"]}})


def undecided(seen):
    name = "regret" if hasattr(seen, "regret") else "errors"
    sgd = getattr(seen, name)["SGD"]
    factor = np.where(np.arange(len(sgd)) % 2, 0.5, 2.0)[:, np.newaxis]
    return replace(seen, **{name: {"SGD": sgd, "Adagrad": factor * sgd}})


def variance(seen, *factors):
    """Variances with μ = 0.9 and 0.99 at equal η, over that without momentum."""
    changed = dict(seen.variance)
    for mu, factor in zip((0.9, 0.99), factors, strict=True):
        changed[mu, 0.01] = factor * changed[0.0, 0.01]
    return replace(seen, variance=changed)


TURNS = {
    "challenges": {
        "depends": lambda s: replace(s, trapped=0.01),
        "refuted": lambda s: replace(s, trapped=0.01, plateau=2.0, thrown=3.0, vanishing=at(0.5)),
    },
    "minibatch-mean": {
        "depends": lambda s: replace(s, again=s.again ** np.array([0.5])),
        "refuted": lambda s: replace(s, apart=0.25),
    },
    "zigzag": {
        "confirmed": lambda s: rates_kept(s, s.kept["SGD"] - 0.01),
        "refuted": lambda s: rates_kept(s, s.kept["SGD"] + 0.1),
    },
    "ravine": {
        "depends": lambda s: rates_of_walks(s, lambda k: 1 - 5 / k),
        "refuted": lambda s: rates_of_walks(s, lambda k: 1 - 0.5 / k),
    },
    "momentum-rate": {
        "confirmed": lambda s: replace(s, momentum=np.tile(1.03 * s.sgd, (3, 1))),
        "refuted": lambda s: replace(s, momentum=np.tile(2.5 * s.sgd, (3, 1))),
    },
    "hand-tuning": {
        "depends": lambda s: hand_tuned(s, ["Momentum"], 77.0),
        "refuted": lambda s: hand_tuned(s, ["Momentum", "Nesterov"], 77.0),
    },
    "one-rate": {
        "depends": lambda s: replace(s, ratio=s.ratio | {"SGD": s.ratio["SGD"] * 3}),
        "refuted": lambda s: replace(s, ratio=constant(s.ratio, 7.0)),
    },
    "stability-limits": {
        "depends": lambda s: replace(s, largest=s.largest * [1, 1, 1, 2]),
        "refuted": lambda s: replace(s, largest=s.largest * [1.9, 1.8, 1.7, 1.6]),
    },
    "sensitivity": {
        "confirmed": lambda s: replace(
            s, spread={n: 321.0 if n.startswith("non") else 1.0 for n in s.spread}
        ),
        "refuted": lambda s: replace(s, spread=dict.fromkeys(s.spread, 1.7)),
    },
    "own-rates": {
        "depends": lambda s: replace(s, roots=s.roots**1.5),
        "refuted": lambda s: replace(s, rates=np.full_like(s.rates, 0.01)),
    },
    "rotation": {
        "confirmed": lambda s: replace(s, turned=dict.fromkeys(s.turned, s.turned[100])),
        "refuted": lambda s: replace(s, aligned=s.aligned * [[1], [6]]),
    },
    "scale-factor": {
        "depends": lambda s: replace(s, rates=1.5 / np.sqrt(s.r)),
        "refuted": lambda s: replace(s, rates=1.5 / s.r),
    },
    "steep-and-flat": {
        "depends": lambda s: falls(s, "ε = 1e-7", lambda f: f**0.1),
        "refuted": flat,
    },
    "small-derivatives": {
        "depends": lambda s: falls(
            s, "ε = 1e-7", lambda f: f ** np.linspace(1, 0.05, len(f))[:, None]
        ),
        "refuted": flat,
    },
    "decay-alike": {
        "confirmed": lambda s: replace(
            s, falls=dict.fromkeys(s.falls, s.falls["r₀ = 0.1 (Keras)"] ** 1.1)
        ),
        "refuted": flat,
    },
    "no-tuning": {
        "confirmed": lambda s: one_good_rate(s, ["Adagrad"]),
        "depends": one_rate_only,
        "refuted": lambda s: rates_apart(s, 3.0, 4.0),
    },
    "network-tuning": {
        "confirmed": lambda s: one_good_rate(s, ["Adagrad"]),
        "depends": one_rate_only,
        "refuted": lambda s: rates_apart(s, 3.0, 4.0),
    },
    "convex": {
        "confirmed": lambda s: replace(s, ours=dict.fromkeys(s.ours, at(33.0))),
        "refuted": lambda s: replace(s, ours=dict.fromkeys(s.ours, at(7777.0))),
    },
    "regret": {
        "depends": lambda s: regrets(s, 9.0, "hinge"),
        "refuted": lambda s: regrets(s, 9.0),
    },
    "terrains": {
        "depends": lambda s: replace(s, kinds=constant(s.kinds, 1, "SGD")),
        "refuted": lambda s: replace(s, kinds=constant(s.kinds, 1)),
    },
    "convex-region": {
        "depends": lambda s: replace(s, bowl=s.bowl | {"SGD": ~s.bowl["SGD"]}),
        "refuted": lambda s: replace(s, bowl={m: ~bowl for m, bowl in s.bowl.items()}),
    },
    "plateau": {
        "depends": lambda s: replace(
            s, distance=s.distance | {"Adagrad": s.distance["Adagrad, r reset"] / 2}
        ),
        "refuted": lambda s: replace(
            s, distance=s.distance | {"Adagrad": s.distance["Adagrad, r reset"]}
        ),
    },
    "network-stall": {
        "refuted": lambda s: replace(
            s, losses=s.losses | {"Adagrad": s.losses["Adagrad, r := 0 at the switch"]}
        ),
        "confirmed": lambda s: replace(
            s,
            losses=s.losses
            | {
                "Adagrad": s.losses["Adagrad"] * 0 + [2.0, 1.7, 1.69, 1.68, 1.67, 1.66],
                "RMSprop": s.losses["Adagrad, r := 0 at the switch"],
            },
        ),
        "depends": lambda s: replace(
            s,
            losses=s.losses
            | dict.fromkeys(
                ["Adagrad", "RMSprop"],
                s.losses["Adagrad"] * 0 + [2.0, 1.7, 1.69, 1.69, 1.69, 1.69],
            ),
        ),
    },
    "stop-learning": {
        "confirmed": lambda s: last_step_at_rest(s, 3.3e5),
        "refuted": lambda s: last_step_at_rest(s, 1e12),
    },
    "low-precision": {
        "confirmed": lambda s: stopping(s, "random"),
        "refuted": lambda s: stopping(s, "none"),
    },
    "terminal-velocity": {
        "depends": lambda s: replace(s, speed=scaled(s.speed, 1.3, 0.9)),
        "refuted": lambda s: replace(s, speed=scaled(s.speed, 1.3)),
    },
    "cautious-steps": {
        "confirmed": lambda s: masked_steps(s, 0.5),
        "refuted": lambda s: masked_steps(s, 3.0),
    },
    "momentum-noise": {
        "confirmed": lambda s: variance(s, 0.4, 0.3),
        "depends": lambda s: variance(s, 0.4, 3.0),
    },
    "nesterov-cycle": {
        "depends": lambda s: paths_end(s, "SGD", 0.7),
        "refuted": lambda s: paths_end(s, "Momentum", 0.0),
    },
    "nesterov-forms": {
        "confirmed": lambda s: replace(s, apart=scaled(s.apart, 1e-11)),
        "refuted": lambda s: replace(s, apart={kind: gap + 0.3 for kind, gap in s.apart.items()}),
    },
    "scale-free": {
        "confirmed": lambda s: replace(s, apart=constant(s.apart, 3e-14)),
        "refuted": lambda s: replace(s, apart=constant(s.apart, 0.4)),
    },
    "root-of-time": {
        "depends": lambda s: replace(s, rates=scaled(s.rates, 1.2)),
        "refuted": lambda s: replace(
            s, rates={size: 7 * rates**3 for size, rates in s.rates.items()}
        ),
    },
    "network-decay": {
        "confirmed": lambda s: replace(
            s, rates={r: np.ones_like(v) * (s.t[:, None] ** -0.4) for r, v in s.rates.items()}
        ),
        "depends": lambda s: replace(
            s,
            rates={
                r: np.ones_like(v)
                * s.t[:, None] ** np.where(np.arange(v.shape[2]) == 0, -0.9, -0.4)
                for r, v in s.rates.items()
            },
        ),
        "refuted": lambda s: replace(
            s, rates={r: np.ones_like(v) * (s.t[:, None] ** -0.9) for r, v in s.rates.items()}
        ),
    },
    "network-layers": {
        "confirmed": lambda s: with_curvature(s, 100.0),
        "depends": lambda s: with_curvature(s, 100.0, 1),
        "refuted": lambda s: with_curvature(s, 2.0),
    },
    "saddle": {
        "depends": lambda s: replace(s, beside=s.beside | {"SGD": np.inf}),
        "refuted": lambda s: replace(s, beside=dict.fromkeys(s.beside, np.inf)),
    },
    "sparse-features": {
        "depends": undecided,
        "refuted": lambda s: quotients(s, 1.6),
    },
    "sparse-words": {
        "depends": undecided,
        "refuted": lambda s: quotients(s, 1.6),
    },
    "short-memory": {
        "confirmed": lambda s: replace(s, regret=scaled(s.regret, 0.1)),
        "depends": lambda s: replace(s, regret=scaled(s.regret, 0.1, (3, "Adam"))),
    },
    "long-memory": {
        "confirmed": lambda s: adam_ends(s, -0.9, -0.8, -0.7),
        "depends": lambda s: adam_ends(s, 0.9, 0.8, -0.7),
        "refuted": lambda s: adam_ends(s, 0.9, 0.8, 0.7),
    },
    "rare-gradients": {
        "confirmed": lambda s: replace(s, end={case: -abs(end) for case, end in s.end.items()}),
        "refuted": lambda s: replace(s, end={case: abs(end) for case, end in s.end.items()}),
    },
    "generalization": {
        "confirmed": lambda s: replace(s, error=scaled(s.error, 0.0, "SGD, feature 1 · 0.1")),
        "refuted": lambda s: replace(s, error=scaled(s.error, 0.0, "Adagrad", "RMSprop", "Adam")),
    },
}


def with_curvature(seen, ratio, count=None):
    """Layers whose curvatures are so far apart, in the first cases only if a count is given."""
    cases = {}
    for i, (name, case) in enumerate(seen.cases.items()):
        far = ratio if count is None or i < count else 2.0
        curvature = np.geomspace(1, far, case.curvature.shape[1])
        cases[name] = replace(case, curvature=np.tile(curvature, (len(case.curvature), 1)))
    return replace(seen, cases=cases)

"""Adagrad's regret on convex losses stays below its bound, which grows as √T."""

from dataclasses import dataclass

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.online import DIMENSIONS, regret_and_bound, sparse_stream
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import interval, intervals
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all

HORIZONS = (50, 500, 5000)
STREAMS = ("hinge", "±1")


@dataclass(frozen=True)
class Seen:
    """Regret and bound [horizons, seeds] by stream."""

    regret: dict[str, np.ndarray]
    bound: dict[str, np.ndarray]

    def ratio(self, stream: str) -> np.ndarray:
        return self.regret[stream] / self.bound[stream]

    def exponent(self, stream: str) -> float:
        """Exponent of the median regret in T."""
        middle = np.median(self.regret[stream], axis=1)
        return float(np.polyfit(np.log(HORIZONS), np.log(np.maximum(middle, 1e-9)), 1)[0])


def observe(settings: Claims) -> Seen:
    seeds, rng = 2 * settings.seeds, np.random.default_rng(settings.seed + 1)
    streams = {
        "hinge": sparse_stream(seeds, HORIZONS[-1], settings.seed)[0],
        "±1": rng.choice([-1.0, 1.0], (HORIZONS[-1], seeds, DIMENSIONS)),
    }
    regret, bound = {}, {}
    for name, stream in streams.items():
        found = [regret_and_bound(stream[:rounds], name == "hinge") for rounds in HORIZONS]
        regret[name], bound[name] = np.moveaxis(np.array(found), 1, 0)
    return Seen(regret, bound)


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(bool(np.all(seen.ratio(s) <= limits["regret over bound"])) for s in STREAMS)


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    most, numbers, series = limits["regret over bound"], [], []
    for name in STREAMS:
        ratio = seen.ratio(name)
        worst, last = float(ratio.max()), interval(ratio[-1])
        numbers.append(
            Number(
                f"{name}: largest of {ratio.size} ratios of regret to bound",
                worst,
                agrees=worst <= most,
                allowed=f"≤ {most:g}",
                key=name == "hinge",
            )
        )
        theory: float | None = float(np.sqrt(2 / np.pi) / np.sqrt(8)) if name == "±1" else None
        label = f"{name}: median ratio, T = {HORIZONS[-1]}"
        numbers.append(Number(label, last.value, theory=theory, **last.ends))
        theory = 0.5 if name == "±1" else None
        numbers.append(Number(f"{name}: exponent of the regret in T", seen.exponent(name), theory))
        line, bound = f"{name}: regret", np.median(seen.bound[name], axis=1)
        series.append(Series(line, HORIZONS, *intervals(seen.regret[name].T)))
        series.append(Series(f"{line}, bound", HORIZONS, bound, style="theory", of=line))
    worst_of = " and ".join(f"{exact(float(seen.ratio(s).max()), 3)} ({s})" for s in STREAMS)
    grows = " and ".join(exact(seen.exponent(s), 3) for s in STREAMS)
    condition = {
        "confirmed": f"The regret is at most {worst_of} of its bound. It grows as T to the power "
        f"{grows}, so the mean loss nears the best one's.",
        "depends": f"Only for some of the losses: the regret is up to {worst_of} times its bound.",
        "refuted": f"The regret exceeds its bound: up to {worst_of} times.",
    }[verdict]
    meaning = {
        "confirmed": "The guarantee is for convex losses and bounded weights; a CNN's loss is not "
        "convex.",
        "depends": "Check what the guarantee asks for before you lean on it.",
        "refuted": "This method has no such guarantee.",
    }[verdict]
    figure = Lines(
        "Adagrad's regret in a box",
        "rounds T",
        "regret",
        tuple(series),
        x_log=True,
        y_log=True,
        caption=f"The largest ratios of regret to bound are {worst_of}.",
    )
    broken = [s for s in STREAMS if np.any(seen.ratio(s) > most)]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=", ".join(broken))


CLAIM = Claim(
    name="claim-regret",
    reading=__doc__,
    title="Adagrad's guarantee",
    kind="by theorem",
    hypothesis="Adagrad's regret is at most √2 D∞ Σᵢ‖g₁:T,ᵢ‖₂ on streams of convex losses.",
    measure=f"d = {DIMENSIONS}, box [−1, 1], η = √2, T ∈ {HORIZONS}: hinge losses of sparse "
    "features, and random gradients ±1; twice the seeds. Of linearized losses, whose regret is no "
    "smaller.",
    acceptance="Confirmed if no ratio of regret to bound exceeds the given one, depends if so for "
    "one of the two kinds of losses, else refuted.",
    theory="D∞ = 2, η = D∞/√2 = √2. For random ±1, the expected regret is d√(2T/π) and the bound "
    "d√(8T): a ratio of 0.282, and the exponent ½.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Theorem 5 and Corollary 6.",
    dated="2026-11-29",
    limits={"regret over bound": 1.0},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)

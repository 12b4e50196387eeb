"""There are trajectories through regions of several kinds: hills, saddles and bowls."""

from dataclasses import dataclass, replace

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.terrains import (
    HALF_SIDE,
    KINDS,
    RATES,
    STARTS,
    STEPS,
    downward_directions,
    himmelblau,
    trajectories,
)
from tfadaopt.experiments.reports.figures import Bars, Contours
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all
from tfadaopt.experiments.trial.landscape import landscape

SEVERAL = 2


@dataclass(frozen=True)
class Seen:
    """Kinds of regions that each trajectory passes [starts], by method, and paths of one start."""

    kinds: dict[str, np.ndarray]
    start: int
    picture: Contours

    def drawn(self) -> Contours:
        """Return the picture with what it shows."""
        passed = self.kinds["SGD"][self.start]
        words = f"From this start SGD passes {passed} of the kinds bowl, saddle and hill."
        return replace(self.picture, caption=words)


def observe(settings: Claims) -> Seen:
    walked = trajectories(settings.seed)
    kinds = {}
    for method, points in walked.items():
        found = downward_directions(points)
        passed = np.array([(found == kind).any(axis=0) for kind in range(len(KINDS))])
        finite = np.isfinite(points).all(axis=(0, 2))
        kinds[method] = np.where(finite, passed.sum(axis=0), 0)
    longest = int(kinds["SGD"].argmax())
    side = (-HALF_SIDE, HALF_SIDE)
    picture = landscape(
        "Himmelblau's function, all methods from one start",
        himmelblau,
        side,
        side,
        {method: points[:, longest] for method, points in walked.items()},
        f_log=True,
        apart=True,
    )
    return Seen(kinds, longest, picture)


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(bool(found.max() >= SEVERAL) for found in seen.kinds.values())


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers = []
    for method, found in seen.kinds.items():
        label = f"{method}: kinds of regions on one trajectory, at most"
        numbers.append(Number(label, int(found.max()), agrees=bool(found.max() >= SEVERAL)))
        share = float(np.mean(found >= SEVERAL))
        numbers.append(Number(f"{method}: share of trajectories through several kinds", share))
    shares = {m: float(np.mean(found >= SEVERAL)) for m, found in seen.kinds.items()}
    each = ", ".join(f"{method} {share:.0%}" for method, share in shares.items())
    none = [method for method, found in seen.kinds.items() if found.max() < SEVERAL]
    condition = {
        "confirmed": f"It may: with each method some do. Through several kinds pass {each}.",
        "depends": f"With some methods; with {', '.join(none)} none does. Through several kinds "
        f"pass {each}.",
        "refuted": f"No trajectory does: {each}.",
    }[verdict]
    meaning = {
        "confirmed": "What the rates learned on the way, in Adagrad's sum above all, is of regions "
        "that lie behind.",
        "depends": "How much of the terrain is seen hangs on the method.",
        "refuted": "On such a surface training stays in the kind of region it begins in.",
    }[verdict]
    bars = Bars(
        "Trajectories through several kinds of regions",
        "share of starts",
        tuple(shares),
        tuple(shares.values()),
        caption=f"{each}.",
    )
    fails = "none passes: " + ", ".join(none) if none else ""
    return Finding(verdict, condition, tuple(numbers), (seen.drawn(), bars), meaning, fails=fails)


CLAIM = Claim(
    name="claim-terrains",
    reading=__doc__,
    title="Through several terrains",
    kind="measured",
    hypothesis="For each method there is a start whose trajectory passes two or more of three "
    "kinds of regions: bowl, saddle, hill, by the signs of the Hessian's eigenvalues.",
    measure=f"Himmelblau's function, {STARTS} random starts in [−5, 5]², {STEPS:,} steps; η: "
    f"{', '.join(f'{m} {r:g}' for m, r in RATES.items())}; μ = 0.9. Kind of region at each step, "
    "from the Hessian; trajectories that diverge count as none.",
    acceptance="A may-sentence: confirmed if some trajectory of each method does, depends if of "
    "some methods only, refuted if none does.",
    theory="None: the sentence says what can be. Of the square, hills and saddles are a part, from "
    "which a descent to a minimum has to lead through others.",
    source="D. Himmelblau, Applied Nonlinear Programming (1972); I. Goodfellow, Y. Bengio and "
    "A. Courville, Deep Learning (2016), 8.5.2.",
    dated="2026-11-29",
    limits={},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)

"""Once the training runs, the rate goes on falling faster where the slope is larger."""

from tfadaopt.experiments.claims.steep_and_flat import lines
from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.constant_gradients import (
    GRADIENTS,
    KINDS,
    LONG,
    MANY,
    Falls,
    falls,
)
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all

LARGE, SMALL = -1, 2  # gradients of 1 and of 10⁻²


def observe(settings: Claims) -> Falls:
    return falls()


def later(seen: Falls, kind: str, place: int) -> float:
    """Return how many times the rate falls between two steps of a running training."""
    return float(seen.after(kind, LONG)[place] / seen.after(kind, MANY)[place])


def ahead(seen: Falls, kind: str) -> float:
    """Return the fall under large gradients over that under small ones."""
    return later(seen, kind, LARGE) / later(seen, kind, SMALL)


def decide(seen: Falls, limits: Limits) -> Verdict:
    return of_all(ahead(seen, kind) >= limits["faster"] for kind in KINDS)


def tell(seen: Falls, limits: Limits, verdict: Verdict) -> Finding:
    least, numbers = limits["faster"], []
    large, small = exact(GRADIENTS[LARGE]), exact(GRADIENTS[SMALL])
    for kind in KINDS:
        numbers.append(
            Number(
                f"{kind}: fall from step {MANY} to {LONG:,}, gradients of {large} over {small}",
                ahead(seen, kind),
                unit="×",
                agrees=ahead(seen, kind) >= least,
                allowed=f"≥ {least:g}",
                key=kind == "ε = 1e-7",
            )
        )
        for name, place in ((large, LARGE), (small, SMALL)):
            label = f"{kind}: fall from step {MANY} to {LONG:,}, gradients of {name}"
            numbers.append(Number(label, later(seen, kind, place), unit="×"))
    yes = [kind for kind in KINDS if ahead(seen, kind) >= least]
    no = [kind for kind in KINDS if kind not in yes]
    each = ", ".join(f"{exact(ahead(seen, kind), 3)} × with {kind}" for kind in KINDS)
    span = f"From step {MANY} to {LONG:,}"
    condition = {
        "confirmed": f"{span} the rate falls faster under gradients of {large} than of {small}: "
        f"{each}.",
        "depends": f"{span} the rate falls faster under gradients of {large} than of {small} only "
        f"where the start delays the small ones ({', '.join(yes)}): {each}. Else all rates fall "
        "as 1/√t.",
        "refuted": f"{span} the rate falls no faster under gradients of {large} than of {small}: "
        f"{each}.",
    }[verdict]
    meaning = {
        "confirmed": "Steep layers are slowed down more and more against flat ones.",
        "depends": "Ratios of rates are set in the first steps and stay; with Keras' r₀ = 0.1 "
        "layers of small gradients keep their rate for longer.",
        "refuted": "Ratios of rates do not change any more: all layers slow down alike.",
    }[verdict]
    figures = tuple(
        lines(seen, f"Fall of the rate, {kind}", kind, f"{span}: {exact(ahead(seen, kind), 3)} ×.")
        for kind in (*no[:1], *yes[:1])
    )
    fails = ", ".join(no)
    return Finding(verdict, condition, tuple(numbers), figures, meaning, fails=fails)


CLAIM = Claim(
    name="claim-decay-alike",
    reading=__doc__,
    title="Does the rate fall faster for a large slope?",
    kind="by theorem",
    hypothesis="Between two steps of a running training, the rate falls more under gradients of 1 "
    "than of 10⁻².",
    measure="Adagrad under constant gradients: the rate after 100 steps over that after 10,000, "
    "with r₀ = 0 and ε = 1e-7, with Keras' r₀ = 0.1, and with neither.",
    acceptance="Faster means by the given factor. Confirmed if so with each of the three, depends "
    "if with some, refuted if with none.",
    theory="rate = η/√(ε + r₀ + g²t): once g²t ≫ ε + r₀ it falls as 1/√t, whatever g is. Only "
    "below that, for t < (ε + r₀)/g², is the rate held: 1,000 steps with g = 10⁻² and r₀ = 0.1.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Figure 1; Keras 3, Adagrad.",
    dated="2026-11-29",
    limits={"faster": 1.5},
    observe=observe,
    decide=decide,
    tell=tell,
)

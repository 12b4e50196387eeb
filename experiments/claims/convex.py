"""2.14 "Adagrad converges rapidly when applied to convex functions." """

import numpy as np
import tensorflow as tf
from scipy import stats

from tfadaopt.experiments.claims.ravine import tuned
from tfadaopt.experiments.claims.rotation import DIMENSIONS, RATES, steps_needed
from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.reports.intervals import Interval, interval
from tfadaopt.experiments.trial.claim import Claim, Finding, Number, within

OTHERS = "SGD, η = 2/(L+m)", "Momentum, tuned", "Nesterov, η = 1/L"
KNOWN = {100: (286, 52, 53), 1000: (2948, 187, 142)}


def run(settings) -> Finding:
    numbers, bars, wins = [], {}, []
    turns = stats.ortho_group.rvs(DIMENSIONS, size=settings.seeds, random_state=0)
    for k, known in ((k, dict(zip(OTHERS, steps, strict=True))) for k, steps in KNOWN.items()):
        f = lambda w, k=k: tf.reduce_sum(np.geomspace(1 / k, 1, DIMENSIONS) * w**2, 1) / 2  # noqa: E731
        for method, form, eta, mu, *_ in tuned(k):
            if (label := f"{method}, {form}") in known:
                more = {"loss": f} | ({"momentum": mu} if mu else {})
                falling = walk(method, eta, np.ones(DIMENSIONS), 3500, **more)["loss"]
                steps = arrivals(falling, 1e-6 * falling[0])[0]
                more = {"absolute": 1, "unit": "steps"}
                numbers.append(within(f"κ = {k}, {label}: steps", steps, known[label], **more))
                bars[f"{label}, κ = {k}"] = Interval(steps, steps, steps)
        fastest = min(bar.value for bar in list(bars.values())[-3:])
        # From w = 1, η = 1 would land on the lowest point at once, by luck.
        aligned = steps_needed(k, np.eye(DIMENSIONS)[np.newaxis], 4000)[0, RATES != 1].min()
        turned = steps_needed(k, turns, 4000)
        turned = interval(turned[:, np.argmin(np.median(turned, axis=0))])
        ours = {"along the axes": Interval(aligned, aligned, aligned), "turned": turned}
        for position, bar in ours.items():
            bars[label := f"Adagrad {position}, κ = {k}"] = bar
            more = bar.ends | {"unit": "steps", "key": (k, position) == (1000, "turned")}
            numbers.append(Number(f"{label}: steps at best η", bar.value, **more))
            wins.append(bar.value <= fastest)
    columns = np.transpose([(bar.value, bar.low, bar.high) for bar in bars.values()])
    words = "Ravines", "steps to f ≤ 10⁻⁶ f₀", tuple(bars)
    figure = Bars(*words, *columns, y_log=True, caption=CAPTION)
    word = "confirmed" if all(wins) else "depends" if any(wins) else "refuted"
    return Finding(word, CONDITION, tuple(numbers), (figure,), MEANING)


CAPTION = "Along the axes Adagrad wins; turned, it is with SGD, far behind momentum."
CONDITION = "Rapidly along the axes; on ravines turned at random, tuned momentum is much faster."
MEANING = "For dense layers momentum is the stronger tool; Adagrad's is for sparse, uneven slopes."
CLAIM = Claim(
    "claim-convex",
    __doc__,
    "Rapid on convex functions?",
    hypothesis="On ½Σλw², in any position, Adagrad is as fast as SGD, Momentum and Nesterov.",
    measure="Steps to f ≤ 10⁻⁶ f₀, d = 50; η, μ by theory, Adagrad's the best of 7; turns: seeds.",
    acceptance="Confirmed if so in all four cases, depends if in some, refuted if in none.",
    theory="Only O(1/√T) is known in general; for smooth convex functions O(1/T) (AdaGrad-Norm).",
    source="Duchi, Hazan and Singer (2011); Ward, Wu and Bottou, JMLR 21 (2020).",
    run=run,
    deterministic=False,
)

"""Where to look for a good learning rate: out from the best by decades, then between neighbours."""

import math
from collections.abc import Mapping


def next_rate(scores: Mapping[float, float], default: float, decades_first: int = 3) -> float:
    """Return the rate to try next: out from the best by decades, then between its neighbours.

    The first three are the default of the method and a decade to either side. While the best lies
    at an end, the grid goes on there by another decade; once it lies inside, the wider gap beside
    it is halved, on the logarithmic axis.

    Args:
        scores: Score of each rate tried so far; less is better, infinity for what failed.
        default: Rate to begin with.
        decades_first: How many are tried before scores count, 1 to 3.

    Example:
        >>> next_rate({}, 0.01), next_rate({0.01: 2.0, 0.1: 1.0, 0.001: 3.0}, 0.01)
        (0.01, 1.0)
        >>> next_rate({0.01: 1.0, 0.1: 2.0, 0.001: 3.0}, 0.01)
        0.0316
    """
    first = [_rounded(default * factor) for factor in (1, 10, 0.1)][:decades_first]
    for rate in first:
        if rate not in scores:
            return rate
    rates = sorted(scores)
    best = best_rate(scores)
    if best is None:  # all failed: smaller steps
        return _rounded(rates[0] / 10)
    i = rates.index(best)
    if i in (0, len(rates) - 1):
        return _rounded(best / 10 if i == 0 else best * 10)
    below, above = best / rates[i - 1], rates[i + 1] / best
    # Equal but for rounding: the side of the better neighbour.
    if math.isclose(below, above, rel_tol=0.05):
        below, above = (scores[rates[i + 1]], scores[rates[i - 1]])
    return _rounded(math.sqrt(best * (rates[i - 1] if below > above else rates[i + 1])))


def best_rate(scores: Mapping[float, float]) -> float | None:
    """Return the rate of the lowest score, None if all failed; of equals, the smaller."""
    good = {rate: s for rate, s in scores.items() if math.isfinite(s)}
    return min(good, key=lambda rate: (good[rate], rate)) if good else None


def _rounded(rate: float) -> float:
    return float(f"{rate:.3g}")

"""What a comparison says in sentences, each of them made from its results."""

import math
from collections.abc import Iterator, Mapping, Sequence

from tfadaopt.experiments.compare import significance
from tfadaopt.experiments.compare.comparison import Comparison
from tfadaopt.experiments.compare.contenders import OWN
from tfadaopt.experiments.compare.costs import Way
from tfadaopt.experiments.compare.results import GOOD_ENOUGH, Contender
from tfadaopt.experiments.compare.significance import Pair
from tfadaopt.experiments.compare.trials import KNOWN_AT_ONCE, Reading
from tfadaopt.experiments.reports import pages


def advice(
    config: Comparison,
    ranked: Sequence[Contender],
    pairs: Sequence[Pair],
    sure: Mapping[str, float],
) -> list[str]:
    """Return what to choose and how sure that is, the advice itself first, in sentences."""
    if not ranked or ranked[0].middle is None or math.isinf(ranked[0].middle.value):
        return ["Nothing can be recommended: no method finished its runs, see the report."]
    best = ranked[0]
    against = [pair for pair in pairs if pair.better == best.label]
    seeds = min(len(c.scores) for c in ranked)
    same = [pair.worse for pair in against if not pair.clear]
    said = []
    if not against:
        said.append(f"{with_settings(best)} ran alone; name more methods to compare it with.")
    elif not same:
        p = max(pair.adjusted for pair in against)
        said.append(
            f"Choose {with_settings(best)}. It is better than {listed([p.worse for p in against])} "
            f"by more than the seeds explain: p ≤ {pages.short(p, 2)}, corrected for "
            f"{count(len(pairs), 'pair')}."
        )
    else:
        said += _no_choice(best, ranked, against, seeds)
    if against:
        said.append(_visible(config, pairs, seeds))
        share = f"{100 * sure[best.label]:.0f} %"
        said.append(
            f"In {share} of resamples of the seeds, the median of {best.label} is the best."
        )
    said += [sentence for c in ranked for sentence in _search(config, c)]
    for c in ranked:
        if c.failed:
            said.append(f"{c.label} failed in {c.failed} of {len(c.scores)} reported runs.")
    return said


def missing(found: Reading, contenders: Sequence[Contender]) -> list[str]:
    """Say which parts of the comparison are not finished."""
    config, gaps = found.config, []
    searches = len(config.decays)
    for c, arm in zip(contenders, found.arms, strict=True):
        tried = sum(len(search.trials) for search in arm.searches)
        if not c.complete:
            gaps.append(f"{c.label}: {tried} of {config.trials * searches} rates tried")
        elif c.chosen is not None and len(c.scores) < config.seeds:
            gaps.append(f"{c.label}: {len(c.scores)} of {config.seeds} reported runs")
    return gaps


def on_target(config: Comparison, goal: float, ways: Sequence[Way]) -> list[str]:
    """Say what the target is, who reaches it first, and what the tuning costs."""
    origin = (
        "as asked for with --target"
        if config.target is not None
        else "which at least half of the methods reach at the end"
    )
    said = [
        f"The target is a validation {config.objective} of {pages.exact(goal)} or "
        f"{'more' if config.larger_is_better else 'less'}, {origin}."
    ]
    there = sorted((way for way in ways if math.isfinite(way.epochs)), key=lambda way: way.steps)
    if not there:
        said.append("No method reaches it in half of its runs.")
        return said
    first = [way for way in there if way.steps == there[0].steps]
    steps, epochs = there[0].steps, there[0].epochs
    said.append(
        f"{listed([way.label for way in first])} {'reach' if first[1:] else 'reaches'} it first: "
        f"after {count(int(epochs), 'epoch')}, {pages.exact(steps)} steps."
    )
    timed = [way for way in there if way.seconds is not None]
    if timed:
        quickest = min(timed, key=lambda way: way.seconds or 0.0)
        with_tuning = min(timed, key=lambda way: way.with_tuning or 0.0)
        said.append(
            f"In time, {quickest.label} is first, after {pages.duration(quickest.seconds or 0.0)}; "
            f"with the search of its rate, {with_tuning.label}, after "
            f"{pages.duration(with_tuning.with_tuning or 0.0)}."
        )
    return said


def on_tuning(ways: Sequence[Way], reported: float) -> str:
    """Say what the tuning cost, beside the runs that are reported."""
    runs, seconds = sum(w.tuning.runs for w in ways), sum(w.tuning.seconds for w in ways)
    said = f"The tuning took {count(runs, 'run')} and {pages.duration(seconds)} of training"
    if reported <= 0:
        return f"{said}."
    times = f"{seconds / reported:.2g}"
    much = "about as much" if times in ("1", "1.0") else f"{times} times as much"
    return f"{said}, {much} as the reported runs."


def with_settings(c: Contender) -> str:
    """Return a method with its rate, and its weight decay where one was chosen."""
    highest = "η up to" if c.scheduled else "η ="
    decay = "" if c.decay is None else f" and λ = {pages.short(c.decay)}"
    return f"{c.label} with {highest} {pages.short(c.chosen)}{decay}"


def decades(width: float) -> str:
    """Return a width in words: 1 decade, 1.5 decades."""
    return f"{width:.2g} decade{'' if f'{width:.2g}' == '1' else 's'}"


def count(number: int, what: str) -> str:
    """Return a number of things in words: 1 pair, 3 pairs."""
    return f"{pages.exact(number)} {what}{'' if number == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """Return names as a list in words: A, B and C."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _no_choice(
    best: Contender, ranked: Sequence[Contender], against: Sequence[Pair], seeds: int
) -> Iterator[str]:
    same = [pair.worse for pair in against if not pair.clear]
    behind = [pair.worse for pair in against if pair.clear]
    yield (
        f"{with_settings(best)} has the best median, but {listed(same)} cannot be told apart from "
        f"it with {count(seeds, 'seed')}."
    )
    if behind:
        are = "are" if behind[1:] else "is"
        yield f"{listed(behind)} {are} worse by more than the seeds explain."
    pool = [c for c in ranked if c.label in (best.label, *same)]
    widest = max((c for c in pool if c.width is not None), key=lambda c: c.width or 0, default=None)
    fastest = min((c for c in pool if c.seconds), key=lambda c: c.seconds or 0, default=None)
    if widest is not None:
        yield (
            f"Of these, {widest.label} is the least sensitive to its rate: its validation loss "
            f"stays within {GOOD_ENOUGH} × its best over {decades(widest.width or 0.0)} of rates."
        )
    slowest = max(c.seconds or 0.0 for c in pool)
    if fastest is not None and (fastest.seconds or 0.0) < 0.9 * slowest:
        pace = pages.duration(fastest.seconds or 0.0)
        yield f"{fastest.label} took the least time, {pace} per 1,000 steps."


def _visible(config: Comparison, pairs: Sequence[Pair], seeds: int) -> str:
    """Say how small a difference can be seen; a pair has its own, the least is named."""
    all_of = f"{count(seeds, 'seed')} and {count(len(pairs), 'pair')}"
    needed = significance.fewest_seeds(len(pairs))
    if seeds < needed:
        return (
            f"With {all_of} of methods, no difference can be clear, however large: the smallest p "
            f"that the test can give is too large after the correction. It takes {needed} "
            f"seeds; the same command with --seeds {needed} goes on from here."
        )
    known = [pair for pair in pairs if math.isfinite(pair.visible)]
    if not known:
        return (
            f"With {all_of} of methods, the runs do not say which differences can be seen: they "
            "failed, or all their differences are equal."
        )
    least = min(known, key=lambda pair: pair.visible)
    most = max(known, key=lambda pair: pair.visible)
    said = (
        f"With {count(seeds, 'seed')}, differences in the {config.objective} below "
        f"{pages.short(least.visible, 2)} cannot be seen"
    )
    if least is not most:
        said += (
            f", between {most.better} and {most.worse} none below {pages.short(most.visible, 2)}"
        )
    return f"{said}."


def _search(config: Comparison, c: Contender) -> Iterator[str]:
    """Say where a search went, if it left the grid that it began with, or ended at its edge."""
    assert c.chosen is not None  # or it had no reported run
    start = "as it is compiled" if c.arm.schedule == OWN else "at its default"
    began = f"The search for {c.label} began {start}, η = {pages.short(c.default)}"
    ratio = c.chosen / c.default
    if len(c.rates) == 1:
        yield f"{began}, and tried no other rate; give more --trials."
    elif c.at_edge:
        more = "smaller" if c.chosen == c.rates[0] else "larger"
        yield (
            f"{began}, and ended at the edge of what {config.trials} trials could reach, "
            f"{pages.short(c.chosen)}: a {more} rate may be better; give more --trials."
        )
    elif not 0.099 < ratio < 10.1:  # the rates have three digits
        times = f"{ratio:.2g} times" if ratio > 1 else f"1/{1 / ratio:.2g} of"
        yield (
            f"{began}, left its first {KNOWN_AT_ONCE} rates, a decade to either side, and found "
            f"the best at {pages.short(c.chosen)}, {times} that."
        )
    decays = [decay for decay in c.by_decay if decay is not None]
    if len(decays) > 1 and c.decay == max(decays):
        yield (
            f"The best weight decay of {c.label}, {pages.short(c.decay)}, is the largest that was "
            "tried: a larger one may be better."
        )

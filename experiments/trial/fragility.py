"""How easily a verdict turns: under other thresholds, and under other seeds."""

import functools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.trial.claim import Claim, Result, Retrial

SEED = "seed "
FACTORS = {"½": 0.5, "2": 2.0}
# Verdicts under five further seeds, which take five times as long as a run.
RECORD = Path(__file__).with_name("recorded.json")
Seen = TypeVar("Seen")


def under_thresholds(claim: Claim[Seen], seen: Seen) -> tuple[Retrial, ...]:
    """Return the verdicts with each threshold halved and doubled, from what was measured once."""
    return tuple(
        Retrial(
            f"{name} × {factor}",
            claim.decide(seen, dict(claim.limits) | {name: limit * FACTORS[factor]}),
        )
        for name, limit in claim.limits.items()
        for factor in FACTORS
    )


def under_seeds(claim: Claim, settings: Claims) -> tuple[Retrial, ...]:
    """Return the verdicts under as many further seeds as the settings ask for."""
    if claim.deterministic:
        return ()
    seeds = range(settings.seed + 1, settings.seed + 1 + settings.other_seeds)
    found = []
    for seed in seeds:
        seen = claim.observe(replace(settings, seed=seed))
        found.append(Retrial(f"{SEED}{seed}", claim.decide(seen, claim.limits)))
    return tuple(found)


@dataclass(frozen=True)
class Fragility:
    """What changes of seed and thresholds do to a verdict.

    Attributes:
        seeds: Verdicts under other seeds; empty where seeds change nothing, or none was tried.
        thresholds: Verdicts with a threshold halved or doubled.
        turned: Those of both that differ from the verdict.
        recorded: Whether the seeds' verdicts are from the record that comes with the package.
        deterministic: Whether nothing is random.
        text: All of it, in a sentence or two.
    """

    seeds: tuple[Retrial, ...]
    thresholds: tuple[Retrial, ...]
    turned: tuple[Retrial, ...]
    recorded: bool
    deterministic: bool
    text: str


def fragility(result: Result) -> Fragility | None:
    """Return how easily the verdict of a result turns, or None if it has none."""
    if result.finding is None:
        return None
    verdict = result.finding.verdict
    seeds = tuple(r for r in result.retrials if r.change.startswith(SEED))
    thresholds = tuple(r for r in result.retrials if r not in seeds)
    recorded = not seeds and not result.deterministic and bool(record_of(result))
    if recorded:
        seeds = record_of(result)
    turned = tuple(r for r in seeds + thresholds if r.verdict != verdict)
    text = " ".join(
        [
            _of_seeds(result, seeds, recorded),
            _of_thresholds(verdict, thresholds, len(result.limits)),
        ]
    )
    return Fragility(seeds, thresholds, turned, recorded, result.deterministic, text)


def record_of(result: Result) -> tuple[Retrial, ...]:
    """Return the recorded verdicts under other seeds, if the rule and the settings are the same."""
    entry = recorded().get(result.name)
    settings = {name: _plain(value) for name, value in asdict(Claims()).items()}
    same = all(_plain(value) == settings.get(name) for name, value in result.settings.items())
    if entry is None or entry["rule"] != result.rule or not same:
        return ()
    return tuple(Retrial(change, verdict) for change, verdict in entry["seeds"].items())


@functools.cache
def recorded() -> dict[str, dict]:
    """Return what is recorded of each claim: its rule, its day and verdicts under other seeds."""
    content: dict[str, dict] = json.loads(RECORD.read_text(encoding="utf-8"))
    return content


def write_record(results: Sequence[Result], path: Path = RECORD) -> None:
    """Write what a run with ``--set other_seeds=5`` found; claims that it lacks are kept."""
    known = dict(recorded()) if path == RECORD else {}
    for result in results:
        if result.finding is None:
            continue
        seeds = {r.change: r.verdict for r in result.retrials if r.change.startswith(SEED)}
        known[result.name] = {"rule": result.rule, "dated": result.dated, "seeds": seeds}
    text = json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def _of_seeds(result: Result, seeds: Sequence[Retrial], recorded: bool) -> str:
    assert result.finding is not None
    if result.deterministic:
        return "Nothing in it is random."
    if not seeds:
        return f"Other seeds: not tried; {result.repeat} --set other_seeds=5 does."
    where = " (recorded with this rule)" if recorded else ""
    turned = [r for r in seeds if r.verdict != result.finding.verdict]
    if not turned:
        return f"The same under {len(seeds)} other seeds{where}."
    words = ", ".join(f"{r.verdict} under {r.change}" for r in turned)
    return f"Under {len(seeds)} other seeds{where}: {words}; else the same."


def _of_thresholds(verdict: str, thresholds: Sequence[Retrial], count: int) -> str:
    if not thresholds:
        return "The rule has no threshold."
    each = "its threshold" if count == 1 else f"each of {count} thresholds"
    turned = [r for r in thresholds if r.verdict != verdict]
    if not turned:
        return f"The same with {each} halved and doubled."
    words = ", ".join(f"{r.verdict} with {r.change}" for r in turned)
    return f"With {each} halved and doubled: {words}; else the same."


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value

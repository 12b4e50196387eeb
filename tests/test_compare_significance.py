"""When ``tfadaopt compare`` recommends a method: tests over seeds, and sentences that turn."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from tests.support.comparisons import (
    finished_comparison,
    page_of,
    reading,
    said_of,
    valley,
    write,
)
from tfadaopt.experiments.compare import advice, comparison, significance
from tfadaopt.experiments.compare import report as compare_report
from tfadaopt.experiments.compare import results as compare_results
from tfadaopt.experiments.compare.contenders import CONSTANT, Arm
from tfadaopt.experiments.compare.significance import Pair
from tfadaopt.experiments.reports.intervals import Interval


@pytest.fixture(autouse=True)
def without_figures(monkeypatch):
    """Pages without pictures: drawing them takes most of the time."""
    monkeypatch.setattr(compare_report, "figures", lambda *_: [])


def test_the_permutation_test_is_that_of_all_signs():
    gaps = [0.3, -0.1, 0.2, 0.5, 0.05, 0.4, -0.02]
    signs = itertools.product((1, -1), repeat=len(gaps))
    sums = [abs(sum(s * g for s, g in zip(sign, gaps, strict=True))) for sign in signs]
    share = np.mean(np.array(sums) >= abs(sum(gaps)) - 1e-12)
    assert significance.permutation_test(gaps) == pytest.approx(share)
    # A failure is twice the largest other difference, and two of both signs are no difference.
    bad = significance.permutation_test([math.inf, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert bad == significance.permutation_test([2.0, 1.0, 1.0, 1.0, 1.0, 1.0]) == 2 / 2**6
    ahead = [-1.0] * 5
    bounded = significance.permutation_test([math.inf, *ahead])
    assert bounded == significance.permutation_test([2.0, *ahead]) < 1.0
    assert significance.permutation_test([math.inf, -math.inf, 0.0]) == 1.0
    assert significance.permutation_test([0.0, 0.0]) == significance.permutation_test([1.0]) == 1.0


def test_the_smallest_visible_difference_is_found_in_four_of_five():
    for seeds, level in ((6, 0.05), (10, 0.005)):
        size = significance.smallest_visible(seeds, level)
        noise = np.random.default_rng(9).standard_normal((200, seeds))
        found = [significance.permutation_test(row + size) <= level for row in noise]
        assert 0.7 < np.mean(found) < 0.9
    # Where one goes over into the other, simulation and Student's t agree.
    t = stats.t.ppf([0.995, 0.8], 11).sum() / math.sqrt(12)
    assert significance.smallest_visible(12, 0.01) == pytest.approx(t, rel=0.04)
    assert significance.smallest_visible(5, 0.05) == math.inf
    assert significance.smallest_visible(1, 0.05) == math.inf
    for pairs in (1, 3, 10):
        fewest = significance.fewest_seeds(pairs)
        level = significance.LEVEL / pairs
        assert significance.smallest_visible(fewest, level) < math.inf
        assert significance.smallest_visible(fewest - 1, level) == math.inf


def test_a_clear_winner_is_named_and_paired_by_seed(tmp_path):
    config, store = finished_comparison(tmp_path, valley, seeds=6)
    _, _, ranked = reading(config, store)
    assert [c.label for c in ranked] == ["SGD", "Adagrad"]
    assert [c.chosen for c in ranked] == [0.1, 0.1]
    (pair,) = significance.pairs(ranked)
    # Seed by seed the gap is 1 exactly, although the seeds themselves spread by 0.4.
    assert (pair.gap.low, pair.gap.high) == pytest.approx((1, 1))
    assert pair.p == pair.adjusted == 2 / 2**6
    assert compare_results.sureness(ranked) == {"SGD": 1.0, "Adagrad": 0.0}
    said = said_of(config, store)
    assert said.startswith("Choose SGD with η = 0.1. It is better than Adagrad")
    assert "p ≤ 0.031" in said


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5])
def test_few_seeds_are_no_choice_however_large_the_difference(seeds, tmp_path):
    config, store = finished_comparison(tmp_path, valley, seeds=seeds)
    said = said_of(config, store)
    assert said.startswith("SGD with η = 0.1 has the best median, but Adagrad cannot be told apart")
    assert "no difference can be clear, however large" in said
    assert "It takes 6 seeds; the same command with --seeds 6 goes on from here." in said
    assert "Choose" not in page_of(store)
    assert "better than" not in said


def test_holm_takes_a_choice_away_that_one_pair_would_allow(tmp_path):
    names = "SGD,Adagrad,RMSprop,Adam"

    def loss(name, rate, seed):
        return valley("Adagrad" if name != "SGD" else "SGD", rate, seed)

    config, store = finished_comparison(tmp_path, loss, names, seeds=7)
    said = said_of(config, store)
    assert "Choose" not in said
    assert "With 7 seeds and 6 pairs of methods, no difference can be clear" in said
    assert "with --seeds 8 goes on" in said


def noisy(gap: float):
    """SGD is better by a gap, with noise that is not shared."""

    def loss(name, rate, seed):
        noise = np.random.default_rng([seed, name == "SGD"]).random()
        return valley("SGD", rate, 0) + noise + gap * (name != "SGD")

    return loss


@pytest.mark.parametrize("gap", [0.0, 5.0])
def test_the_conclusion_turns_with_the_results(gap, tmp_path):
    """No sentence of one conclusion stands beside the other."""
    config, store = finished_comparison(tmp_path, noisy(gap), seeds=8)
    _, _, ranked = reading(config, store)
    (pair,) = significance.pairs(ranked)
    said, page = said_of(config, store), page_of(store)
    assert sum(compare_results.sureness(ranked).values()) == pytest.approx(1)
    of_clear = ["Choose SGD with η = 0.1", "by more than the seeds explain", "<td>yes</td>"]
    of_same = ["cannot be told apart", "is the least sensitive", "<td>no</td>", "not clear"]
    there, gone = (of_clear, of_same) if gap else (of_same, of_clear)
    assert pair.clear == bool(gap)
    assert all(words in page for words in there)
    assert not any(words in page for words in gone)
    # What can be seen is computed from this spread, whatever the conclusion.
    spread = np.std(
        [b - a for a, b in zip(ranked[0].scores, ranked[1].scores, strict=True)], ddof=1
    )
    assert pair.visible == pytest.approx(significance.smallest_visible(8, 0.05) * spread)
    assert f"With 8 seeds, differences in the loss below {pair.visible:.2g} cannot be seen" in said


def test_a_mean_against_the_ranking_is_no_choice(tmp_path):
    """Adagrad's median is better, but it is far behind with six seeds of thirteen."""

    def loss(name, rate, seed):
        far = name == "Adagrad" and seed < 6
        return valley("SGD", rate, 0) + (100 + seed if far else 0.01 * (name == "SGD"))

    config, store = finished_comparison(tmp_path, loss, seeds=13)
    _, _, ranked = reading(config, store)
    (pair,) = significance.pairs(ranked)
    assert (pair.better, pair.clear) == ("Adagrad", False)
    assert pair.adjusted < significance.LEVEL


def contender(method: str, seconds: float, width: float | None) -> compare_results.Contender:
    """One with eight reported runs, whose best rate is its default."""
    return compare_results.Contender(
        arm=Arm(method, CONSTANT),
        scheduled=False,
        decay=None,
        rates=(0.01, 0.1, 1.0),
        values=(2.0, 1.0, 3.0),
        lows=(2.0, 1.0, 3.0),
        highs=(2.0, 1.0, 3.0),
        by_decay={None: 1.0},
        complete=True,
        chosen=0.1,
        at_edge=False,
        width=width,
        default=0.1,
        at_default=1.0,
        failed_trials=0,
        tuning_runs=9,
        scores=(1.0,) * 8,
        middle=Interval(1.0, 0.9, 1.1),
        failed=0,
        seconds=seconds,
    )


NAMES = ("SGD", "Adagrad", "Adam", "RMSprop")
ALIKE = "SGD with η = 0.1 has the best median, but Adagrad cannot be told apart from it"


@pytest.mark.parametrize(
    ("clear", "visible", "width", "said", "not_said"),
    [
        (
            (False, True, True),
            (0.5, 0.1, 0.1),
            None,
            [
                ALIKE,
                "Adam and RMSprop are worse by more than the seeds explain.",
                # Adam is faster, but no choice.
                "Adagrad took the least time, 2.0 s per 1,000 steps.",
                "below 0.1 cannot be seen, between SGD and Adagrad none below 0.5.",
            ],
            "least sensitive",
        ),
        (
            (False, True),
            (math.nan, math.nan),
            1.5,
            [
                ALIKE,
                "Adam is worse by more than the seeds explain.",
                "SGD is the least sensitive to its rate",
                "With 8 seeds and 2 pairs of methods, the runs do not say which differences can be",
            ],
            "cannot be seen",
        ),
    ],
)
def test_what_is_as_good_as_the_best_is_told_from_what_is_behind(
    clear, visible, width, said, not_said, tmp_path
):
    names = NAMES[: len(clear) + 1]
    config = comparison.settings(write(tmp_path), names, seeds=8)
    seconds = dict(zip(NAMES, (4.0, 2.0, 1.0, 1.0), strict=True))
    ranked = [contender(name, seconds[name], width) for name in names]
    gap = Interval(1.0, 0.5, 1.5)
    pairs = [
        Pair("SGD", name, 8, gap, 0.01, 0.02 if is_clear else 0.3, is_clear, least)
        for name, is_clear, least in zip(names[1:], clear, visible, strict=True)
    ]
    found = " ".join(advice.advice(config, ranked, pairs, {"SGD": 0.7}))
    assert [words for words in said if words not in found] == []
    assert not_said not in found

"""The map of the methods: walks, rules that can come out each way, and a page of all of it."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tfadaopt.catalog import METHODS
from tfadaopt.experiments.method_map import course, measures, page, rows, survey, walking
from tfadaopt.experiments.runs.store import Store

LEGS = {leg.name: leg for leg in course.legs()}
ROWS = pytest.mark.parametrize("row", rows.ROWS, ids=lambda row: row.name)


def method(name: str):
    return next(record for record in METHODS if record.name == name)


def test_a_leg_is_walked_as_by_hand():
    legs = [LEGS["loud, then low"], LEGS["turned ravine 0.1"], LEGS["saddle 0.001 0.1"]]
    walked = walking.walk_course(method("Adagrad"), legs)
    for leg in legs:
        w, r = leg.start.copy(), np.zeros((2, 2))
        rate = leg.rate or walking.default_rate(method("Adagrad"))
        for t in range(1, 301):
            if leg.stream is not None:
                g = np.diag(leg.stream[t - 1])
            elif leg.hessian is not None:
                g = w @ leg.hessian
            else:
                g = np.stack([w[:, 0], w[:, 1] ** 3 - w[:, 1]], axis=1)
            r += g**2
            w = w - rate * g / np.sqrt(1e-7 + r)
            np.testing.assert_allclose(walked[leg.name][t], w, rtol=1e-9, atol=1e-12)


def test_each_leg_begins_afresh():
    first, last = LEGS["plain × 1000"], LEGS["plain"]
    # Adam with a sum that all variables share: both kinds of state.
    walked = walking.walk_course(method("DAdaptAdam"), [first, last, replace(last, name="again")])
    np.testing.assert_array_equal(walked["plain"], walked["again"])
    assert not np.array_equal(walked["plain"], walked["plain × 1000"])


def test_gradient_descent_takes_the_steps_that_its_closed_form_does():
    legs = [LEGS[f"ravine {rate:g}"] for rate in course.GRID]
    paths = walking.walk_course(method("SGD"), legs)
    with np.errstate(all="ignore"):  # some diverge
        (gain,) = [c.measure(paths) for c in _row("ravine").cases if c.label == "along the axes"]
    assert gain == 1


def _row(name: str) -> rows.Row:
    return next(row for row in rows.ROWS if row.name == name)


# What is known of these methods without any measurement.
KNOWN = {
    "SGD": {"one-rate": "confirmed", "scale-free": "refuted", "rotation": "confirmed"}
    | {"root-of-time": "refuted", "memory": "confirmed", "rare-gradients": "confirmed"},
    "Momentum": {"speed": "confirmed", "rotation": "confirmed", "ravine": "confirmed"},
    "Adagrad": {"one-rate": "depends", "rotation": "refuted", "memory": "refuted"}
    | {"root-of-time": "depends", "rare-gradients": "confirmed"},
    "RMSprop": {"memory": "confirmed", "rest": "refuted", "rare-gradients": "depends"},
    "Shampoo": {"rotation": "confirmed", "memory": "refuted"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_what_is_known_of_a_method_is_what_is_found(name):
    paths = walking.walk_course(method(name), course.legs())
    paths["bfloat16"] = walking.walk_in_bfloat16(method(name))
    numbers = rows.measure(paths)
    assert {key: _row(key).verdict(numbers[key]) for key in KNOWN[name]} == KNOWN[name]
    assert all(math.isfinite(n) for key in KNOWN[name] for n in numbers[key].values())


@ROWS
def test_a_rule_can_come_out_each_way(row):
    good = row.lowest if math.isfinite(row.lowest) else row.highest
    bad = row.lowest - 1 if row.lowest > 0 or row.highest == math.inf else row.highest + 1
    labels = [case.label for case in row.cases]
    assert row.verdict(dict.fromkeys(labels, good)) == "confirmed"
    assert row.verdict(dict.fromkeys(labels, bad)) == "refuted"
    assert row.verdict(dict.fromkeys(labels, math.nan)) == row.verdict({}) == "not tried"
    if len(labels) > 1:
        assert row.verdict(dict.fromkeys(labels, bad) | {labels[0]: good}) == "depends"


def test_a_changed_rule_is_a_changed_digest():
    row = _row("rotation")
    other = rows.Row(row.name, row.sentence, row.measured, row.lowest, 0.1, row.cases, row.claims)
    assert other.digest != row.digest
    assert len({row.digest for row in rows.ROWS}) == len(rows.ROWS)


@pytest.mark.parametrize(
    ("value", "close"), [(0.06, True), (0.04, False), (0.045, True), (0, False)]
)
def test_what_little_would_turn_is_called_close(value, close):
    assert _row("rotation").close(value) == close


def test_rates_that_vanish_have_no_fall_and_those_that_overflow_no_exponent():
    still = {"leg": np.zeros((3_001, 2, 2))}
    assert math.isnan(measures.falls_faster("leg", 1.0)(still))
    assert math.isnan(measures.exponent("leg", float)(still))
    gone = np.zeros((3_001, 2, 2))
    gone[5:] = math.inf
    with np.errstate(invalid="ignore"):
        assert measures.exponent("leg", float)({"leg": gone}) == math.inf


def test_a_method_that_cannot_walk_is_a_gap_with_its_reason(tmp_path, monkeypatch):
    def refuse(*_):
        raise ValueError("wraps another\nand more")

    monkeypatch.setattr(walking, "walk_course", refuse)
    (tmp_path / "cells").mkdir()
    cell, *rest = survey.cells()
    survey.compute(cell, tmp_path)
    found = survey.read(tmp_path)
    assert [s.method for s in found] == [record.name for record in METHODS]
    assert found[0].error == "ValueError: wraps another"
    assert {s.error for s in found[1:]} == {"not run yet"}
    text = page.write_map(tmp_path, found).read_text(encoding="utf-8")
    assert "SGD (ValueError: wraps another)" in text
    assert all(s.verdict(row) == "not tried" for s in found for row in rows.ROWS)
    assert Store(tmp_path).has(cell)
    assert not Store(tmp_path).has(rest[0])


def test_what_is_no_part_of_the_map_counts_as_not_run(tmp_path):
    (tmp_path / "cells").mkdir()
    cell, *_ = survey.cells()
    Store(tmp_path).put(cell, {"numbers": {"rotation": "all"}, "error": "", "seconds": 1.0})
    assert survey.read(tmp_path)[0].error == "not run yet"
    numbers = {"rotation": {"round bowl": math.inf}}
    Store(tmp_path).put(cell, {"numbers": numbers, "error": "", "seconds": 1.0})
    assert survey.read(tmp_path)[0].numbers == numbers


def test_the_page_has_a_mark_for_each_sentence_and_method_with_its_numbers(tmp_path):
    numbers = {row.name: {case.label: 1.0 for case in row.cases} for row in rows.ROWS}
    numbers["rotation"]["ravine of κ = 10"] = 0.0
    names = ["SGD", "A new one", "Gap"]
    found = [survey.Surveyed(name, numbers, file=f"cells/{name}.json") for name in names[:2]]
    found.append(survey.Surveyed(names[2], {}, "cannot"))
    claims = ["claim-rotation"]
    text = page.write_map(tmp_path, found, claims).read_text(encoding="utf-8")
    assert re.findall(r'<th scope="col"><span>(.*?)</span>', text) == names
    assert text.count('title="Gap: not tried"') == len(rows.ROWS)
    assert 'title="A new one: depends" aria-label="A new one: depends"' in text
    ids = set(re.findall(r' id="([^"]+)"', text))
    inside = re.findall(r'href="#([^"]+)"', text)
    assert len(inside) == len(rows.ROWS) * 3  # sentence, and both methods that were tried
    assert set(inside) <= ids
    outside = set(re.findall(r'href="([^#"]+)"', text))
    assert outside == {"report.html", "claims/claim-rotation.html", "cells/SGD.json"} | {
        "cells/A new one.json"
    }
    assert "<script" not in text
    rule = _row("rotation")
    assert rule.measured in text
    assert f"digest {rule.digest}" in text


def test_every_claim_that_a_row_names_is_one():
    folder = Path(survey.__file__).parents[1] / "claims"
    there = {f"claim-{path.stem.replace('_', '-')}" for path in folder.glob("*.py")}
    assert {name for row in rows.ROWS for name in row.claims} <= there

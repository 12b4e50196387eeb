"""The interactive picture: its numbers are those of the optimizers, and its controls move it."""

import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.browser import browsing, chromium
from tfadaopt.experiments.playground.embed import METHODS, playground, script
from tfadaopt.experiments.problems import surfaces
from tfadaopt.experiments.problems.walks import walk

STEPS, MU, TURN = 200, 0.8, math.radians(30)
# In the picture, a surface turns about the middle of its window.
MIDDLE = {"ravine": (0, 0), "saddle": (0, 0), "rosenbrock": (0, 0.8), "beale": (1.8, 0)}
START = {"ravine": (-2, 1), "saddle": (1.5, 0.01), "rosenbrock": (-1.2, 1), "beale": (1, 1)}
# Where a path neither diverges nor is chaotic: rounding must not grow to what is compared.
RATES = {
    "ravine": {"SGD": 0.08, "Momentum": 0.025, "Nesterov": 0.04, "Adagrad": 1, "RMSprop": 0.01},
    "saddle": {"SGD": 0.3, "Momentum": 0.1, "Nesterov": 0.1, "Adagrad": 0.3, "RMSprop": 0.004},
    "rosenbrock": dict.fromkeys(("SGD", "Momentum", "Nesterov"), 2e-4)
    | {"Adagrad": 0.1, "RMSprop": 1e-3},
    "beale": {"SGD": 0.01, "Momentum": 0.005, "Nesterov": 0.005, "Adagrad": 0.3, "RMSprop": 0.005},
}
DRIVER = """
const found = {};
for (const [key, start, angle, rates] of CASES) {
  const turned = turn(SURFACES[key], angle);
  for (const [name, eta] of Object.entries(rates)) {
    found[`${key} ${angle ? "turned" : "straight"} ${name}`] =
      walk(name, turned, { start, eta, mu: MU, steps: STEPS });
  }
}
const text = JSON.stringify(found);
"""


CASES = [(key, angle) for key in RATES for angle in (0.0, TURN)]


def heights(w):
    """The surfaces of all cases, apart from the JavaScript: of points [cases, 2]."""
    saddle = surfaces.surfaces(1.0)["saddle"].f
    forms = {
        "ravine": lambda w: 0.5 * (w[:, 0] ** 2 + 20 * w[:, 1] ** 2),
        "saddle": lambda w: saddle(w[:, 0], w[:, 1]),
        "rosenbrock": surfaces.rosenbrock,
        "beale": surfaces.beale,
    }
    turns = [[[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]] for _, a in CASES]
    middle = np.array([MIDDLE[key] for key, _ in CASES], "float64")
    own = tf.einsum("ni,nij->nj", w - middle, np.array(turns)) + middle
    return tf.concat([forms[key](own[2 * i : 2 * i + 2]) for i, key in enumerate(RATES)], axis=0)


def by_javascript() -> dict:
    """What ``descent.js`` computes, run by Node where there is one, else by Chromium."""
    cases = [[key, START[key], angle, RATES[key]] for key, angle in CASES]
    constants = f"const CASES = {json.dumps(cases)}, MU = {MU}, STEPS = {STEPS};\n"
    source = script("descent.js") + constants + DRIVER
    if node := shutil.which("node"):
        command = [node, "--input-type=module", "-"]
        program = source + "process.stdout.write(text);"
        done = subprocess.run(command, input=program, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    if chromium() is None:
        pytest.skip("neither Node nor Chromium is on this machine")
    with browsing() as browser:
        return json.loads(browser.new_page().evaluate(f"(() => {{ {source} return text; }})()"))


@pytest.fixture(scope="module")
def drawn() -> dict:
    return by_javascript()


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("name", METHODS)
def test_the_picture_walks_as_the_optimizers_do(drawn, name):
    more = {"momentum": MU} if name in ("Momentum", "Nesterov") else {}
    rates, starts = [RATES[key][name] for key, _ in CASES], [START[key] for key, _ in CASES]
    seen = walk(name, rates, starts, STEPS, loss=heights, record=["point", "rate"], **more)
    for i, (key, angle) in enumerate(CASES):
        found = drawn[f"{key} {'turned' if angle else 'straight'} {name}"]
        points = seen["point"][:, i]
        assert np.abs(points[-1] - points[0]).max() > 0.1  # it went somewhere
        np.testing.assert_allclose(found["points"], points, rtol=0, atol=1e-6, err_msg=key)
        applied = np.broadcast_to(seen["rate"][1:, i], (STEPS, 2))
        np.testing.assert_allclose(found["rates"], applied, rtol=1e-6, err_msg=key)


def test_it_needs_nothing_else():
    page = str(playground())
    assert not re.search(r"^(?:import|export) ", page, re.MULTILINE)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", page)
    assert page.count("<script") == page.count("</script>") == 1
    lines = script().splitlines()
    assert len(lines) < 400
    names = re.findall(r"^(?:const|let|function|class) (\w+)", script(), re.MULTILINE)
    assert len(names) == len(set(names))


def test_every_control_has_a_name():
    page = str(playground())
    labelled = set(re.findall(r'<label for="([\w-]+)"', page))
    for control in re.findall(r"<(?:input|select)[^>]*>", page):
        inside = re.search(rf"<label>\s*{re.escape(control)}", page)
        named = re.search(r'id="([\w-]+)"', control)
        assert inside or "aria-label" in control or named[1] in labelled, control


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    pytest.importorskip("playwright.sync_api", reason="drives the browser; it is in [dev]")
    if chromium() is None:
        pytest.skip("there is no Chromium on this machine")
    path: Path = tmp_path_factory.mktemp("playground") / "page.html"
    head = '<!DOCTYPE html><meta name="viewport" content="width=device-width"><body>'
    path.write_text(head + str(playground()), encoding="utf-8")
    with browsing() as browser:
        context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
        page = context.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(f"file://{path}")
        page.wait_for_selector("[data-state=drawn]")
        yield page
        assert errors == []


def part(page, name):
    return page.locator(f"[data-part={name}]")


@pytest.mark.slow
def test_the_start_moves_by_mouse_keyboard_and_touch(opened):
    part(opened, "surface").select_option("ravine")
    ring, where = part(opened, "handle"), part(opened, "where")
    before = part(opened, "paths").inner_html()
    box = ring.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    opened.mouse.move(x, y)
    opened.mouse.down()
    opened.mouse.move(x + 60, y + 10, steps=3)
    opened.mouse.up()
    dragged = where.inner_text()
    assert dragged != "(−2.000, 1.000)"
    assert part(opened, "paths").inner_html() != before
    ring.focus()
    ring.press("ArrowRight")
    assert where.inner_text() != dragged
    assert ring.get_attribute("aria-valuetext").endswith(where.inner_text().strip("()"))
    ground = part(opened, "ground").bounding_box()
    opened.touchscreen.tap(ground["x"] + ground["width"] / 2, ground["y"] + ground["height"] / 4)
    across, up = (float(v.replace("−", "-")) for v in where.inner_text().strip("()").split(","))
    assert (across, up) == pytest.approx((0, 0.8), abs=0.03)


@pytest.mark.slow
def test_rates_angle_and_momentum_change_what_they_should(opened):
    part(opened, "surface").select_option("turned")
    assert part(opened, "angle").input_value() == "30"
    straight = {}
    for angle in ("0", "30"):
        part(opened, "angle").fill(angle)
        straight[angle] = [part(opened, f"status-{name}").inner_text() for name in METHODS]
    # What the lecture says of a turn: nothing for SGD, Momentum and Nesterov, all for the others.
    assert straight["0"][:3] == straight["30"][:3]
    assert straight["0"][3] != straight["30"][3]
    part(opened, "rate-SGD").fill("0.5")
    assert part(opened, "status-SGD").inner_text() == "diverges"
    part(opened, "common").check()
    part(opened, "rate-Adagrad").fill("-1")
    assert {part(opened, f"value-{name}").inner_text() for name in METHODS} == {"0.1"}
    assert part(opened, "paths").locator("polyline").count() == 5
    part(opened, "show-SGD").uncheck()
    assert part(opened, "paths").locator("polyline").count() == 4
    part(opened, "again").click()
    assert part(opened, "value-SGD").inner_text() == "0.079"


@pytest.mark.slow
@pytest.mark.parametrize("surface", ["ravine", "turned", "saddle", "rosenbrock", "beale"])
def test_every_surface_is_drawn_and_nothing_sticks_out(opened, surface):
    part(opened, "surface").select_option(surface)
    assert len(part(opened, "contours").get_attribute("d")) > 1000
    assert part(opened, "rates-1").locator("polyline").count() >= 4
    assert opened.evaluate("document.documentElement.scrollWidth") == 390

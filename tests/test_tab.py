"""The TensorBoard tab in a browser: what it draws, and what it does when one acts on it."""

import numpy as np
import pytest

from tests.browser import DRAWN, browsing, chromium, open_in_tensorboard, open_tab, pixels
from tests.tab_data import RATE, RunWriter, layer_names, rates
from tests.tensorboard_server import serving

pytest.importorskip("playwright.sync_api", reason="Playwright drives the browser; it is in [dev]")
matplotlib = pytest.importorskip("matplotlib", reason="knows the colours that viridis should have")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("tab"),
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium on this machine"),
]

LAYERS = ["net/block1/conv/kernel", "net/block1/conv/bias", "net/block2/dense/kernel"]
STEPS = [10, 20, 30, 40]
# Rates of the run "adam": finite, NaN, zero.
ADAM = np.array([[1e-2, 1e-3, 1e-4], [1e-2, 1e-3, 0], [1e-2, np.nan, 0], [1e-2, np.nan, 1e-5]])
NOT_FINITE = (0xC3, 0x00, 0xFF)
MARK = {
    "layer": LAYERS[1],
    "kind": "stalled",
    "quantity": RATE,
    "since": 30,
    "cause": "The accumulator grew without end.",
    "advice": "Use RMSprop.",
}
FACTORS = {"p50": 1, "mean": 1.5, "min": 0.1, "max": 10, "p05": 0.5, "p95": 2}


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tab") / "runs"
    adam = RunWriter(folder / "adam", "Adam")
    for step, row in zip(STEPS, ADAM, strict=True):
        values = {(RATE, name): row * factor for name, factor in FACTORS.items()}
        marks = [MARK] if step == 30 else []
        adam.write(step, {**values, ("update_ratio", "value"): [1e-3, 1e-5, 1e-1]}, LAYERS, marks)
    adam.close()
    sgd = RunWriter(folder / "sgd", "SGD")
    for step in STEPS:
        # One layer less, and steps of the other run alone.
        sgd.write(step // 2, {(RATE, "p50"): [1e-3, 1e-3]}, LAYERS[:2])
    sgd.close()
    return folder


@pytest.fixture(scope="module")
def server(logs):
    with serving(logs) as running:
        running.wait_for("adam", 40)
        running.wait_for("sgd", 20)
        yield running


@pytest.fixture(scope="module")
def browser():
    with browsing() as running:
        yield running


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if "Security Policy" in m.text else None)
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def tab(page, server):
    return open_tab(page, server.url)


def viridis(share: float) -> np.ndarray:
    return 255 * np.array(matplotlib.colormaps["viridis"](share)[:3])


def cell(image: np.ndarray, row: int, column: int, rows: int = 3, columns: int = 4) -> np.ndarray:
    """Colour in the middle of a cell; in the left and lower part, to the side of signs."""
    height, width, _ = image.shape
    y, x = (row + 0.75) / rows * height, (column + 0.5) / columns * width
    return image[int(y), int(x)]


def place(tab, row: int, column: int, run: int = 0, columns: int = 4) -> dict:
    """Where on a heat map a cell is, for the pointer."""
    box = tab.locator("canvas.front").nth(run).bounding_box()
    x = (column + 0.5) / columns * box["width"]
    return {"x": x, "y": (row + 0.5) / len(LAYERS) * box["height"]}


def only_adam(tab):
    """Show one run, whose four steps then take the whole width."""
    tab.locator(".runs summary").click()
    tab.get_by_role("checkbox", name="sgd").uncheck()
    tab.locator(".runs summary").click()
    tab.wait_for_function("document.querySelectorAll('.panel').length === 1")


def tooltip(tab) -> str:
    return tab.locator(".tooltip").inner_text()


def shown_at(tab, row: int, column: int) -> str:
    """What the tooltip says of a cell of the first heat map, once all is drawn."""
    tab.wait_for_function(DRAWN)
    tab.locator("canvas.front").first.hover(position=place(tab, row, column))
    return tooltip(tab)


def names(tab) -> list[str]:
    return tab.locator(".names button").evaluate_all("all => all.map(one => one.dataset.layer)")


def test_cells_have_the_colours_of_their_values(tab):
    only_adam(tab)
    image = pixels(tab, "canvas.heat")
    for column in range(4):
        for row in range(3):
            value = ADAM[column, row]
            *colour, alpha = cell(image, row, column)
            assert alpha == 255
            if np.isnan(value):
                assert tuple(colour) == NOT_FINITE
            elif value == 0:
                assert tuple(colour) == (0, 0, 0)
            else:  # 1e-5 to 1e-2 span the colours
                expected = viridis((np.log10(value) + 5) / 3)
                np.testing.assert_allclose(colour, expected, atol=4)


def test_runs_share_the_scale_and_the_steps(tab):
    adam, sgd = pixels(tab, "canvas.heat", 0), pixels(tab, "canvas.heat", 1)
    height, width, _ = sgd.shape
    # Steps 5 to 20 of 5 to 40 are there, the rest and the third layer are not: no colour.
    assert sgd[height // 6, width // 5, 3] == 255
    assert sgd[height // 6, int(width * 0.9), 3] == 0
    assert sgd[height * 5 // 6, width // 5, 3] == 0
    # 1e-3 has one colour in both.
    second = adam[height // 2, int(width * 0.3)]
    np.testing.assert_array_equal(sgd[height // 6, width // 5], second)
    assert "not measured" in tab.locator(".legend").inner_text()


def test_another_quantity_and_statistic(tab):
    only_adam(tab)
    before = pixels(tab, "canvas.heat")
    tab.locator("#statistic").select_option("max")
    tab.wait_for_function("document.querySelector('.legend').textContent.includes('maximum')")
    assert "maximum 0.1" in shown_at(tab, 0, 1)
    tab.locator("#quantity").select_option("update_ratio")
    tab.wait_for_function("document.querySelector('.legend').textContent.includes('ratio')")
    after = pixels(tab, "canvas.heat")
    np.testing.assert_allclose(cell(after, 1, 1)[:3], viridis(0.0), atol=4)
    np.testing.assert_allclose(cell(after, 2, 1)[:3], viridis(1.0), atol=4)
    assert (cell(before, 1, 1) != cell(after, 1, 1)).any()
    options = tab.locator("#statistic option").all_inner_texts()
    assert options == ["value"]


def test_layers_are_filtered_by_a_regular_expression(tab):
    assert names(tab) == LAYERS
    tab.locator("#filter").fill("BLOCK1.*(kernel|bias)$")
    tab.wait_for_function("document.querySelectorAll('.names button').length === 2")
    assert names(tab) == LAYERS[:2]
    assert tab.locator("#filter-note").inner_text() == "2 of 3"
    tab.locator("#filter").fill("conv(")
    tab.wait_for_function("document.querySelectorAll('.names button').length === 3")
    assert "Not a regular expression" in tab.locator("#filter-note").inner_text()
    assert tab.locator("#filter").get_attribute("aria-invalid") == "true"
    tab.locator("#filter").fill("nowhere")
    assert "No layer's path matches “nowhere”" in tab.locator(".nothing").inner_text()
    tab.locator("#filter").fill("")
    tab.wait_for_function("document.querySelectorAll('.names button').length === 3")
    assert tab.locator(".nothing").is_hidden()


def test_the_pointer_shows_exact_values(tab):
    only_adam(tab)
    text = shown_at(tab, 0, 1)
    assert "net/block1/conv/kernel" in text
    assert "median 0.01" in text
    assert "step 20 · adam" in text
    text = shown_at(tab, 1, 3)
    assert "median NaN" in text
    for said in ("stalled since step 30", MARK["cause"], MARK["advice"]):
        assert said in text
    tab.mouse.move(5, 5)
    assert tab.locator(".tooltip").is_hidden()


def test_a_mark_is_drawn_listed_and_explained(tab):
    only_adam(tab)
    front = pixels(tab, "canvas.front")
    height, width, _ = front.shape
    row = front[height // 3 : height * 2 // 3]
    assert (row[..., 3] > 0).sum() > 100
    assert not front[: height // 3 - 8, :, 3].any()  # nothing over other layers
    line = np.flatnonzero(row[..., 3].any(axis=0))
    assert abs(line.min() - width * 5 / 8) < 12  # from step 30, the third of four, on
    assert "stalled" in tab.locator(".legend").inner_text()
    tab.locator(".marks summary").click()
    finding = tab.locator(".finding")
    assert MARK["cause"] in finding.inner_text()
    finding.click()
    assert LAYERS[1] in tab.locator(".caption").inner_text()


def test_a_click_shows_the_curves_of_the_layer(tab):
    assert tab.locator("canvas.curves:visible").count() == 0
    tab.locator("canvas.front").first.click(position=place(tab, 0, 1))
    tab.wait_for_function("document.body.textContent.includes('5th to 95th percentile')")
    assert LAYERS[0] in tab.locator(".caption").inner_text()
    adam, sgd = pixels(tab, ".panel canvas.curves", 0), pixels(tab, ".panel canvas.curves", 1)
    # Bands around a line for Adam: the alphas differ; SGD has a line alone.
    column = adam[:, adam.shape[1] // 2, 3]
    assert len({alpha for alpha in column.tolist() if 0 < alpha < 255}) >= 2
    assert sgd[..., 3].any()
    tab.wait_for_function(DRAWN)
    tab.locator(".panel canvas.curves").first.hover()
    text = tooltip(tab)
    for said in ("median 0.01", "mean 0.015", "minimum 0.001", "maximum 0.1"):
        assert said in text
    tab.get_by_role("button", name="Close").click()
    assert tab.locator("canvas.curves:visible").count() == 0


def test_dark_mode_follows_tensorboard(page, server):
    tab = open_in_tensorboard(page, server.url, dark=True)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert tab.evaluate(ground) == "rgb(48, 48, 48)"
    page.evaluate("document.body.classList.remove('dark-mode')")
    tab.wait_for_function("!document.documentElement.classList.contains('dark')")
    assert tab.evaluate(ground) == "rgb(255, 255, 255)"


def test_the_keyboard_reaches_every_cell(tab):
    only_adam(tab)
    front = tab.locator("canvas.front")
    for _ in range(20):
        tab.keyboard.press("Tab")
        if front.evaluate("canvas => canvas === document.activeElement"):
            break
    assert "3 layers, 4 steps" in front.get_attribute("aria-label")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        tab.keyboard.press(key)
    said = tab.locator("[aria-live]").inner_text()
    assert "net/block1/conv/bias. median 0.001. step 20 · adam" in said
    tab.keyboard.press("Enter")
    assert LAYERS[1] in tab.locator(".caption").inner_text()
    tab.keyboard.press("Escape")
    assert tab.locator(".caption").is_hidden()


def test_a_drag_zooms_in_and_a_button_out_again(tab):
    only_adam(tab)
    whole = pixels(tab, "canvas.heat")
    box = tab.locator("canvas.front").bounding_box()
    tab.mouse.move(box["x"] + 5, box["y"] + 5)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 0.6 * box["height"], steps=4)
    tab.mouse.up()
    assert names(tab) == LAYERS[:2]
    image = pixels(tab, "canvas.heat")
    # Now the first two steps of the first two layers; the colours stay.
    np.testing.assert_array_equal(cell(image, 1, 1, 2, 2), cell(whole, 1, 1))
    tab.locator("#reset").click()
    assert names(tab) == LAYERS
    np.testing.assert_array_equal(pixels(tab, "canvas.heat"), whole)


def test_a_run_of_each_optimizer_is_shown_at_first(tab):
    first = (
        "names => import('/data/plugin/tfadaopt/app.js')"
        ".then(app => app.runsAtFirst(names, run => run.split('/')[0]))"
    )
    methods = ["Adagrad", "Momentum", "Nesterov", "RMSprop", "SGD"]
    seeds = [f"{method}/{seed}" for method in methods for seed in range(5)]
    assert tab.evaluate(first, seeds) == [f"{method}/0" for method in methods]
    assert tab.evaluate(first, ["a/0", "a/1", "b/0"]) == ["a/0", "a/1", "b/0"]
    assert tab.evaluate(first, seeds[:7]) == seeds[:4] + seeds[5:6]


def test_networks_that_keras_numbered_on_share_their_rows(page, tmp_path):
    folder = tmp_path / "runs"
    second = ["net_1/dense_2/kernel", "net_1/dense_3/kernel"]
    for run, layers in [("a", ["net/dense/kernel", "net/dense_1/kernel"]), ("b", second)]:
        mark = {"layer": layers[1], "kind": "dead", "quantity": RATE, "since": 1}
        writer = RunWriter(folder / run)
        for step in (1, 2):
            writer.write(step, {(RATE, "p50"): [1e-3, 1e-2]}, layers, [mark] if step == 2 else [])
        writer.close()
    with serving(folder) as server:
        server.wait_for("a", 2)
        server.wait_for("b", 2)
        tab = open_tab(page, server.url)
        assert names(tab) == ["net/dense/kernel", "net/dense_1/kernel"]
        first, other = pixels(tab, "canvas.heat", 0), pixels(tab, "canvas.heat", 1)
        np.testing.assert_array_equal(first, other)
        assert pixels(tab, "canvas.front", 1)[..., 3].any()  # its mark, in the shared row
        tab.locator("canvas.front").nth(1).click(position={"x": 30, "y": 40})
        tab.wait_for_function(DRAWN)
        tab.locator("canvas.front").nth(1).hover(position={"x": 40, "y": 40})
        assert "net_1/dense_3/kernel" in tooltip(tab) or second[0] in tooltip(tab)
        tab.wait_for_function("document.querySelector('.caption b')")
        assert pixels(tab, ".panel canvas.curves", 1)[..., 3].any()


HOSTILE = [
    'net/"><img src=x onerror=document.hacked=1>/kernel',
    "net/a\nb\t'&lt;b&gt;/kernel",
    "net/\u202etxt.exe/kernel",  # from here on, right to left
    f"net/{'x' * 10_000}/kernel",
    "net/<script>document.hacked=1</script>/__proto__",
]


def test_names_of_all_kinds_are_text_on_the_page(page, tmp_path):
    run = RunWriter(tmp_path / "a <b>&amp; 'run'", HOSTILE[0])
    mark = {**MARK, "layer": HOSTILE[0], "kind": "constructor", "cause": HOSTILE[4]}
    for step in STEPS:
        run.write(
            step, {(RATE, "p50"): np.full(5, 1 / step)}, HOSTILE, [mark] if step == 30 else []
        )
    run.close()
    with serving(tmp_path) as running:
        running.wait_for("a <b>&amp; 'run'", 40)
        tab = open_tab(page, running.url)
        labels = tab.locator(".names button")
        assert [labels.nth(i).get_attribute("title") for i in range(5)] == HOSTILE
        labels.first.click()
        tab.wait_for_function(DRAWN)
        tab.wait_for_function("document.querySelector('.caption b')")
        made = "[...document.querySelectorAll('body img, body script')].length"
        assert tab.evaluate(f"[document.hacked, {made}]") == [None, 0]
        wide = "document.documentElement.scrollWidth - innerWidth"
        assert tab.evaluate(wide) <= 0  # however long a name


def test_without_data_the_page_says_what_to_do(page, server):
    answer = {"logdir": "/my/logs", "runs": {}, "problems": []}
    page.route("**/overview", lambda route: route.fulfill(json=answer))
    page.goto(f"{server.url}data/plugin_entry.html?name=tfadaopt")
    page.wait_for_function("document.body.dataset.state === 'empty'")
    text = page.locator("main:visible").inner_text()
    assert "OptimizerMonitor" in text
    assert "/my/logs" in text


def test_the_page_says_that_it_loads_until_all_is_drawn(tab):
    waiting = []

    def hold(route):
        waiting.append(route)

    tab.route("**/values*", hold)
    tab.locator("#statistic").select_option("mean")
    while len(waiting) < 2:  # one of each run
        tab.wait_for_timeout(20)
    assert tab.evaluate("document.body.dataset.state") == "loading"
    for route in waiting:
        route.continue_()
    assert "mean 0.015" in shown_at(tab, 0, 1)


def test_an_error_is_said_and_can_be_tried_again(tab, server):
    tab.route("**/values*", lambda route: route.fulfill(status=500, body="ValueError: no luck"))
    tab.locator("#statistic").select_option("mean")
    tab.wait_for_selector(".alert:visible")
    assert "ValueError: no luck" in tab.locator(".alert").inner_text()
    tab.unroute("**/values*")
    tab.get_by_role("button", name="Try again").click()
    tab.wait_for_selector(".alert", state="hidden")
    assert "mean 0.015" in shown_at(tab, 0, 1)


def test_a_missing_file_of_the_tab_is_said(page, server):
    page.route("**/chart.js", lambda route: route.fulfill(status=404))
    page.goto(f"{server.url}data/plugin_entry.html?name=tfadaopt")
    page.wait_for_selector("[role=alert]")
    assert "could not start" in page.locator("[role=alert]").inner_text()


@pytest.fixture
def growing(tmp_path):
    """A run of many layers that is being written, and its TensorBoard."""
    folder = tmp_path / "runs"
    writer = RunWriter(folder / "run")
    table = rates(900, 60)
    table[:, 1] = 1e-2
    table[30, 7] = np.nan
    for step in range(40):
        writer.write(step, {(RATE, "p50"): table[step]}, layer_names(900))
    writer.flush()
    with serving(folder) as server:
        server.wait_for("run", 39)

        def go_on():
            for step in range(40, 60):
                writer.write(step, {(RATE, "p50"): table[step]}, layer_names(900))
            writer.close()
            server.wait_for("run", 59)

        yield server, go_on


def test_new_data_arrives_and_the_view_stays(page, growing):
    server, go_on = growing
    tab = open_in_tensorboard(page, server.url)
    # More layers than pixels: the legend says so, and the one NaN among 36,000 values is seen.
    assert (
        "A pixel shows the geometric mean of up to 2 layers." in tab.locator(".legend").inner_text()
    )
    image = pixels(tab, "canvas.heat")
    assert (image[..., :3] == NOT_FINITE).all(axis=-1).any()
    tab.locator("#filter").fill("stage0/")
    label = tab.locator("canvas.front").get_attribute("aria-label")
    assert "40 layers, 40 steps" in label
    go_on()
    page.locator("app-header-reload button").click()
    tab.wait_for_function(
        "document.querySelector('canvas.front').ariaLabel.includes('40 layers, 60 steps')"
    )
    assert tab.locator("#filter").input_value() == "stage0/"


def test_what_was_chosen_outlives_a_reload_of_the_page(tab):
    tab.locator("#statistic").select_option("p95")
    tab.locator("#filter").fill("bias")
    tab.reload()
    tab.wait_for_function(DRAWN)
    assert tab.locator("#statistic").input_value() == "p95"
    assert names(tab) == [LAYERS[1]]

"""The figure shows the tables of a log: values, NaN, what was not measured, what stopped."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tests import logs
from tfadaopt.callbacks import history, picture
from tfadaopt.callbacks.tables import Table

NAMES = ("net/conv/kernel", "net/conv/bias", "net/out/kernel")


def draw(figure) -> np.ndarray:
    """Pixels of a figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def cell(figure, row: int, step: float, panel: int = 0) -> tuple[int, ...]:
    """Colour at a layer and a step."""
    pixels = draw(figure)
    x, y = figure.axes[panel].transData.transform((step, row))
    return tuple(int(c) for c in pixels[pixels.shape[0] - 1 - int(y), int(x)])


def colour(hexadecimal: str) -> tuple[int, ...]:
    return tuple(round(255 * c) for c in mpl.colors.to_rgb(hexadecimal))


@pytest.fixture
def log(tmp_path):
    written = logs.Log(tmp_path)
    for step in range(10, 101, 10):
        row = {NAMES[0]: 1.0 / step, NAMES[1]: 0.0, NAMES[2]: np.nan if step > 50 else 1e-3}
        written.table(step, row)
    return tmp_path


def test_values_zero_and_nan_have_their_colours(log):
    figure = picture.plot(log)
    scale = figure.axes[0].collections[-1]
    for step in (10, 100):
        expected = scale.cmap(scale.norm(1.0 / step))
        assert cell(figure, 0, step) == pytest.approx([255 * c for c in expected[:3]], abs=2)
    assert cell(figure, 1, 50) == (0, 0, 0)
    assert cell(figure, 2, 80) == colour("#D81B60")
    assert cell(figure, 2, 30) != colour("#D81B60")
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["NaN or infinity", "0"]


def test_names_title_and_label_are_those_of_the_run(log):
    figure = picture.plot(log)
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert ticks == ["conv/kernel", "conv/bias", "out/kernel"]
    assert figure.axes[0].get_title(loc="left") == "Adagrad"
    assert figure.get_suptitle() == "Effective learning rate, median of the coordinates"
    few = picture.plot(log, include="bias")
    assert few.axes[0].get_ylim() == (0.5, -0.5)
    draw(few)  # as low as a picture gets: no words are longer than it
    words = [axis.label for axes in few.axes for axis in (axes.xaxis, axes.yaxis)]
    boxes = [label.get_window_extent() for label in words if label.get_text()]
    assert boxes
    assert all(0 <= y <= few.bbox.height for box in boxes for y in box.intervaly)


def test_a_stalled_layer_is_hatched_from_its_step_on(log):
    before = draw(picture.plot(log))
    logs.Log(log, "1", began=1.0).marks(
        100, [{"layer": NAMES[0], "kind": "stalled", "since": 60, "cause": "", "advice": ""}]
    )
    figure = picture.plot(log)
    axes = figure.axes[0]
    hatched = [c for c in axes.collections if c.get_hatch()]
    assert len(hatched) == 1
    (corners,) = [path.vertices for path in hatched[0].get_paths()]
    assert (corners[:, 0].min(), corners[:, 0].max()) == (60, 105)
    assert (corners[:, 1].min(), corners[:, 1].max()) == (-0.5, 0.5)
    assert (draw(figure) != before).any()


def test_a_mark_of_the_whole_run_hatches_all_layers(log):
    mark = {"layer": None, "kind": "stalled", "since": 60, "cause": "", "advice": ""}
    logs.Log(log, "1", began=1.0).marks(100, [mark, {**mark, "layer": "of another run"}])
    axes = picture.plot(log).axes[0]
    assert sum(bool(c.get_hatch()) for c in axes.collections) == len(NAMES)


def test_a_damaged_log_is_drawn_as_far_as_it_goes_and_said(log):
    (path,) = log.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.warns(UserWarning, match=r"^\.: events"):
        figure = picture.plot(log)
    assert figure.axes[0].get_xlim()[1] < 100


def test_what_was_not_measured_is_grey(tmp_path):
    logs.Log(tmp_path).table(1, {"a": 1.0, "b": 2.0}).table(2, {"a": 1.0})
    figure = picture.plot(tmp_path)
    assert cell(figure, 1, 2) == colour("#EEEEEE")


def test_runs_share_one_scale(tmp_path):
    logs.Log(tmp_path / "small").table(1, {"a": 1e-4}, optimizer="Adam")
    logs.Log(tmp_path / "large").table(1, {"a": 1.0})
    figure = picture.plot(tmp_path)
    titles = [axes.get_title(loc="left") for axes in figure.axes[:2]]
    assert titles == ["large · Adagrad", "small · Adam"]
    norms = [axes.collections[-1].norm for axes in figure.axes[:2]]
    assert (norms[0].vmin, norms[0].vmax) == pytest.approx((1e-4, 1.0))
    assert norms[0] is norms[1]
    assert len(picture.plot(tmp_path, runs=["small"]).axes) == 2


def test_thousands_of_steps_are_thinned_and_the_last_stays(tmp_path):
    steps = np.arange(1, 5001)
    values = np.linspace(1, 2, 5000, dtype=np.float32)[:, np.newaxis]
    table = Table(("a",), steps, values, np.ones((5000, 1), bool), np.zeros(5000))
    log = history.History({("update_ratio", "value"): table})
    mesh = picture.plot(log, "update_ratio").axes[0].collections[-1]
    assert mesh.get_array().size == 1000
    assert mesh.get_array().max() == 2


def test_what_was_not_logged_is_answered_with_what_was(log, tmp_path):
    with pytest.raises(ValueError, match=r"it has effective_learning_rate \(p50\)"):
        picture.plot(log, "update_ratio")
    with pytest.raises(ValueError, match="of layers like 'x'"):
        picture.plot(log, include="x")
    with pytest.raises(ValueError, match=r"runs=\['b'\]"):
        picture.plot(log, runs=["b"])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="holds nothing"):
        picture.plot(empty)


def test_without_matplotlib_it_says_how_to_get_it(log, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        picture.plot(log)

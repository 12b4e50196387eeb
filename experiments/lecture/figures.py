"""Figures of the lecture's report: one function per figure, from tidy tables to its data."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tfadaopt.experiments.reports.figures import Contours, Lines, Panels, Series, Trajectory

# Below this, a path has arrived: a logarithmic axis would show nothing but rounding.
_ARRIVED = 1e-8


def learning_curves(results: pd.DataFrame, methods: Sequence[str]) -> Panels:
    """Validation accuracy and loss by epoch: median over seeds, band from lowest to highest."""
    final = results[(results.phase == "final") & (results.split == "validation")]
    panels = []
    for column in ("accuracy", "loss"):
        series = []
        for method in methods:
            runs = final[final.method == method].groupby("epoch")[column]
            if len(runs):
                middle = runs.median()
                series.append(Series(method, middle.index, middle, runs.min(), runs.max()))
        panels.append(
            Lines(
                title=f"validation {column}",
                x_label="epoch",
                y_label=f"validation {column}",
                series=tuple(series),
                y_log=column == "loss",
            )
        )
    return Panels(
        title=f"Validation accuracy and loss by epoch for {', '.join(methods)}",
        panels=tuple(panels),
        shared=False,
        caption="Median over seeds, band from the lowest to the highest.",
    )


def sensitivity(results: pd.DataFrame, chosen: pd.DataFrame, methods: Sequence[str]) -> Lines:
    """Validation accuracy after the last epoch against the rate; the chosen rate is ringed."""
    tried = results[(results.phase == "tune") & (results.split == "validation")]
    series = []
    for method in methods:
        of_method = tried[tried.method == method].sort_values("learning_rate")
        # A run that diverged has learned nothing that could be used: it counts as 0.
        accuracy = of_method.accuracy.where(~of_method.diverged, 0.0)
        if len(accuracy):
            best = chosen[chosen.method == method].learning_rate
            series.append(Series(method, of_method.learning_rate, accuracy, ringed=best))
    return Lines(
        title=f"Validation accuracy against the learning rate for {', '.join(methods)}",
        x_label="learning rate η",
        y_label="validation accuracy",
        series=tuple(series),
        x_log=True,
        caption="Chosen rates are ringed; what diverged counts as 0.",
    )


def layers_over_time(
    layers: pd.DataFrame,
    methods: Sequence[str],
    quantities: Mapping[str, str],
    label: str,
    guide: bool,
) -> Panels:
    """A panel per method: the median coordinate of each kernel over the steps.

    The band spans the 5th to 95th percentile, but no more than three decades below the median: the
    state of weights that never see a gradient would squeeze the rest.

    Args:
        layers: Table of logged statistics.
        methods: Order of the panels.
        quantities: Quantity to draw, by method.
        label: Label of the vertical axis.
        guide: Whether to draw t^−½ into Adagrad's panel.
    """
    kernels = [v for v in layers.variable.unique() if v.endswith("kernel")]
    panels = []
    for method in methods:
        if method not in quantities:
            continue
        of_method = layers[(layers.method == method) & (layers.quantity == quantities[method])]
        series = []
        for kernel in kernels:
            table = (
                of_method[of_method.variable == kernel]
                .pivot_table(index="step", columns="statistic", values="value", aggfunc="median")
                .sort_index()
            )
            if len(table):
                lowest = table.p05.clip(lower=table.p50 * 1e-3)
                series.append(Series(_layer(kernel), table.index, table.p50, lowest, table.p95))
        if guide and method == "Adagrad" and series:
            steps = np.array(series[0].x)
            fall = series[0].y[0] * (steps / steps[0]) ** -0.5
            series.append(Series("∝ 1/√t", steps, fall, style="theory"))
        panels.append(Lines(method, "step", label, tuple(series), x_log=True, y_log=True))
    names = ", ".join(panel.title for panel in panels)
    return Panels(
        title=f"Median {label} of each layer over the steps, a panel each: {names}",
        panels=tuple(panels),
        caption="Band from the 5th to the 95th percentile of the layer's coordinates.",
    )


def trajectories(
    paths: pd.DataFrame, surface: str, contours: Mapping[str, np.ndarray], methods: Sequence[str]
) -> Contours:
    """Paths of all methods over the contours of a surface."""
    key = surface.replace(" ", "_")
    x, y, f = (contours[f"{key}_{axis}"] for axis in ("x", "y", "f"))
    drawn = []
    for method in methods:
        path = paths[(paths.surface == surface) & (paths.method == method)].sort_values("step")
        path = path[np.isfinite(path.x) & np.isfinite(path.y)]
        if len(path):
            drawn.append(Trajectory(method, path.x, path.y))
    return Contours(
        title=f"Paths over the {surface}",
        x_label="x",
        y_label="y",
        x=x,
        y=y,
        f=f,
        paths=tuple(drawn),
        f_log=True,
        apart=True,
        caption="A ring where they start, a star where they end.",
    )


def excess_over_time(
    paths: pd.DataFrame, lowest: Mapping[str, float], methods: Sequence[str]
) -> Panels:
    """Height above the lowest point of each surface, by step."""
    panels = []
    for surface in paths.surface.unique():
        series = []
        for method in methods:
            path = paths[(paths.surface == surface) & (paths.method == method)].sort_values("step")
            if len(path):
                excess = (path.f - lowest[surface]).clip(lower=_ARRIVED)
                series.append(Series(method, path.step + 1, excess))
        panels.append(Lines(surface, "step + 1", "f − f*", tuple(series), x_log=True, y_log=True))
    return Panels(
        title=f"Height above the lowest point over the steps for {', '.join(methods)}",
        panels=tuple(panels),
        columns=1,
    )


def _layer(path: str) -> str:
    return path.rsplit("/", 2)[-2]

"""Figures of the reports: one function per figure, from tidy tables to a Matplotlib figure."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tfadaopt.experiments.reports.look import (
    FAINT,
    INK,
    SOFT,
    Styles,
    legend_below,
    new_figure,
    styles,
)

# A path's later steps lie on top of each other, and would fill the file.
_STEPS_DRAWN = 250


def learning_curves(results: pd.DataFrame, look: Styles) -> Figure:
    """Validation accuracy and loss by epoch: median over seeds, band from lowest to highest."""
    final = results[(results.phase == "final") & (results.split == "validation")]
    figure, (left, right) = new_figure(1, 2, (6.5, 3.4))
    for axes, column, label in (
        (left, "accuracy", "validation accuracy"),
        (right, "loss", "validation loss"),
    ):
        for method, style in look.items():
            runs = final[final.method == method].groupby("epoch")[column]
            if len(runs):
                middle = runs.median()
                axes.plot(middle.index, middle, label=method, **style, markersize=4)
                axes.fill_between(
                    middle.index, runs.min(), runs.max(), color=style["color"], alpha=0.12
                )
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
    right.set_yscale("log")
    legend_below(figure, left)
    return figure


def sensitivity(results: pd.DataFrame, chosen: pd.DataFrame, look: Styles) -> Figure:
    """Validation accuracy after the last epoch against the rate; the chosen rate is ringed."""
    tried = results[(results.phase == "tune") & (results.split == "validation")]
    figure, axes = new_figure(1, 1, (6, 3.6))
    for method, style in look.items():
        of_method = tried[tried.method == method].sort_values("learning_rate")
        if of_method.empty:
            continue
        # A run that diverged has learned nothing that could be used: it counts as 0.
        accuracy = of_method.accuracy.where(~of_method.diverged, 0.0)
        axes.plot(of_method.learning_rate, accuracy, label=method, **style, markersize=4)
        best = chosen[chosen.method == method].learning_rate
        ringed = of_method.learning_rate.isin(best).to_numpy()
        axes.plot(
            of_method.learning_rate[ringed],
            accuracy[ringed],
            **{"color": style["color"], "linestyle": "none", "marker": "o"},
            **{"markersize": 12, "fillstyle": "none", "markeredgewidth": 1.5},
        )
    axes.set(xscale="log", xlabel="learning rate η", ylabel="validation accuracy", ylim=(-0.03, 1))
    legend_below(figure, axes)
    return figure


def layers_over_time(
    layers: pd.DataFrame, look: Styles, quantities: Mapping[str, str], label: str, guide: bool
) -> Figure:
    """Small multiples, a panel per method: the median coordinate of each kernel over the steps.

    The band spans the 5th to 95th percentile, but no more than three decades below the median: the
    state of weights that never see a gradient would squeeze the rest.

    Args:
        layers: Table of logged statistics.
        look: Styles by method; the order of the panels.
        quantities: Quantity to draw, by method.
        label: Label of the vertical axis.
        guide: Whether to draw the slope t^−½ into Adagrad's panel.
    """
    shown = [method for method in look if method in quantities]
    columns = 2
    rows = -(-len(shown) // columns)
    figure, panels = new_figure(rows, columns, (6.5, 2.5 * rows), sharex=True, sharey=True)
    kernels = [v for v in layers.variable.unique() if v.endswith("kernel")]
    layer_look = styles(kernels)
    flat = np.ravel(panels)
    for axes, method in zip(flat, shown, strict=False):
        of_method = layers[(layers.method == method) & (layers.quantity == quantities[method])]
        first = None
        for kernel, style in layer_look.items():
            series = (
                of_method[of_method.variable == kernel]
                .pivot_table(index="step", columns="statistic", values="value", aggfunc="median")
                .sort_index()
            )
            if series.empty:
                continue
            drawn = {"color": style["color"], "linestyle": style["linestyle"]}
            axes.plot(series.index, series.p50, label=_layer(kernel), **drawn)
            lowest = series.p05.clip(lower=series.p50 * 1e-3)
            axes.fill_between(
                series.index, lowest, series.p95, color=style["color"], alpha=0.08, linewidth=0
            )
            first = first or (series.index, series.p50.iloc[0])
        if guide and method == "Adagrad" and first:
            steps, rate = first
            slope = rate * (steps / steps[0]) ** -0.5
            axes.plot(steps, slope, color=SOFT, linestyle=":", label="slope $t^{-1/2}$")
        axes.set(title=method, xscale="log", yscale="log")
    for axes in flat[len(shown) :]:
        axes.set_axis_off()
    for axes in flat[max(0, len(shown) - columns) : len(shown)]:
        axes.set_xlabel("step")
        axes.tick_params(labelbottom=True)
    figure.supylabel(label)
    with_guide = flat[shown.index("Adagrad")] if guide and "Adagrad" in shown else flat[0]
    legend_below(figure, with_guide)
    return figure


def trajectories(
    paths: pd.DataFrame, surface: str, contours: Mapping[str, np.ndarray], look: Styles
) -> Figure:
    """Paths of all methods over the contours of a surface: start, every step, end."""
    figure, axes = new_figure(1, 1, (6, 4.2))
    key = surface.replace(" ", "_")
    x, y, f = (contours[f"{key}_{axis}"] for axis in ("x", "y", "f"))
    above = f - f.min()
    levels = above.max() * np.geomspace(1e-4, 1, 14)
    axes.contour(x, y, above, levels=levels, colors=FAINT, linewidths=0.7)
    for method, style in look.items():
        path = paths[(paths.surface == surface) & (paths.method == method)].sort_values("step")
        path = path[np.isfinite(path.x) & np.isfinite(path.y)].head(_STEPS_DRAWN)
        if path.empty:
            continue
        axes.plot(path.x, path.y, label=method, **style, markersize=3, linewidth=1.2)
        axes.plot(path.x.iloc[-1], path.y.iloc[-1], color=style["color"], marker="*", markersize=11)
    start = paths[(paths.surface == surface) & (paths.step == 0)]
    axes.plot(start.x.iloc[:1], start.y.iloc[:1], "o", color=INK, markersize=10, fillstyle="none")
    axes.annotate("start", (start.x.iloc[0], start.y.iloc[0]), (8, 8), textcoords="offset points")
    axes.set(xlabel="x", ylabel="y", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    legend_below(figure, axes)
    return figure


def excess_over_time(paths: pd.DataFrame, lowest: Mapping[str, float], look: Styles) -> Figure:
    """Height above the lowest point of each surface, by step."""
    names = list(paths.surface.unique())
    figure, panels = new_figure(len(names), 1, (6, 2.3 * len(names)), sharex=True)
    for axes, surface in zip(np.ravel(panels), names, strict=True):
        for method, style in look.items():
            path = paths[(paths.surface == surface) & (paths.method == method)].sort_values("step")
            excess = (path.f - lowest[surface]).clip(lower=1e-12)
            drawn = {"color": style["color"], "linestyle": style["linestyle"]}
            axes.plot(path.step + 1, excess, label=method, **drawn)
        axes.set(title=surface, xscale="log", yscale="log", ylim=(1e-8, None))
    np.ravel(panels)[-1].set_xlabel("step + 1")
    figure.supylabel("f − f*")
    legend_below(figure, np.ravel(panels)[0])
    return figure


def _layer(path: str) -> str:
    return path.rsplit("/", 2)[-2]

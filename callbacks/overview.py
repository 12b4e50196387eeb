"""What TensorBoard's other tabs show of a run: a row in "HParams", charts in "Custom Scalars"."""

import math
import re
from collections.abc import Mapping, Sequence

from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import api as hparams_api

from tfadaopt import effective

# Charts of a block: title, and what follows the quantity in the tags.
_CHARTS = {
    "effective learning rate, median": ("effective_learning_rate", "/p50"),
    "update ratio": ("update_ratio", ""),
    "accumulators, median": ("accumulator/[^/]+", "/p50"),
    "gradient norm": ("gradient_norm", ""),
}


def hparams_summary(model, optimizer, others: Mapping) -> bytes:
    """The optimizer's arguments and what the user adds, as a row of the tab "HParams".

    Returns:
        A serialized ``Summary``: TensorFlow and TensorBoard each have a class of that name.
    """
    row: dict[str, float | str | bool] = {"model": model.name}
    row["parameters"] = sum(math.prod(v.shape) for v in model.trainable_variables)
    leaves = effective.leaves(optimizer)
    for leaf in leaves:
        prefix = "" if len(leaves) == 1 else f"{leaf.name}/"
        row[f"{prefix}optimizer"] = type(leaf).__name__
        for name, value in leaf.get_config().items():
            if isinstance(value, int | float | str | bool) and name != "name":
                row[f"{prefix}{name}"] = value
            elif name == "learning_rate" and isinstance(value, Mapping):
                row[f"{prefix}{name}"] = str(value.get("class_name", "schedule"))
    return hparams_api.hparams_pb({**row, **others}).SerializeToString()


def layout_summary(paths: Sequence[str]) -> bytes:
    """One category per block of the model, one chart per quantity with all layers of the block.

    Returns:
        A serialized ``Summary``.
    """
    blocks: dict[str, list[str]] = {}
    for path in paths:
        blocks.setdefault(block_of(path), []).append(re.escape(path))
    categories: list[layout_pb2.Category] = []
    for block, members in blocks.items():
        charts = []
        for title, (quantity, statistic) in _CHARTS.items():
            tags = [f"^{quantity}/{path}{statistic}$" for path in members]
            content = layout_pb2.MultilineChartContent(tag=tags)
            charts.append(layout_pb2.Chart(title=title, multiline=content))
        categories.append(layout_pb2.Category(title=block, chart=charts, closed=bool(categories)))
    return custom_scalar.pb(layout_pb2.Layout(category=categories)).SerializeToString()


def block_of(path: str) -> str:
    """The block of a layer: what its path begins with, ``conv2_block1`` of ``conv2_block1_1_conv``.

    A model inside a model is a block, as is a prefix of numbered names; a layer of neither is one
    of its own.
    """
    first, _, rest = path.partition("/")
    if "/" in rest:
        return first
    numbered = re.match(r"(.*?(?:block|stage|stack|layer|group)_?\d+[a-z]?)(?=_|$)", first)
    return numbered.group(1) if numbered else first

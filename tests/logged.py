"""What a run wrote for the tab "Optimizer", read back by hand: tensors, their metadata, marks."""

import json
from typing import NamedTuple

import numpy as np
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

from . import events


class Told(NamedTuple):
    """One tensor of one event."""

    step: int
    tag: str
    quantity: str
    statistic: str
    numbers: dict[str, float]  # by layer
    has_metadata: bool


def raw(folder) -> list[Event]:
    """All events of a folder that have a summary, as they stand in its files."""
    found = []
    for path in events.files(folder):
        parsed = [Event.FromString(data) for data in RawEventFileLoader(str(path)).Load()]
        found += [event for event in parsed if event.WhichOneof("what") == "summary"]
    return found


def tensors(folder) -> list[Told]:
    """Tensors of the plugin; the names of the layers come from the first event of a tag."""
    contents, found = {}, []
    for event in raw(folder):
        for value in event.summary.value:
            content = value.metadata.plugin_data.content
            if value.metadata.plugin_data.plugin_name == "tfadaopt":
                contents[value.tag] = json.loads(content)
            if "@" not in value.tag:
                continue
            about = contents[value.tag]
            numbers = np.frombuffer(value.tensor.tensor_content, "<f4").tolist()
            layers = dict(zip(about["layers"], numbers, strict=True))
            names = about["quantity"], about["statistic"]
            found.append(Told(event.step, value.tag, *names, layers, bool(content)))
    return found


def curves(folder) -> dict[tuple[str, str], dict[int, dict[str, float]]]:
    """By (quantity, statistic), by step, by layer: the numbers."""
    found: dict = {}
    for told in tensors(folder):
        of_step = found.setdefault((told.quantity, told.statistic), {})
        assert told.step not in of_step, "a step twice"
        of_step[told.step] = told.numbers
    return found


def strings(folder, tag: str) -> list[tuple[int, list[str]]]:
    """Texts under a tag, by step."""
    return [
        (event.step, [text.decode() for text in value.tensor.string_val])
        for event in raw(folder)
        for value in event.summary.value
        if value.tag == tag
    ]

"""What a detector saw of one training, in a small file, and shown to a detector again."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfadaopt.callbacks.log_format import RATE
from tfadaopt.callbacks.marks import Layer, Look, Mark

# What a detector asks for; whatever else a snapshot holds is left out.
KEPT = ("p50", "p95", "mean", "max", "norm", "value")


@dataclass(frozen=True)
class Recording:
    """One training.

    Attributes:
        about: Name, kind, half and seed of its scenario, what is to be said, and what it came to.
        layers: What is known of each variable.
        looks: What was seen, in order.
    """

    about: dict
    layers: dict[str, Layer]
    looks: list[Look]

    def marks(self, detector) -> list[tuple[int, Mark]]:
        """What a detector says of it, with the steps."""
        return [(look.step, mark) for look in self.looks for mark in detector.observe(look)]

    def write(self, path: Path) -> None:
        """Write it as a compressed ``.npz``."""
        found = {key for look in self.looks for key in look.tables}
        keys = sorted(key for key in found if key[1] in KEPT and key[0] != RATE)
        paths = list(
            dict.fromkeys(
                p for look in self.looks for layers, _ in look.tables.values() for p in layers
            )
        )
        place = {p: i for i, p in enumerate(paths)}
        tables = np.full((len(keys), len(self.looks), len(paths)), np.nan, np.float32)
        known = np.zeros(tables.shape, bool)
        for j, look in enumerate(self.looks):
            for i, key in enumerate(keys):
                if key in look.tables:
                    layers, values = look.tables[key]
                    at = [place[p] for p in layers]
                    tables[i, j, at], known[i, j, at] = values, True
        rest = [
            {
                **{
                    f.name: getattr(look, f.name)
                    for f in dataclasses.fields(Look)
                    if f.name not in ("tables", "losses")
                },
                "losses": len(look.losses),
            }
            for look in self.looks
        ]
        text = {
            "about": self.about,
            "keys": keys,
            "paths": paths,
            "looks": rest,
            "layers": {p: dataclasses.asdict(layer) for p, layer in self.layers.items()},
        }
        losses = np.array([x for look in self.looks for x in look.losses], np.float64)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path, text=np.array(json.dumps(text)), tables=tables, known=known, losses=losses
        )


def read(path: Path) -> Recording:
    """Read a file of ``Recording.write``."""
    with np.load(path) as found:
        text, tables, known = json.loads(str(found["text"])), found["tables"], found["known"]
        losses = found["losses"].tolist()
    looks, paths = [], text["paths"]
    for j, rest in enumerate(text["looks"]):
        seen = {}
        for i, key in enumerate(text["keys"]):
            at = np.flatnonzero(known[i, j])
            if at.size:
                seen[tuple(key)] = tuple(paths[k] for k in at), tables[i, j, at]
        count = rest.pop("losses")
        looks.append(Look(tables=seen, losses=tuple(losses[:count]), **rest))
        losses = losses[count:]
    layers = {p: Layer(**layer) for p, layer in text["layers"].items()}
    return Recording(text["about"], layers, looks)

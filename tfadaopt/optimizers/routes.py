"""Which variables a method for matrices takes, and which it leaves to another rule."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfadaopt import compat
from tfadaopt.compat import Variable
from tfadaopt.optimizers.pieces.orthogonal import sides

# A matrix with fewer rows or columns, or longer by more than this, has little to orthogonalize.
SHORTEST = 4
LONGEST_ASPECT = 128


class Route(NamedTuple):
    """What steps a variable, and why.

    Attributes:
        path: Path of the variable.
        shape: Its shape.
        matrix: Whether it is stepped as a matrix.
        why: The reason, in some words.
    """

    path: str
    shape: tuple[int, ...]
    matrix: bool
    why: str


@dataclass(frozen=True)
class Routes:
    """The route of each variable; its text is a table.

    Attributes:
        of: The routes, in the order of the variables.
        names: What a matrix is stepped by, and what all else is, such as ``("Muon", "AdamW")``.
    """

    of: tuple[Route, ...]
    names: tuple[str, str]

    @classmethod
    def known(cls, owner: str, found: "Routes | None") -> "Routes":
        """What was found when an optimizer was built.

        Raises:
            ValueError: It is not built yet.
        """
        if found is None:
            raise ValueError(
                f"{owner} has not seen its variables yet. Train one step first, or call "
                "optimizer.build(model.trainable_variables)."
            )
        return found

    def __iter__(self) -> Iterator[Route]:
        return iter(self.of)

    def __repr__(self) -> str:
        head = ("variable", "shape", "stepped by", "because")
        rows = [
            (r.path, " × ".join(map(str, r.shape)) or "number", self.names[not r.matrix], r.why)
            for r in self.of
        ]
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        lines = [head, tuple("-" * width for width in widths), *rows]
        return "\n".join(
            "  ".join(x.ljust(w) for x, w in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )


def routes_of(
    variables: Sequence[Variable],
    matrices: Sequence[str] | None,
    others: Sequence[str] | None,
    names: tuple[str, str],
) -> Routes:
    """Decide which variables are stepped as matrices.

    Those are of rank ≥ 2, with at least four rows and columns, neither 128 times as many as the
    other, and none of: an embedding, the first kernel of a convolution, the last of a ``Dense``
    layer, a kernel of a depthwise convolution. A kernel is known by its path, ``…/kernel``; a
    variable without a layer goes by its shape alone.

    Args:
        variables: The variables, in the order of the model.
        matrices: Regular expressions, searched in the paths: of rank ≥ 2, a matrix all the same.
        others: Regular expressions: no matrix. They come before ``matrices``.
        names: As of ``Routes``.
    """
    paths = [compat.path_of(v) for v in variables]
    shapes = [tuple(v.shape) for v in variables]
    kernels = [i for i, path in enumerate(paths) if path.endswith("/kernel")]
    first = next((i for i in kernels if _of_convolution(paths[i], shapes[i])), None)
    last = next((i for i in reversed(kernels) if len(shapes[i]) == 2), None)
    places = {first: "the first convolution", last: "the last Dense"}
    found = []
    for i, (path, shape) in enumerate(zip(paths, shapes, strict=True)):
        asked, refused = _matching(path, matrices), _matching(path, others)
        if refused is not None:
            matrix, why = False, f"{refused!r} asks for it"
        elif asked is not None and len(shape) > 1 and 0 not in shape:
            matrix, why = True, f"{asked!r} asks for it"
        else:
            why = _unfit(shape) or _unfit_by_name(path) or places.get(i, "")
            matrix = not why
            why = why or "a matrix of {} × {}".format(*sides(shape))
        found.append(Route(path, shape, matrix, why))
    return Routes(tuple(found), names)


def _unfit(shape: Sequence[int]) -> str:
    """Why a shape is not that of a matrix; empty if it is."""
    if len(shape) < 2:
        return f"of rank {len(shape)}"
    short, long = sorted(sides(shape))
    if short < SHORTEST:
        return f"a side below {SHORTEST}"
    return f"longer than {LONGEST_ASPECT} times its side" if long > LONGEST_ASPECT * short else ""


def _unfit_by_name(path: str) -> str:
    if "embedding" in path.lower():
        return "an embedding"
    return "depthwise" if "depthwise" in path.lower() else ""


def _of_convolution(path: str, shape: Sequence[int]) -> bool:
    if _unfit_by_name(path) or len(shape) < 3:
        return False
    # Attention has kernels of rank 3, too.
    return len(shape) > 3 or "conv" in path.lower()


def _matching(path: str, patterns: Sequence[str] | None) -> str | None:
    return next((x for x in patterns or () if re.search(x, path)), None)

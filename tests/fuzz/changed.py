"""Strategies of Hypothesis: valid bytes, JSON and arrays in which something was changed."""

import copy
import json
from typing import Any

import numpy as np
from hypothesis import strategies as st

# Names that somebody may want to be read as something else.
NAMES = st.sampled_from(
    [
        *("", ".", "..", "../../evil", "/tmp/evil", "a/b", "a\0b", "nul\n", "x" * 10_000),
        *("<script>alert(1)</script>", "\"'>&lt;", "[bold]", "[/]", "{{ 7*7 }}", "$\\frac{1}$"),
        *("\x1b[2J", "\u202egnp.exe", "\ud800", "ünïcødé", "%s%n", "__proto__", "end\\"),
    ]
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, -1, 2**31, 2**63, 10**30, 10**400]),
    st.floats(),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, NAMES, st.text(max_size=8))
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(), inner, max_size=3)
    ),
    max_leaves=6,
)
DEEP = 100_000


@st.composite
def bytes_of(draw, data: bytes) -> bytes:
    """Bytes of which some were flipped, left out, repeated, or replaced."""
    for _ in range(draw(st.integers(1, 3))):
        at, end = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        data = draw(
            st.sampled_from(
                [
                    data[:at],
                    data[:at] + data[end:],
                    data[:end] + data[at:end] + data[end:],
                    data[:at] + bytes(end - at) + data[end:],
                    data[:at] + draw(st.binary(max_size=16)) + data[end:],
                ]
            )
        )
    return data


@st.composite
def json_of(draw, value: Any) -> Any:
    """A JSON value in which one or two places are left out, or hold something else."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 2))):
        value = _replaced(draw, value)
    return value


def _replaced(draw, value: Any) -> Any:
    keys = (
        list(value)
        if isinstance(value, dict)
        else range(len(value or ()))
        if isinstance(value, list)
        else ()
    )
    if not keys or draw(st.integers(0, 9)) == 0:
        return draw(VALUES)
    key = draw(st.sampled_from(list(keys)))
    what = draw(st.sampled_from(["in", "in", "in", "in", "out", "twice"]))
    if what == "out":
        del value[key]
    elif what == "twice" and isinstance(value, list):
        value.append(value[key])
    elif what == "twice":
        value[draw(NAMES)] = value[key]
    else:
        value[key] = _replaced(draw, value[key])
    return value


@st.composite
def text_of(draw, value: Any) -> bytes:
    """A changed JSON value as text, or a text that is none."""
    if draw(st.integers(0, 19)) == 0:
        return draw(
            st.sampled_from([b"[" * DEEP, b"", b"\xff", b'{"a":' * DEEP, b"9" * 5000, b"NaN"])
        )
    text = json.dumps(draw(json_of(value))).encode()
    return draw(bytes_of(text)) if draw(st.integers(0, 9)) == 0 else text


ARRAYS = st.one_of(
    st.sampled_from(
        [
            *(np.float32(0), np.float64("nan"), np.int64(-1), np.uint64(2**64 - 1), np.array([])),
            *(np.zeros([2, 0, 3]), np.array("text"), np.array([b"bytes"]), np.array(True)),
            *(np.array(1j), np.full([3], np.inf), np.arange(24.0).reshape(2, 3, 4)),
        ]
    ),
    st.lists(st.integers(0, 4), max_size=3).map(lambda shape: np.ones(shape, "float32")),
)

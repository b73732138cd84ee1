"""What an element sees, against pixels that are really changed one by one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archspec
from archspec.compiler.model import weights_of
from archspec.compiler.targets.reference import run

ROWS = 96


def build(tmp_path, body, shape=(1, ROWS, ROWS)):
    spec = {"archspec": 1, "name": "t", "input": {"shape": list(shape)}, "body": body}
    path = tmp_path / "t.json"
    path.write_text(json.dumps(spec))
    return archspec.load(str(path))


def seen_rows(graph):
    """The most input rows from the first to the last that change one row of the result when one
    of them is raised: with positive weights whatever sees a row answers to it."""
    ones = {path: np.ones(weight.shape) for path, weight in weights_of(graph).items()}
    image = np.full((1, *graph.input_shape), 1.0)
    before = only(run(graph, ones, image))
    rows: dict[int, list[int]] = {}
    for row in range(graph.input_shape[1]):
        changed = image.copy()
        changed[:, :, row] += 10
        answers = np.abs(only(run(graph, ones, changed)) - before).max(axis=(0, 1, 3)) > 1e-9
        for place in np.flatnonzero(answers):
            rows.setdefault(int(place), []).append(row)
    return max(max(seen) - min(seen) + 1 for seen in rows.values())


def only(results):
    (result,) = results.values()
    return result


def test_the_example(tmp_path):
    graph = build(tmp_path, [
        {"op": "conv", "channels": 1, "kernel": 1, "stride": 4}, {"op": "upsample", "scale": 4},
        {"op": "conv", "channels": 1, "kernel": 3},
    ], (1, 32, 32))  # fmt: skip
    assert graph.stats().layers[-1].receptive_field == (5, 5)
    assert seen_rows(graph) == 5
    assert archspec.load("unet").stats().layers[-1].receptive_field == (220, 220)


WINDOWS = st.builds(
    lambda op, kernel, stride, dilation, before, after: {
        "op": op, "kernel": [kernel, 1], "stride": [stride, 1],
        "padding": [min(before, kernel - 1), min(after, kernel - 1), 0, 0],
        **({"channels": 1, "dilation": [dilation, 1]} if op == "conv" else {}),
    },
    st.sampled_from(["conv", "max_pool", "avg_pool"]), st.integers(1, 4), st.integers(1, 3),
    st.integers(1, 2), st.integers(0, 3), st.integers(0, 3),
)  # fmt: skip
UPS = st.builds(
    lambda scale, mode: {"op": "upsample", "scale": [scale, 1], "mode": mode},
    st.integers(2, 3), st.sampled_from(["nearest", "bilinear"]),
)  # fmt: skip
SIZES = st.builds(
    lambda more, part, mode, corners: {
        "op": "upsample", "mode": mode, "size": [f"=max(in_height * {more} // {part}, 1)", 2],
        **({"align_corners": corners} if mode != "nearest" else {}),
    },
    st.integers(2, 3), st.integers(2, 4), st.sampled_from(["nearest", "bilinear", "bicubic"]),
    st.booleans(),
)  # fmt: skip
PADS = st.builds(
    lambda top, bottom: {"op": "pad", "padding": [top, bottom, 0, 0], "value": 1.0},
    st.integers(0, 3), st.integers(0, 3),
)  # fmt: skip
TRANSPOSED = st.builds(
    lambda stride, more, before, after: {
        "op": "conv_transpose", "channels": 1, "kernel": [stride + more, 1], "stride": [stride, 1],
        "padding": [before, after, 0, 0],
    },
    st.integers(1, 3), st.integers(0, 3), st.integers(0, 2), st.integers(0, 2),
)  # fmt: skip
LAYERS = st.lists(st.one_of(WINDOWS, UPS, TRANSPOSED, PADS), min_size=1, max_size=4)


@pytest.mark.thorough
@settings(max_examples=20)
@given(SIZES, st.lists(WINDOWS, max_size=2), SIZES)
def test_what_is_seen_of_another_size(tmp_path_factory, one, windows, other):
    check_what_is_seen(tmp_path_factory, [one, *windows, other])


@pytest.mark.thorough
@settings(max_examples=60)
@given(LAYERS, st.booleans())
def test_what_is_seen_is_what_changes(tmp_path_factory, layers, is_residual):
    same = {"op": "conv", "channels": 1, "kernel": [3, 1], "padding": [0, 2, 0, 0]}
    body = [*layers, {"residual": same}] if is_residual else layers
    check_what_is_seen(tmp_path_factory, body)


def check_what_is_seen(tmp_path_factory, body):
    graph = build(tmp_path_factory.mktemp("t"), body, (1, ROWS, 2))
    rows = graph.stats().layers[-1].receptive_field[0]
    # an element in the middle must see no border
    if graph.output_shapes["logits"][1] < 8 or rows > ROWS // 3:
        return
    assert seen_rows(graph) == rows


def test_a_long_period_is_said_too_large_and_never_too_small(tmp_path):
    graph = build(
        tmp_path,
        [{"op": "upsample", "scale": 50}, {"op": "conv", "channels": 1, "kernel": 3, "stride": 7},
         {"op": "upsample", "scale": 50}, {"op": "conv", "channels": 1, "kernel": 2}],
        (1, 4, 4),
    )  # fmt: skip
    assert graph.stats().layers[-1].receptive_field[0] in (3, 4, 5)


def test_steps_without_end(tmp_path):
    body = {"op": "conv", "channels": 1, "kernel": 1, "stride": 10_000, "repeat": 1000}
    assert build(tmp_path, body).stats().layers[-1].receptive_field == (1, 1)

"""Window arithmetic against published sizes and against windows placed one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.shapes import (
    ShapeError,
    effective_kernel,
    elements,
    resolve_padding,
    window_extent,
    written,
)


def along_one_axis(extent, kernel, stride, padding, dilation=1, ceil=False):
    """Extents of a window that moves along the height of a column one pixel wide."""
    sides = resolve_padding(padding, (kernel, 1), (stride, 1), (dilation, 1), (extent, 1))
    height, width = window_extent((extent, 1), (kernel, 1), (stride, 1), (dilation, 1), sides, ceil)
    assert width == 1
    return height


@pytest.mark.parametrize(
    "extent, kernel, stride, padding, ceil, result",
    [
        pytest.param(224, 7, 2, "half", False, 112, id="ResNet stem"),
        pytest.param(112, 3, 2, (1, 1, 0, 0), False, 56, id="ResNet pool"),
        pytest.param(224, 3, 2, "same", False, 112, id="MobileNet stem"),
        pytest.param(299, 3, 2, "valid", False, 149, id="Inception v3 stem"),
        pytest.param(112, 3, 2, "valid", True, 56, id="GoogLeNet pool"),
        pytest.param(227, 11, 4, "valid", False, 55, id="AlexNet stem"),
        # Outputs of PyTorch, reported in its issues 57178 and 116420.
        pytest.param(32, 1, 2, "valid", True, 16, id="ceil window past the input"),
        pytest.param(9, 4, 4, (2, 2, 0, 0), True, 3, id="ceil window in the padding"),
    ],
)
def test_published_extents(extent, kernel, stride, padding, ceil, result):
    assert along_one_axis(extent, kernel, stride, padding, ceil=ceil) == result


@pytest.mark.parametrize(
    "padding, kernel, stride, dilation, extent, sides",
    [
        ("valid", (3, 5), (1, 1), (1, 1), (8, 8), (0, 0, 0, 0)),
        ("half", (3, 5), (2, 2), (1, 1), (8, 8), (1, 1, 2, 2)),
        ("half", (3, 2), (1, 1), (2, 3), (8, 8), (2, 2, 2, 2)),
        ("same", (3, 3), (2, 2), (1, 1), (224, 7), (0, 1, 1, 1)),
        ("same", (2, 1), (1, 3), (1, 1), (5, 9), (0, 1, 0, 0)),
        ("same", (3, 3), (1, 2), (2, 2), (5, 6), (2, 2, 1, 2)),
        ((1, 2, 3, 4), (3, 3), (1, 1), (1, 1), (8, 8), (1, 2, 3, 4)),
    ],
)
def test_padding_is_resolved(padding, kernel, stride, dilation, extent, sides):
    assert resolve_padding(padding, kernel, stride, dilation, extent) == sides


windows = st.tuples(*[st.integers(1, high) for high in (12, 5, 3, 3)])


@given(window=windows)
def test_same_gives_an_output_per_stride_and_the_odd_zero_after(window):
    extent, kernel, stride, dilation = window
    result = along_one_axis(extent, kernel, stride, "same", dilation)
    assert result == len(range(0, extent, stride))
    before, after, *_ = resolve_padding(
        "same", (kernel, 1), (stride, 1), (dilation, 1), (extent, 1)
    )
    assert after - before in (0, 1)


@given(window=windows, before=st.integers(0, 4), after=st.integers(0, 4))
def test_windows_are_those_that_can_be_placed(window, before, after):
    extent, kernel, stride, dilation = window
    ends = [start + dilation * (kernel - 1) for start in range(-before, extent + after, stride)]
    placed = sum(end < extent + after for end in ends)
    sides = (before, after, 0, 0)
    if not placed:
        with pytest.raises(ShapeError):
            along_one_axis(extent, kernel, stride, sides, dilation)
        return
    assert along_one_axis(extent, kernel, stride, sides, dilation) == placed
    if after > dilation * (kernel - 1):
        return  # a window over padding alone, which pools refuse before they ask
    ragged = ends[placed - 1] < extent + after - 1 and stride * placed - before < extent
    assert along_one_axis(extent, kernel, stride, sides, dilation, ceil=True) == placed + ragged


def test_a_window_that_does_not_fit_says_where():
    with pytest.raises(ShapeError) as refusal:
        window_extent((9, 4), (3, 3), (1, 1), (1, 3), (0, 0, 1, 0))
    assert str(refusal.value) == (
        "a window of 7 does not fit the width 4 padded by 1 and 0; use a smaller kernel or stride"
        " before it, more padding or a larger input"
    )


def test_shapes_are_counted_and_written():
    assert (elements((64, 56, 56)), elements((10,)), elements(())) == (200704, 10, 1)
    assert (written((64, 56, 56)), written((10,))) == ("64x56x56", "10")
    assert (effective_kernel(3, 1), effective_kernel(3, 2), effective_kernel(1, 9)) == (3, 5, 1)

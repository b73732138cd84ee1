"""What PyTorch's modules call the weights of an op."""

from __future__ import annotations

from collections.abc import Mapping

_NORM = {"gamma": "weight", "beta": "bias"}

LAYOUT: Mapping[str, Mapping[str, str]] = {
    "conv": {"weight": "weight", "bias": "bias"},
    "dense": {"weight": "weight", "bias": "bias"},
    "batch_norm": {**_NORM, "moving_mean": "running_mean", "moving_variance": "running_var"},
    "layer_norm": _NORM,
    "group_norm": _NORM,
    "act": {"slope": "weight"},
}
"""By the op's name and the weight's; what is not listed has the spec's word."""

COUNTER = "num_batches_tracked"
"""A batch norm's count of its steps, which only matters where it has no momentum."""

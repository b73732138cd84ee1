"""How frameworks name the weights of an op: by the op's name and the weight's."""

from __future__ import annotations

from collections.abc import Mapping

_NORM = {"gamma": "weight", "beta": "bias"}

MINDSPORE: Mapping[str, Mapping[str, str]] = {
    "conv": {"weight": "weight", "bias": "bias"},
    "conv_transpose": {"weight": "weight", "bias": "bias"},
    "dense": {"weight": "weight", "bias": "bias"},
    "batch_norm": {
        "moving_mean": "moving_mean", "moving_variance": "moving_variance",
        "gamma": "gamma", "beta": "beta",
    },
    "act": {"slope": "w"},
}  # fmt: skip
"""How a MindSpore cell names the weights of an op."""

TORCH: Mapping[str, Mapping[str, str]] = {
    "conv": {"weight": "weight", "bias": "bias"},
    "conv_transpose": {"weight": "weight", "bias": "bias"},
    "dense": {"weight": "weight", "bias": "bias"},
    "batch_norm": {**_NORM, "moving_mean": "running_mean", "moving_variance": "running_var"},
    "layer_norm": _NORM,
    "group_norm": _NORM,
    "instance_norm": _NORM,
    "rms_norm": {"gamma": "weight"},
    "act": {"slope": "weight"},
}
"""How a PyTorch module names the weights of an op."""

TORCH_COUNTER = "num_batches_tracked"
"""PyTorch's batch norm counts its steps, which only matters where it has no momentum."""

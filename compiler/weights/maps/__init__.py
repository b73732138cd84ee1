"""The name maps of all publishers."""

from __future__ import annotations

from archspec.compiler.weights.maps import (
    mindcv,
    mindcv_later,
    modelzoo,
    timm_attention,
    timm_convolutional,
    torch_zoo,
)

FAMILIES = (
    *modelzoo.FAMILIES,
    *mindcv.FAMILIES,
    *mindcv_later.FAMILIES,
    *torch_zoo.FAMILIES,
    *timm_attention.FAMILIES,
    *timm_convolutional.FAMILIES,
)

PUBLISHERS = {
    "modelzoo": "MindSpore's model zoo",
    "mindcv": "MindCV",
    "torch": "torchvision, or any PyTorch model by its structure",
    "timm": "timm",
}
"""Whose names a file may have."""

"""Cells of a built network by their path, and others in their place."""

from __future__ import annotations

from typing import Any


def cell_at(network: Any, path: str) -> Any:
    """The cell of a path such as "stage1.conv", as cells_and_names() has them."""
    for step in path.split("."):
        network = network.name_cells()[step]
    return network


def put_cell(network: Any, path: str, cell: Any) -> None:
    """Put a cell in the place of another. It renames the parameters that the cell brings."""
    from mindspore import nn

    parent, _, last = path.rpartition(".")
    owner = cell_at(network, parent) if parent else network
    if isinstance(owner, nn.SequentialCell):
        owner[list(owner.name_cells()).index(last)] = cell
    else:
        setattr(owner, last, cell)

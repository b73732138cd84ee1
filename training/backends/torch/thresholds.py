"""From thresholds to gates (training.search.single_path.thresholds) in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from archspec.compiler.supernet import Supernet
from archspec.training.search.single_path.norms import Part, norms_of
from archspec.training.search.single_path.thresholds import TINY


class Gating:
    """From thresholds and weights to gates, float32 (supernet.gates,), times `kept`.

    `weights` are the network's by weight path, on the device where all of it stands. Thresholds
    start at 0, where every gate is open.
    """

    def __init__(self, supernet: Supernet, weights: Mapping[str, Tensor], temperature: float):
        norms = norms_of(supernet)
        device = weights[norms.parts[0].path].device

        def place(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(device)

        self.temperature = temperature
        self.measured = [
            Measured(weights[part.path], part, place(part.channels), place(part.taps))
            for part in norms.parts
        ]
        self.counts = place(norms.counts)
        self.all = supernet.gates
        self.of_kernels = norms.of_kernels
        self.rims = [place(rim).long() for rim in norms.rims]
        self.members = place(norms.members)
        self.wholes = place(norms.wholes)
        self.thresholds = nn.Parameter(torch.zeros(supernet.gates, device=device))

    def __call__(self, kept: Tensor) -> Tensor:
        return self.open_all(kept)[0]

    def open_all(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """The gates, and by how much each is open: its norm less its threshold."""
        with torch.no_grad():
            squares = torch.cat([part.squares() for part in self.measured])
        live = torch.ones_like(squares)
        if self.of_kernels == 0:
            return self.open_gates(squares, live, 0, self.all, kept)
        kernels, margins = self.open_gates(squares, live, 0, self.of_kernels, kept)
        if self.of_kernels == self.all:
            return kernels, margins
        known = torch.cat((kernels, torch.ones_like(kernels[:1])))
        for rim in self.rims:
            live = live * known[rim]
        others, further = self.open_gates(squares, live, self.of_kernels, self.all, kept)
        return torch.cat((kernels, others)), torch.cat((margins, further))

    def open_gates(
        self, squares: Tensor, live: Tensor, first: int, last: int, kept: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The gates of a range, and their margins. `live` is the share of each cell that is
        there."""
        squares, counts = squares * live, self.counts * live
        members, wholes = self.members[first:last], self.wholes[first:last]
        own = (members * squares).sum(-1) / (members * counts).sum(-1)
        whole = (wholes * squares).sum(-1) / (wholes * counts).sum(-1)
        norms = torch.sqrt((own + TINY) / (whole + TINY))
        thresholds = self.thresholds[first:last]
        margins = norms - thresholds
        soft = torch.sigmoid(margins / self.temperature)
        hard = (norms >= thresholds).to(soft.dtype)
        return ((hard - soft).detach() + soft) * kept[first:last], margins


@dataclass(frozen=True, eq=False)
class Measured:
    """A weight that gates are measured by, with the tables of its part."""

    weight: Tensor
    part: Part
    channels: Tensor
    taps: Tensor

    def squares(self) -> Tensor:
        """The sum of squares in each cell, group by group."""
        sums = self.weight.square().sum(1 - self.part.axis)
        square = sums.reshape(self.channels.shape[1], self.taps.shape[0])
        return (self.channels @ (square @ self.taps)).reshape(-1)

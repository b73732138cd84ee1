"""From thresholds to gates (training.search.single_path.thresholds) as a cell."""

# ruff: noqa: B905 (a compiled graph knows zip, but not its `strict`)

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from archspec.compiler.supernet import Supernet
from archspec.training.search.single_path.norms import norms_of
from archspec.training.search.single_path.thresholds import THRESHOLDS, TINY


class Gating(nn.Cell):
    """From thresholds and weights to gates, float32 (supernet.gates,), times `kept`.

    `weights` are the network's parameters by name. Thresholds start at 0, where every gate is open.
    """

    def __init__(self, supernet: Supernet, weights: Mapping[str, Parameter], temperature: float):
        super().__init__(auto_prefix=False)
        norms = norms_of(supernet)
        self.temperature = temperature
        self.weights = ParameterTuple([weights[part.path] for part in norms.parts])
        self.channels = tuple(Tensor(part.channels) for part in norms.parts)
        self.taps = tuple(Tensor(part.taps) for part in norms.parts)
        self.summed = tuple(1 - part.axis for part in norms.parts)
        self.counts = Tensor(norms.counts)
        self.all = supernet.gates
        self.of_kernels = norms.of_kernels
        self.rims = tuple(Tensor(rim) for rim in norms.rims)
        self.members = Tensor(norms.members)
        self.wholes = Tensor(norms.wholes)
        self.thresholds = Parameter(Tensor(np.zeros(supernet.gates, np.float32)), THRESHOLDS)

    def construct(self, kept):
        return self.open_all(kept)[0]

    def open_all(self, kept):
        """The gates, and by how much each is open: its norm less its threshold."""
        squares = self.squares()
        live = ops.ones_like(squares)
        if self.of_kernels == 0:
            return self.open_gates(squares, live, 0, self.all, kept)
        kernels, margins = self.open_gates(squares, live, 0, self.of_kernels, kept)
        if self.of_kernels == self.all:
            return kernels, margins
        known = ops.cat((kernels, ops.ones_like(kernels[:1])))
        for rim in self.rims:
            live = live * ops.gather(known, rim, 0)
        others, further = self.open_gates(squares, live, self.of_kernels, self.all, kept)
        return ops.cat((kernels, others)), ops.cat((margins, further))

    def squares(self):
        """The sum of squares in each cell of the parts."""
        sums = ()
        for weight, channels, taps, axis in zip(
            self.weights, self.channels, self.taps, self.summed
        ):
            square = ops.square(weight).sum(axis=axis).reshape(channels.shape[1], taps.shape[0])
            sums += (ops.matmul(channels, ops.matmul(square, taps)).reshape(-1),)
        return ops.stop_gradient(ops.cat(sums))

    def open_gates(self, squares, live, first, last, kept):
        """The gates of a range, and their margins. `live` is the share of each cell that is
        there."""
        squares, counts = squares * live, self.counts * live
        members, wholes = self.members[first:last], self.wholes[first:last]
        own = (members * squares).sum(-1) / (members * counts).sum(-1)
        whole = (wholes * squares).sum(-1) / (wholes * counts).sum(-1)
        norms = ops.sqrt((own + TINY) / (whole + TINY))
        thresholds = self.thresholds[first:last]
        margins = norms - thresholds
        soft = ops.sigmoid(margins / self.temperature)
        hard = (norms >= thresholds).astype(soft.dtype)
        return (ops.stop_gradient(hard - soft) + soft) * kept[first:last], margins

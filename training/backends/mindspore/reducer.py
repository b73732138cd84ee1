"""Gradients averaged over the processes that train together."""

# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOptionalSubscript=false
# (MindSpore's own annotations are not those of what its functions take and give)

from __future__ import annotations

from typing import Any

from mindspore import nn, ops

from archspec.training.distributed import Ranks


def build_reducer(parameters: Any, ranks: Ranks, device: str) -> Any:
    """A cell from a tuple of gradients to their means over all processes; None where there is but
    one.

    Devices order their own messages. On CPUs MindSpore runs operations that do not depend on each
    other at the same time and in any order, those that talk to other processes too, and under load
    they were seen to take each other's messages: there all gradients go as one.
    """
    if ranks.ranks == 1:
        return None
    if device == "CPU":
        return _AsOne(ranks.ranks)
    return nn.DistributedGradReducer(parameters, True, ranks.ranks)


class _AsOne(nn.Cell):
    def __init__(self, ranks: int):
        super().__init__()
        self.ranks = ranks
        self.sum = ops.AllReduce(ops.ReduceOp.SUM)

    def construct(self, gradients):
        parts = ()
        for gradient in gradients:
            parts += (gradient.reshape(-1),)
        means = self.sum(ops.concat(parts)) / self.ranks
        result = ()
        start = 0
        for gradient in gradients:
            stop = start + gradient.size
            result += (means[start:stop].reshape(gradient.shape),)
            start = stop
        return result

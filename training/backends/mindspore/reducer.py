"""Gradients averaged over the processes that train together."""

# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOptionalSubscript=false
# (MindSpore's own annotations are not those of what its functions take and give)

from __future__ import annotations

from itertools import accumulate
from typing import Any

from mindspore import nn, ops
from mindspore.ops.functional import partial

from archspec.training.backends.mindspore.optimizers import each
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
        return _AsOne(parameters, ranks.ranks)
    return nn.DistributedGradReducer(parameters, True, ranks.ranks)


class _AsOne(nn.Cell):
    def __init__(self, parameters: Any, ranks: int):
        super().__init__()
        self.ranks = ranks
        sizes = [parameter.size for parameter in parameters]
        self.starts = tuple(accumulate(sizes, initial=0))[:-1]
        self.sum = ops.AllReduce(ops.ReduceOp.SUM)

    def construct(self, gradients):
        means = self.sum(ops.concat(each(flatten, gradients))) / self.ranks
        return each(partial(cut, means), gradients, self.starts)


def flatten(gradient):
    return gradient.reshape(-1)


def cut(means, gradient, start):
    return means[start : start + gradient.size].reshape(gradient.shape)

"""What a training minimises: cells that take logits and labels and give one float32 number.

Labels are whole numbers (N) or shares of each class (N, C), as mixing images makes them. Whatever
the network computes in, a loss is computed in float32.
"""

# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOptionalSubscript=false
# (MindSpore's own annotations are not those of what its functions take and give)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

from archspec.training.recipe import Loss
from archspec.training.tuning import class_weights_of


class SmoothedCrossEntropy(nn.Cell):
    """Softmax cross entropy, the mean over a batch.

    A label's class has 1 - smoothing and each other class smoothing / (C - 1), as in the model
    zoo's recipes; MindSpore's and PyTorch's own smoothing gives smoothing / C to all of them. Where
    a label is shared between classes, each share is smoothed so. Class weights are factors on the
    share of each class; the mean stays one over images.
    """

    def __init__(self, smoothing: float = 0.0, class_weights: Sequence[float] | None = None):
        super().__init__()
        self.smoothing = smoothing
        # a constant of the graph, which is not state
        self.class_weights = None if class_weights is None else Tensor(class_weights, ms.float32)
        self.cross_entropy = nn.SoftmaxCrossEntropyWithLogits(sparse=False, reduction="mean")

    def construct(self, logits, labels):
        logits = logits.astype(ms.float32)
        classes = logits.shape[1]
        if labels.ndim == 1:
            labels = ops.one_hot(labels, classes, 1.0, 0.0)
        others = self.smoothing / max(classes - 1, 1)
        shares = labels * (1.0 - self.smoothing - others) + others
        if self.class_weights is None:
            return self.cross_entropy(logits, shares)
        # the kernel's gradients are right where shares add up to 1 alone
        return -(self.class_weights * shares * ops.log_softmax(logits, -1)).sum(-1).mean()


def divergence(from_logits, to_logits):
    """The Kullback-Leibler divergence KL(p || q) of softmax(from_logits) from softmax(to_logits),
    the mean over a batch."""
    log_p = ops.log_softmax(from_logits.astype(ms.float32), -1)
    log_q = ops.log_softmax(to_logits.astype(ms.float32), -1)
    return (ops.exp(log_p) * (log_p - log_q)).sum(-1).mean()


class MutualLoss(nn.Cell):
    """Deep mutual learning of n networks (arXiv 1706.00384), as ISyNet's code has it for two:

        sum of each one's cross entropy + weight / (2 (n - 1)) sum over i != j of KL(p_i || p_j)

    For two that is the mean of both divergences. The gradients of each reach both networks.
    """

    def __init__(self, smoothing: float, class_weights: Sequence[float] | None, weight: float):
        super().__init__()
        self.cross_entropy = SmoothedCrossEntropy(smoothing, class_weights)
        self.weight = weight

    def construct(self, logits, labels):
        total = 0.0
        for one in logits:
            total = total + self.cross_entropy(one, labels)
        count = len(logits)
        for i in range(count):
            for j in range(count):
                if i != j:
                    share = self.weight / (2 * (count - 1))
                    total = total + share * divergence(logits[i], logits[j])
        return total


class DistillationLoss(nn.Cell):
    """Knowledge distillation (arXiv 1503.02531), with p of the teacher and q of the network, both
    of logits divided by the temperature t; t^2 keeps the gradients' size whatever t is:

        (1 - weight) cross entropy + weight t^2 KL(p || q)
    """

    def __init__(
        self,
        smoothing: float,
        class_weights: Sequence[float] | None,
        temperature: float,
        weight: float,
    ):
        super().__init__()
        self.cross_entropy = SmoothedCrossEntropy(smoothing, class_weights)
        self.temperature = temperature
        self.weight = weight

    def construct(self, logits, labels, teacher_logits):
        teacher = ops.stop_gradient(teacher_logits) / self.temperature
        distance = divergence(teacher, logits / self.temperature) * self.temperature**2
        return (1 - self.weight) * self.cross_entropy(logits, labels) + self.weight * distance


def build_loss(settings: Loss) -> Any:
    """The cell for a recipe's loss: of (logits, labels), of (a tuple of logits, labels) where it is
    mutual, and of (logits, labels, the teacher's logits) where it distills."""
    labelled = (settings.smoothing, class_weights_of(settings))
    if settings.mutual is not None:
        return MutualLoss(*labelled, settings.mutual.weight)
    if settings.distill is not None:
        distill = settings.distill
        return DistillationLoss(*labelled, distill.temperature, distill.weight)
    return SmoothedCrossEntropy(*labelled)

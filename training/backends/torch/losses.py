"""What a training minimises: of logits and labels, one float32 number.

Labels are whole numbers (N) or shares of each class (N, C), as mixing images makes them. Whatever
the network computes in, a loss is computed in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from archspec.training.recipe import Loss
from archspec.training.tuning import class_weights_of


class LossOf(Protocol):
    """A loss. Logits are a tuple where networks learn from each other; `teacher` are those of the
    network that it is distilled from."""

    def __call__(
        self, logits: Sequence[Tensor], labels: Tensor, teacher: Tensor | None
    ) -> Tensor: ...


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    smoothing: float = 0.0,
    class_weights: Sequence[float] | None = None,
) -> Tensor:
    """Softmax cross entropy, the mean over a batch.

    A label's class has 1 - smoothing and each other class smoothing / (C - 1), as in the model
    zoo's recipes; PyTorch's own smoothing gives smoothing / C to all of them. Where a label is
    shared between classes, each share is smoothed so. Class weights are factors on the share of
    each class; the mean stays one over images.
    """
    logits = logits.float()
    if labels.ndim == 1 and smoothing == 0 and class_weights is None:
        return F.cross_entropy(logits, labels.long())
    classes = logits.shape[1]
    if labels.ndim == 1:
        labels = F.one_hot(labels.long(), classes)
    others = smoothing / max(classes - 1, 1)
    shares = labels.float() * (1.0 - smoothing - others) + others
    weight = None if class_weights is None else logits.new_tensor(class_weights)
    return F.cross_entropy(logits, shares, weight)


def divergence(from_logits: Tensor, to_logits: Tensor) -> Tensor:
    """The Kullback-Leibler divergence KL(p || q) of softmax(from_logits) from softmax(to_logits),
    the mean over a batch."""
    log_p = F.log_softmax(from_logits.float(), -1)
    log_q = F.log_softmax(to_logits.float(), -1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


@dataclass(frozen=True)
class LabelLoss:
    """Cross entropy with the labels."""

    smoothing: float
    class_weights: Sequence[float] | None = None

    def __call__(self, logits: Sequence[Tensor], labels: Tensor, teacher: Tensor | None) -> Tensor:
        return cross_entropy(logits[0], labels, self.smoothing, self.class_weights)


@dataclass(frozen=True)
class MutualLoss:
    """Deep mutual learning of n networks (arXiv 1706.00384), as ISyNet's code has it for two:

        sum of each one's cross entropy + weight / (2 (n - 1)) sum over i != j of KL(p_i || p_j)

    For two that is the mean of both divergences. The gradients of each reach both networks.
    """

    smoothing: float
    class_weights: Sequence[float] | None
    weight: float

    def __call__(self, logits: Sequence[Tensor], labels: Tensor, teacher: Tensor | None) -> Tensor:
        own = [cross_entropy(one, labels, self.smoothing, self.class_weights) for one in logits]
        total = torch.stack(own).sum()
        share = self.weight / (2 * (len(logits) - 1))
        for i, one in enumerate(logits):
            for j, other in enumerate(logits):
                if i != j:
                    total = total + share * divergence(one, other)
        return total


@dataclass(frozen=True)
class DistillationLoss:
    """Knowledge distillation (arXiv 1503.02531), with p of the teacher and q of the network, both
    of logits divided by the temperature t; t^2 keeps the gradients' size whatever t is:

        (1 - weight) cross entropy + weight t^2 KL(p || q)
    """

    smoothing: float
    class_weights: Sequence[float] | None
    temperature: float
    weight: float

    def __call__(self, logits: Sequence[Tensor], labels: Tensor, teacher: Tensor | None) -> Tensor:
        if teacher is None:
            raise AssertionError("nobody gave the logits of the teacher")
        labelled = cross_entropy(logits[0], labels, self.smoothing, self.class_weights)
        likely = teacher.detach() / self.temperature
        distance = divergence(likely, logits[0] / self.temperature) * self.temperature**2
        return (1 - self.weight) * labelled + self.weight * distance


def build_loss(settings: Loss) -> LossOf:
    """The loss of a recipe."""
    labelled = (settings.smoothing, class_weights_of(settings))
    if settings.mutual is not None:
        return MutualLoss(*labelled, settings.mutual.weight)
    if settings.distill is not None:
        distill = settings.distill
        return DistillationLoss(*labelled, distill.temperature, distill.weight)
    return LabelLoss(*labelled)

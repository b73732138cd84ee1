"""One step of a training.

    loss, logits = step(images, labels)

What a step does, in order: the loss and its gradients, averaged over the batches of accumulation
and over the devices; clipping; the optimizer; the moving average. All that the next step depends on
is in its `state`, by name, so a run that resumes from it comes to the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from archspec.compiler.weights.layouts import TORCH_COUNTER
from archspec.training.backends.torch.ema import Ema
from archspec.training.backends.torch.losses import LossOf
from archspec.training.backends.torch.optimizers import set_rate, state_of
from archspec.training.backends.torch.precision import build_scaler, cast
from archspec.training.recipe import Precision
from archspec.training.schedules import Rates

Forward = Callable[[Tensor], tuple[Tensor, ...]]

COUNTERS = ("steps", "summed_batches", "ema_updates", "skipped_steps")


class TrainStep:
    """Images and labels to the loss and the logits, with every weight one step further.

    `networks` are all that learn, by what their names begin with in a state, and `forward` calls
    them, in several processes by a wrapper; `teacher` is for a loss that distills. `accumulate`
    calls make one step of the optimizer, the i-th at rates[i]. A fixed loss scale never skips a
    step; a dynamic one skips those whose gradients are not finite, and counts them.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        forward: Forward,
        loss: LossOf,
        optimizer: torch.optim.Optimizer,
        rates: Rates,
        *,
        teacher: nn.Module | None = None,
        precision: Precision | None = None,
        clip_norm: float | None = None,
        accumulate: int = 1,
        ema: Ema | None = None,
    ):
        self.networks = networks
        self.forward = forward
        self.loss = loss
        self.optimizer = optimizer
        self.rates = rates
        self.teacher = teacher
        self.precision = precision or Precision()
        self.clip_norm = clip_norm
        self.accumulate = accumulate
        self.ema = ema
        self.names: Mapping[nn.Parameter, str] = {
            weight: prefix + name
            for prefix, network in networks.items()
            for name, weight in network.named_parameters()
            if weight.requires_grad
        }
        self.weights = [*self.names]
        self.device = self.weights[0].device
        scale = self.precision.loss_scale
        self.fixed_scale = scale.initial
        self.scaler = build_scaler(scale, self.device) if scale.is_dynamic else None
        self.done = self.summed = self.skipped = 0

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with cast(self.precision, self.device):
            taught = None if self.teacher is None else self._teach(self.teacher, images)
            logits = self.forward(images)
        loss = self.loss(logits, labels, taught)
        scaled = loss / self.accumulate
        if self.scaler is not None:
            scaled = self.scaler.scale(scaled)
        elif self.fixed_scale != 1.0:
            scaled = scaled * self.fixed_scale
        scaled.backward()
        self.summed += 1
        if self.summed == self.accumulate:
            self.summed = 0
            self._move()
            self.optimizer.zero_grad()
        return loss.detach(), logits[0].detach()

    @torch.no_grad()
    def _teach(self, teacher: nn.Module, images: Tensor) -> Tensor:
        return teacher(images)

    def _move(self) -> None:
        """The optimizer's step, with the gradients that are there."""
        set_rate(self.optimizer, float(self.rates[self.done]))
        if self.scaler is not None:
            if not self._scaled_move(self.scaler):
                self.skipped += 1
                return
        else:
            if self.fixed_scale != 1.0:
                for gradient in self._gradients():
                    gradient.div_(self.fixed_scale)
            self._clip()
            self.optimizer.step()
        self.done += 1
        if self.ema is not None:
            self.ema.update()

    def _scaled_move(self, scaler: torch.amp.GradScaler) -> bool:
        """Whether the step was made; waits for the device."""
        before = scaler.get_scale()
        scaler.unscale_(self.optimizer)
        self._clip()
        scaler.step(self.optimizer)
        scaler.update()
        return scaler.get_scale() >= before

    def _clip(self) -> None:
        if self.clip_norm is not None:
            clip_grad_norm_(self.weights, self.clip_norm)

    def _gradients(self) -> list[Tensor]:
        return [weight.grad for weight in self.weights if weight.grad is not None]

    def state(self) -> dict[str, np.ndarray]:
        """All that the steps to come depend on, by name, as copies."""
        found = {name: as_array(tensor) for name, tensor in self._tensors().items()}
        counts = zip(COUNTERS, self._counts(), strict=True)
        found |= {name: np.array(count, np.int32) for name, count in counts}
        if self.scaler is not None:
            kept = self.scaler.state_dict()
            found["loss_scale"] = np.array(kept["scale"], np.float32)
            found["loss_scale_steps"] = np.array(kept["_growth_tracker"], np.int32)
        if self.accumulate > 1:
            for weight, name in self.names.items():
                sums = weight.grad if weight.grad is not None else torch.zeros_like(weight)
                found[f"gradient_sum.{name}"] = as_array(sums)
        return found

    @torch.no_grad()
    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set all of it, in place: what was compiled may hold on to the memory."""
        for name, tensor in self._tensors().items():
            tensor.copy_(torch.tensor(arrays[name]))
        self.done, self.summed, updates, self.skipped = (int(arrays[name]) for name in COUNTERS)
        if self.ema is not None:
            self.ema.updates = updates
        if self.scaler is not None:
            self.scaler.load_state_dict(
                {
                    **self.scaler.state_dict(),
                    "scale": float(arrays["loss_scale"]),
                    "_growth_tracker": int(arrays["loss_scale_steps"]),
                }
            )
        if self.accumulate > 1:
            for weight, name in self.names.items():
                sums = torch.tensor(arrays[f"gradient_sum.{name}"])
                weight.grad = torch.zeros_like(weight).copy_(sums) if self.summed else None

    def _counts(self) -> tuple[int, int, int, int]:
        updates = 0 if self.ema is None else self.ema.updates
        return self.done, self.summed, updates, self.skipped

    def _tensors(self) -> dict[str, Tensor]:
        found = {
            prefix + name: tensor
            for prefix, network in self.networks.items()
            for name, tensor in _saved_tensors(network).items()
        }
        found |= state_of(self.optimizer, self.names)
        if self.ema is not None:
            found |= {
                f"ema.{name}": tensor for name, tensor in _saved_tensors(self.ema.network).items()
            }
        return found


def as_array(tensor: Tensor) -> np.ndarray:
    """A tensor as an array of its own, whose rows lie as numpy lays them."""
    return np.array(tensor.detach().cpu().numpy(), order="C")


def _saved_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Weights and statistics, without the counters that nothing reads."""
    return {
        name: tensor
        for name, tensor in network.state_dict().items()
        if name.rpartition(".")[2] != TORCH_COUNTER
    }


class Together(nn.Module):
    """Networks on the same images: their logits as a tuple, even of one."""

    def __init__(self, networks: Iterable[nn.Module]):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(network(images) for network in self.networks)

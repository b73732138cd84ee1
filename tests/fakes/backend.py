"""A backend in numpy: softmax regression on images that are really decoded, really augmented and
really learned, so that all of training but the framework can be tested in milliseconds.

It trains what LINEAR is the spec of: dropout on the pixels, then a dense layer. In processes of
their own `python -m fakes.backend MODULE ARGUMENT...` runs a module of archspec with it.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from archspec.compiler.images.batches import Batch
from archspec.compiler.images.lookahead import in_order
from archspec.compiler.model import weights_of
from archspec.compiler.targets import reference
from archspec.training.augmenting import augmentations
from archspec.training.backend import BACKENDS, Entry
from archspec.training.build import peer_prefix
from archspec.training.data.pipeline import Pipeline, generator
from archspec.training.distributed import Job, Ranks, Team

LINEAR: dict[str, Any] = {
    "archspec": 1,
    "name": "linear",
    "input": {"shape": [3, 12, 12], "mean": [0.4, 0.4, 0.4], "std": [0.3, 0.3, 0.3]},
    "args": {"classes": 3, "rate": 0.2},
    "body": [
        {"op": "dropout", "name": "dropout", "rate": "=rate"},
        {"op": "flatten", "name": "flatten"},
        {"op": "dense", "name": "dense", "channels": "=classes"},
    ],
}
DRAWN, MOMENTUM, PROBE = 11, "momentum.", "probe"
"""What augmentations are keyed by; what names of moments begin with; a supernet's own layer."""

before_step: list[Callable[[int], None]] = []
"""Called with the number of each step before it is made."""


@dataclass(frozen=True)
class Queued:
    """A step on its way. Only `read` says what it was."""

    loss: float
    logits: np.ndarray


class NumpyPipeline(Pipeline):
    """Every image is drawn for by its epoch and its number alone."""

    draws_by_workers = False

    def epoch(self, epoch: int, skip: int = 0) -> Generator[Batch, None, None]:
        yield from self.mix_batches(self._draw(epoch, skip), epoch, skip)

    def _draw(self, epoch: int, skip: int) -> Iterator[Batch]:
        for indices in self.order(epoch)[skip:]:
            rows = zip(indices, self.rows(indices), strict=True)
            images = [*in_order(partial(self._image, epoch), rows, self.workers)]
            yield np.stack(images), self.source.labels[indices].astype(np.int32)

    def _image(self, epoch: int, numbered: tuple[int, Any]) -> np.ndarray:
        index, (read, _) = numbered
        image = read()
        for place, change in enumerate(augmentations(self.augment, self.preprocessing)):
            image = change(image, partial(generator, self.seed, DRAWN, epoch, int(index), place))
        pixels = np.asarray(image.convert("RGB"), np.float32) / 255
        to = self.preprocessing.normalize
        normal = (pixels - np.float32(to.mean)) / np.float32(to.std)
        return np.ascontiguousarray(normal.transpose(2, 0, 1))


class NumpyPredictor:
    def __init__(self, model: Any):
        self.model = model

    def logits(self, images: np.ndarray) -> np.ndarray:
        (logits,) = reference.run(self.model.graph, self.model.weights, images).values()
        return logits.astype(np.float32)


class NumpyTrainer:
    """SGD with momentum on each network; accumulation, EMA and peers as a recipe may have them."""

    skips_steps = False

    def __init__(self, learners: Any, rates: np.ndarray, ranks: Ranks):
        self.recipe, self.rates = learners.recipe, rates
        self.prefixes = [peer_prefix(index) for index in range(len(learners.models))]
        self.values: dict[str, np.ndarray] = {"steps": np.zeros((), np.int32)}
        for prefix, model in zip(self.prefixes, learners.models, strict=True):
            for name, array in model.weights.items():
                self.values[prefix + name] = array.astype(np.float32)
        trained = [name for name in self.values if name != "steps"]
        self.values |= {MOMENTUM + name: self.values[name] * 0 for name in trained}
        if self.recipe.ema is not None:
            own = weights_of(learners.models[0].graph)
            self.values |= {f"ema.{name}": self.values[name].copy() for name in own}

    def step(self, images: np.ndarray, labels: np.ndarray, masks: Mapping[str, Any]) -> Queued:
        for call in before_step:
            call(int(self.values["steps"]))
        total, first = 0.0, None
        rate = self.rates[int(self.values["steps"]) // self.recipe.optimizer.accumulate]
        with np.errstate(all="ignore"):
            for prefix in self.prefixes:
                pixels = (images * masks[f"{prefix}dropout"]).reshape(len(images), -1)
                loss, logits = self._learn(prefix, pixels, labels, rate)
                total += loss
                first = logits if first is None else first
            if self.recipe.ema is not None:
                for name in [name for name in self.values if name.startswith("ema.")]:
                    away = self.values[name.removeprefix("ema.")] - self.values[name]
                    self.values[name] = self.values[name] + away * np.float32(
                        1 - self.recipe.ema.decay
                    )
        self.values["steps"] = self.values["steps"] + np.int32(1)
        assert first is not None
        return Queued(total, first)

    def _learn(
        self, prefix: str, pixels: np.ndarray, labels: np.ndarray, rate: np.float32
    ) -> tuple[float, np.ndarray]:
        weight, bias = f"{prefix}dense.weight", f"{prefix}dense.bias"
        logits = pixels @ self.values[weight].T + self.values[bias]
        loss, slope = cross_entropy(logits, labels)
        for name, gradient in ((weight, slope.T @ pixels), (bias, slope.sum(axis=0))):
            moment = np.float32(0.9) * self.values[MOMENTUM + name] + gradient
            self.values[MOMENTUM + name] = moment.astype(np.float32)
            self.values[name] = (self.values[name] - rate * moment).astype(np.float32)
        return loss, logits

    def read(self, pending: Sequence[Queued]) -> list[tuple[float, np.ndarray]]:
        return [(queued.loss, queued.logits) for queued in pending]

    def state(self) -> dict[str, np.ndarray]:
        return dict(self.values)

    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        assert arrays.keys() == self.values.keys()
        self.values = {name: array.copy() for name, array in arrays.items()}

    def weights(self) -> dict[str, np.ndarray]:
        return {name: self.values[name].copy() for name in ("dense.weight", "dense.bias")}

    def notes(self) -> dict[str, str]:
        return {}

    @contextmanager
    def serving(self, averaged: bool = True) -> Iterator[None]:
        held = self.values
        if averaged and self.recipe.ema is not None:
            averages = {n.removeprefix("ema."): v for n, v in held.items() if n.startswith("ema.")}
            self.values = {**held, **averages}
        try:
            yield
        finally:
            self.values = held

    def logits(self, images: np.ndarray) -> np.ndarray:
        pixels = images.reshape(len(images), -1)
        return pixels @ self.values["dense.weight"].T + self.values["dense.bias"]


class NumpyGatedTrainer:
    """A supernet's part that is not a network: its weights shrink, a layer of its own learns to
    tell the classes, and thresholds rise by what the gates are said to cost."""

    skips_steps = False

    def __init__(self, supernet: Any, recipe: Any, rates: np.ndarray):
        self.supernet, self.rates = supernet, rates
        classes = weights_of(supernet.graph)[[*weights_of(supernet.graph)][-1]].shape[0]
        pixels = int(np.prod(supernet.graph.input_shape))
        self.names = [*weights_of(supernet.graph)]
        self.values = {
            **{p: np.zeros(w.shape, np.float32) for p, w in weights_of(supernet.graph).items()},
            PROBE: np.zeros((classes, pixels), np.float32),
            "thresholds": np.zeros(supernet.gates, np.float32),
            "steps": np.zeros((), np.int32),
        }
        self.costs = np.linspace(0.2, 1.0, supernet.gates, dtype=np.float32)
        self.gates = np.ones(supernet.gates, np.float32)

    def step(
        self, images: np.ndarray, labels: np.ndarray, masks: Mapping[str, Any], kept: np.ndarray
    ) -> Queued:
        for call in before_step:
            call(int(self.values["steps"]))
        assert kept.dtype == bool and kept.shape == self.gates.shape
        rate = self.rates[int(self.values["steps"])]
        pixels = images.reshape(len(images), -1) * np.float32(kept.mean())
        logits = pixels @ self.values[PROBE].T
        loss, slope = cross_entropy(logits, labels)
        self.values[PROBE] = self.values[PROBE] - rate * (slope.T @ pixels)
        for name in self.names:
            self.values[name] = self.values[name] * (1 - rate)
        self.values["steps"] = self.values["steps"] + np.int32(1)
        return Queued(loss, logits)

    def step_thresholds(
        self, images: np.ndarray, labels: np.ndarray, masks: Any, lam: float, target: float,
        rate: float,
    ) -> Queued:  # fmt: skip
        logits = self.logits(images)
        loss, _ = cross_entropy(logits, labels)
        risen = np.float32(rate * lam) * self.costs
        self.values["thresholds"] = self.values["thresholds"] + risen
        return Queued(loss, logits)

    def read(self, pending: Sequence[Queued]) -> list[tuple[float, np.ndarray]]:
        return [(queued.loss, queued.logits) for queued in pending]

    def state(self) -> dict[str, np.ndarray]:
        return dict(self.values)

    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.values = {name: arrays[name].copy() for name in self.values}

    def margins(self) -> list[float]:
        return (1 - self.values["thresholds"]).tolist()

    def set_gates(self) -> list[float]:
        self.gates = (self.values["thresholds"] <= 1).astype(np.float32)
        return self.gates.tolist()

    def take_gates(self, gates: Sequence[float]) -> None:
        self.gates = np.asarray(gates, np.float32)

    def gather_statistics(self, batches: Iterable[np.ndarray]) -> None:
        assert sum(len(images) for images in batches)

    def weights(self) -> dict[str, np.ndarray]:
        return {name: self.values[name].copy() for name in self.names}

    @contextmanager
    def serving(self) -> Iterator[None]:
        yield

    def logits(self, images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1) @ self.values[PROBE].T


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean over a batch, and its slope at the logits."""
    wanted = labels if labels.ndim == 2 else np.eye(logits.shape[1], dtype=np.float32)[labels]
    shifted = logits - logits.max(axis=1, keepdims=True)
    likely = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    log_likely = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-(wanted * log_likely).sum(axis=1).mean()), (likely - wanted) / len(logits)


class NumpyBackend:
    name = "fake"
    devices = ("CPU",)

    def told_by(self, environment: Mapping[str, str] | None = None) -> str | None:
        return None

    def join(self, device: str) -> Ranks:
        return Ranks()

    def switches(self, device: str, wanted: Mapping[str, bool]) -> Mapping[str, bool]:
        return {}

    def job(self) -> Job:
        return Job()

    def team(self, workers: int) -> Team:
        return Team({}, [{} for _ in range(workers)])

    def pipeline(self, *arguments: Any, **settings: Any) -> NumpyPipeline:
        return NumpyPipeline(*arguments, **settings)

    def trainer(self, learners: Any, rates: np.ndarray, ranks: Ranks) -> NumpyTrainer:
        return NumpyTrainer(learners, rates, ranks)

    def predictor(self, model: Any) -> NumpyPredictor:
        return NumpyPredictor(model)

    def gated_trainer(
        self, supernet: Any, recipe: Any, runtime: Any, rates: np.ndarray, temperature: float,
        has_target: bool,
    ) -> NumpyGatedTrainer:  # fmt: skip
        return NumpyGatedTrainer(supernet, recipe, rates)


BACKEND = NumpyBackend()
ENTRY = Entry("fakes.backend", ("numpy",))
HOME = str(Path(__file__).parents[1])


def command(module: str, *arguments: str) -> list[str]:
    """What archspec.processes.python_command gives, with this backend among the others."""
    start = f"import sys; sys.path.insert(0, {HOME!r}); from fakes.backend import main; main()"
    return [sys.executable, "-c", start, module, *arguments]


def main() -> None:
    BACKENDS["fake"] = ENTRY
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

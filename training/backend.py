"""The seam between training and the frameworks that train.

Numpy arrays and floats alone cross it, with one exception: what a step is still computing is handed
back as it came (Pending), and only `read` says what it was. A framework is a folder in backends/,
found here by name when a run asks for it, so that nothing above imports one.

Whoever writes another: backends/mindspore has the files and their names, tests/fakes has one in
numpy, over which tests/training/test_backend.py runs all that training does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from archspec.errors import LackingError, Problem, SpecError, UsageError, did_you_mean
from archspec.extras import PACKAGES, install_hint, lacking

if TYPE_CHECKING:
    import numpy as np

    from archspec.compiler.images.source import Source
    from archspec.compiler.images.steps import Preprocessing
    from archspec.compiler.model import Model
    from archspec.compiler.supernet import Supernet
    from archspec.compiler.weights.arrays import Array
    from archspec.training.build import Learners
    from archspec.training.data.pipeline import Pipeline
    from archspec.training.distributed import Job, Ranks, Team
    from archspec.training.mixing import Mix
    from archspec.training.recipe import Recipe
    from archspec.training.schedules import Rates
    from archspec.training.search.single_path.runtime import Runtime

Pending: TypeAlias = Any
"""A step's loss and logits that a device may still be computing; of the backend that made it."""


class DeviceError(SpecError):
    """A step that could not be made for want of memory, or of a process that trained along: the
    machine is to blame, and what was saved before is good. `fits` images at a time would fit, where
    it is about those and some would."""

    def __init__(self, problems: Problem | str | Iterable[Problem], fits: int = 0):
        super().__init__(problems)
        self.fits = fits


class Predictor(Protocol):
    """A network in inference."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits (images, classes) of images, float32 NCHW, always as many as were agreed on: a
        backend may compile for that number."""
        ...


class Reader(Protocol):
    """What waits for a device."""

    def read(self, pending: Sequence[Pending]) -> list[tuple[float, np.ndarray]]:
        """The loss of each step and its logits (images, classes), of several networks those of the
        first. Waits for the device."""
        ...


class Stateful(Protocol):
    """What a checkpoint holds and restores."""

    @property
    def skips_steps(self) -> bool:
        """Whether a step whose gradients are not finite changes nothing but a loss scale."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """All that the steps to come depend on, by name, but what recipe and seed give again. The
        arrays may be the trainer's own: write them, or copy them, before the next step."""
        ...

    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set all of the state. The steps to come are then those that would have followed."""
        ...


class Trainer(Predictor, Reader, Stateful, Protocol):
    """Networks that learn, with all that a step needs."""

    def step(
        self, images: np.ndarray, labels: np.ndarray, masks: Mapping[str, np.ndarray]
    ) -> Pending:
        """Begin a step on a batch as the backend's own pipeline gives it: images, and labels, int32
        (images,) or float32 (images, classes); `masks` are training.noise's, by place. Waits for
        nothing."""
        ...

    def weights(self) -> dict[str, Array]:
        """The first network's, by weight path, as copies."""
        ...

    def notes(self) -> dict[str, str]:
        """What is to be known of these weights beside their numbers, for the file's metadata."""
        ...

    def serving(self, averaged: bool = True) -> AbstractContextManager[None]:
        """Within it the first network is as it is served, and `logits` answers: in inference, with
        the first process's batch statistics in all, and where the recipe has a moving average of
        the weights and `averaged` is set, with that."""
        ...


class GatedTrainer(Predictor, Reader, Stateful, Protocol):
    """A supernet (compiler.supernet) whose weights learn, and thresholds that open its gates."""

    def step(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        masks: Mapping[str, np.ndarray],
        kept: np.ndarray,
    ) -> Pending:
        """Begin a step of the weights, at the gates that the thresholds open times `kept`, bool
        (gates,)."""
        ...

    def step_thresholds(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        masks: Mapping[str, np.ndarray],
        lam: float,
        target: float,
        rate: float,
    ) -> Pending:
        """Begin a step of the thresholds. Loss and logits are those before it."""
        ...

    def set_gates(self) -> list[float]:
        """Open and close the gates as the thresholds say; what they then are."""
        ...

    def margins(self) -> list[float]:
        """By how much the thresholds have each gate open, below 0 where it is closed."""
        ...

    def take_gates(self, gates: Sequence[float]) -> None:
        """Open and close the gates so, whatever the thresholds say, until they are set again."""
        ...

    def gather_statistics(self, batches: Iterable[np.ndarray]) -> None:
        """Let batch norms see these images with the gates as they are, and nothing dropped."""
        ...

    def weights(self) -> dict[str, Array]:
        """The supernet's, by weight path, as copies."""
        ...

    def serving(self) -> AbstractContextManager[None]:
        """Within it `logits` answers for the network that the gates make, in inference."""
        ...


class Backend(Protocol):
    """A framework. `devices` are those it may have, the first being the one taken by default."""

    @property
    def name(self) -> str: ...

    @property
    def devices(self) -> tuple[str, ...]: ...

    def told_by(self, environment: Mapping[str, str] | None = None) -> str | None:
        """What of the environment says that other processes train along with this one, as
        NAME=VALUE; None where nothing does."""
        ...

    def join(self, device: str) -> Ranks:
        """Take a device and a place among the processes that the environment speaks of; alone
        without. Raises UsageError where the device does not exist or the environment contradicts
        itself."""
        ...

    def switches(self, device: str, wanted: Mapping[str, bool]) -> Mapping[str, bool]:
        """What a run on a device keeps of the switches that are the backend's own, by name, with
        what is usual for those that nobody set. Raises UsageError for one that it does not have."""
        ...

    def job(self) -> Job:
        """What its launcher keeps while it starts processes again."""
        ...

    def team(self, workers: int) -> Team:
        """How so many processes on this machine find each other."""
        ...

    def pipeline(
        self,
        source: Source,
        preprocessing: Preprocessing,
        augment: Sequence[Mapping[str, Any]] = (),
        mix: Mix | None = None,
        *,
        batch: int,
        seed: int,
        shuffle: bool = True,
        balanced: bool = False,
        workers: int = 1,
        rank: int = 0,
        ranks: int = 1,
    ) -> Pipeline:
        """Batches to train on. Their images are float32 NCHW, or whatever else the backend's own
        steps take, on a device perhaps. Raises UsageError where there are too few for one step."""
        ...

    def trainer(self, learners: Learners, rates: Rates, ranks: Ranks) -> Trainer:
        """All that is trained, as it is before the first step; the i-th has rates[i]."""
        ...

    def predictor(self, model: Model) -> Predictor:
        """A network in inference."""
        ...

    def gated_trainer(
        self,
        supernet: Supernet,
        recipe: Recipe,
        runtime: Runtime,
        rates: Rates,
        temperature: float,
        has_target: bool,
    ) -> GatedTrainer:
        """A supernet before the first step."""
        ...


# Finding one.


@dataclass(frozen=True)
class Entry:
    """A backend by its name: the module whose BACKEND it is, what must be installed for it, the
    framework last, and what starts it as several processes."""

    module: str
    packages: tuple[str, ...]
    launcher: str = "--workers"


BACKENDS: dict[str, Entry] = {
    "mindspore": Entry("archspec.training.backends.mindspore.backend", ("mindspore",), "msrun"),
    "torch": Entry("archspec.training.backends.torch.backend", ("numpy", "torch"), "torchrun"),
}
FIRST = "mindspore"
"""Run folders that name no backend are of this one."""
FOREIGN = ("PMI_SIZE", "MV2_COMM_WORLD_SIZE")
"""How launchers say that there are several processes of which no backend here can learn more."""
PREFERRED = {"GPU": ("torch", "mindspore"), "MPS": ("torch",)}
"""What trains on a device where nothing says otherwise, if it is installed; elsewhere it is what
comes first in BACKENDS."""


def is_installed(name: str) -> bool:
    """Whether all that a backend needs is there to be imported."""
    return all(find_spec(package) is not None for package in BACKENDS[name].packages)


def choose_backend(device: str, what: str = "this") -> str:
    """The backend for a device where nobody names one: that whose launcher the environment speaks
    of, else the first that is installed of those that are preferred there. Raises LackingError
    where none is, for `what` asks for one."""
    preferred = PREFERRED.get(device, tuple(BACKENDS))
    installed = [name for name in preferred if is_installed(name)]
    # who was started by one's launcher would train alone by the other
    told = [name for name in installed if _import_backend(name).told_by()]
    if installed:
        return (told or installed)[0]
    packages = [BACKENDS[name].packages[-1] for name in preferred]
    if len(packages) == 1:
        raise LackingError(lacking(what, packages[0]))
    titles, extras = zip(*(PACKAGES[package] for package in packages), strict=True)
    raise LackingError(
        f"{what} needs {' or '.join(titles)}, of which none is installed; run"
        f" {' or '.join(map(install_hint, extras))}"
    )


def backend_for(name: str | None, device: str, what: str) -> Backend:
    """The backend of a name, or without one that for a device. Raises UsageError as those do."""
    return find_backend(name or choose_backend(device, what), what)


def find_backend(name: str, what: str = "this run") -> Backend:
    """The backend of a name. Raises UsageError where there is none, or it is not installed, for
    `what` asks for it."""
    if name not in BACKENDS:
        raise UsageError(
            f"{what} needs the backend {name!r}, which does not exist here"
            f"{did_you_mean(name, BACKENDS)}; use one of {', '.join(BACKENDS)}"
        )
    if not is_installed(name):
        raise LackingError(lacking(what, BACKENDS[name].packages[-1]))
    _check_launcher(name)
    return _import_backend(name)


def find_lone_backend(name: str | None, device: str, what: str) -> Backend:
    """The same as backend_for, for what one process does. Raises UsageError where it was started as
    one of several."""
    backend = backend_for(name, device, what)
    told = backend.told_by()
    if told is not None:
        raise UsageError(
            f"{what} is the work of one process, and {told} in the environment says that there are"
            f" several; use it without {BACKENDS[backend.name].launcher}"
        )
    return backend


def _import_backend(name: str) -> Backend:
    """Its module, which imports no framework."""
    return import_module(BACKENDS[name].module).BACKEND


def _check_launcher(name: str) -> None:
    """Raises SpecError where this process was started as one of several by what this backend does
    not hear: each of them would train alone."""
    told = {other: words for other in BACKENDS if (words := _import_backend(other).told_by())}
    if name in told:
        return
    sizes = {variable: os.environ.get(variable, "") for variable in FOREIGN}
    foreign = [f"{variable}={size}" for variable, size in sizes.items() if size not in ("", "1")]
    for words in (*told.values(), *foreign):
        other = "".join(f", --backend {other}" for other in told)
        raise SpecError(
            f"{words} in the environment says that this is one of several processes, which {name}"
            f" does not find by it, so each would be alone; use {BACKENDS[name].launcher} to start"
            f" them{other}, or unset {words.partition('=')[0]}"
        )


__all__ = [
    "BACKENDS",
    "FIRST",
    "Backend",
    "DeviceError",
    "Entry",
    "GatedTrainer",
    "Pending",
    "Predictor",
    "Trainer",
    "backend_for",
    "choose_backend",
    "find_backend",
    "find_lone_backend",
    "is_installed",
]

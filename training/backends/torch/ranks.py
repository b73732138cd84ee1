"""Several processes by PyTorch: it averages their gradients, and they find each other so:

    archspec train ... --workers N, torchrun
        RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT

Seen at work on CPUs (gloo), started by --workers and by torchrun, on one machine. NCCL and HCCL are
called by the documented interface and were never run here.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from archspec.compiler.targets.torch.installed import torch
from archspec.errors import UsageError
from archspec.training.distributed import (
    HERE,
    Job,
    Ranks,
    Team,
    free_port,
    read_number,
    several_by,
)

AGENT_STORE = "TORCHELASTIC_USE_AGENT_STORE"
"""Set by torchrun: whether the store at MASTER_ADDR and MASTER_PORT is its own process's."""
PREFIX = "archspec/"
"""Of what is noted in that store, beside what PyTorch keeps there."""


@dataclass(frozen=True)
class TorchRanks(Ranks):
    """Sums by torch.distributed."""

    def add_up(self, numbers: np.ndarray) -> np.ndarray:
        from archspec.training.backends.torch.device import taken_device
        from archspec.training.backends.torch.failures import explain_loss

        package = torch()
        there = package.from_numpy(numbers).to(taken_device())
        with explain_loss():
            package.distributed.all_reduce(there)
            return there.cpu().numpy()


@dataclass(frozen=True)
class AgentJob(Job):
    """A job of torchrun's, whose own process keeps the store by which its workers meet."""

    store: Any

    def read(self, name: str) -> str | None:
        key = PREFIX + name
        return self.store.get(key).decode() if self.store.check([key]) else None

    def note(self, name: str, value: str) -> None:
        self.store.set(PREFIX + name, value)


def told_by(environment: Mapping[str, str] | None = None) -> str | None:
    """What of the environment says that other processes train along with this one, NAME=VALUE."""
    return several_by(os.environ if environment is None else environment, "WORLD_SIZE")


def job() -> Job:
    """What torchrun keeps while it starts its processes again (--max-restarts). Raises UsageError
    where it cannot be reached."""
    store = _agent_store()
    return Job() if store is None else AgentJob(store)


def _meeting_place(rank: int, size: int) -> dict[str, Any]:
    """Where processes find each other, if that is not what PyTorch takes by itself. torchrun's
    store outlives the processes: those it has started again would find, under the same keys, at
    which ports the ones before them listened, and connect to nobody."""
    store = _agent_store()
    if store is None:
        return {}
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    place = torch().distributed.PrefixStore(f"{PREFIX}attempt {attempt}", store)
    return {"store": place, "rank": rank, "world_size": size}


@cache
def _agent_store() -> Any:
    """The store that torchrun's own process keeps, None without. Raises UsageError where it cannot
    be reached."""
    host, port = os.environ.get("MASTER_ADDR"), read_number(os.environ, "MASTER_PORT")
    if os.environ.get(AGENT_STORE) != "True" or not host or port is None:
        return None
    try:
        return torch().distributed.TCPStore(host, port, wait_for_workers=False)
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"torchrun does not answer at {host}:{port}: {reason}") from error


@cache
def join(device: str) -> Ranks:
    """Take a device and a place among the processes that the environment speaks of; alone without.

    Raises UsageError where the device does not exist or the environment contradicts itself.
    """
    # threads that wait for each other's share in a loop take the CPU from those that read images
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    package = torch()
    from archspec.training.backends.torch.device import KINDS, take_device

    taken = take_device(device, read_number(os.environ, "LOCAL_RANK"))
    if told_by() is None:
        return Ranks()
    rank, size = read_number(os.environ, "RANK"), read_number(os.environ, "WORLD_SIZE")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        if not os.environ.get(name):
            raise UsageError(f"WORLD_SIZE is {size} and {name} is not set; use torchrun, or set it")
    if rank is None or size is None or rank >= size:
        raise UsageError(f"RANK is {rank} and WORLD_SIZE {size}; it must be 0 to {(size or 1) - 1}")
    try:
        package.distributed.init_process_group(
            KINDS[device].talks_by,
            device_id=None if taken.type == "cpu" else taken,
            **_meeting_place(rank, size),
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"the processes did not find each other: {reason}") from error
    atexit.register(package.distributed.destroy_process_group)
    return TorchRanks(rank, size)


def team_of(workers: int) -> Team:
    """So many workers on this machine, of which the first is the one that the others ask."""
    common = {
        "WORLD_SIZE": workers,
        "MASTER_ADDR": HERE,
        "MASTER_PORT": free_port(),
        AGENT_STORE: False,  # a torchrun that started this process is not whom they meet at
    }
    return Team(
        {name: str(value) for name, value in common.items()},
        [{"RANK": str(index), "LOCAL_RANK": str(index)} for index in range(workers)],
    )


__all__ = ["job", "join", "team_of", "told_by"]

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

import numpy as np

from archspec.compiler.targets.torch.installed import torch
from archspec.errors import UsageError
from archspec.training.distributed import HERE, Ranks, Team, free_port, read_number


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


def is_one_of_several(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the environment says that other processes train along with this one."""
    environment = os.environ if environment is None else environment
    size = read_number(environment, "WORLD_SIZE")
    return size is not None and size > 1


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
    if not is_one_of_several():
        return Ranks()
    rank, size = read_number(os.environ, "RANK"), read_number(os.environ, "WORLD_SIZE")
    if rank is None or size is None or rank >= size:
        raise UsageError(f"RANK is {rank} and WORLD_SIZE {size}; it must be 0 to {(size or 1) - 1}")
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if not os.environ.get(name):
            raise UsageError(f"WORLD_SIZE is {size} and {name} is not set; use torchrun, or set it")
    try:
        package.distributed.init_process_group(
            KINDS[device].talks_by, device_id=None if taken.type == "cpu" else taken
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"the processes did not find each other: {reason}") from error
    atexit.register(package.distributed.destroy_process_group)
    return TorchRanks(rank, size)


def team_of(workers: int) -> Team:
    """So many workers on this machine, of which the first is the one that the others ask."""
    common = {"WORLD_SIZE": workers, "MASTER_ADDR": HERE, "MASTER_PORT": free_port()}
    return Team(
        {name: str(value) for name, value in common.items()},
        [{"RANK": str(index), "LOCAL_RANK": str(index)} for index in range(workers)],
    )


__all__ = ["is_one_of_several", "join", "team_of"]

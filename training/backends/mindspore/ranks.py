"""Several processes by MindSpore: it averages their gradients, and they find each other so:

    archspec train ... --workers N, msrun     MS_ROLE, MS_WORKER_NUM, MS_SCHED_HOST, MS_SCHED_PORT
    mpirun                                    OMPI_COMM_WORLD_SIZE
    a rank table (Ascend, ModelArts)          RANK_TABLE_FILE, RANK_ID, RANK_SIZE, DEVICE_ID

Seen at work on CPUs, started by --workers and by msrun. HCCL and NCCL are called by MindSpore's
documented interface and were never run here.
"""

# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOptionalSubscript=false
# (MindSpore's own annotations are not those of what its functions take and give)

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from archspec.compiler.targets.mindspore import set_device
from archspec.compiler.targets.mindspore.device import prepare
from archspec.compiler.targets.mindspore.installed import mindspore
from archspec.errors import UsageError
from archspec.training.distributed import (
    HERE,
    Ranks,
    Team,
    follow_parent,
    free_port,
    read_number,
    several_by,
)

SCHEDULER, WORKER = "MS_SCHED", "MS_WORKER"


@dataclass(frozen=True)
class MindSporeRanks(Ranks):
    """Sums by MindSpore's AllReduce."""

    def add_up(self, numbers: np.ndarray) -> np.ndarray:
        from mindspore import Tensor

        return _all_reduce()(Tensor(numbers)).asnumpy()


def told_by(environment: Mapping[str, str] | None = None) -> str | None:
    """What of the environment says that other processes train along with this one, NAME=VALUE."""
    environment = os.environ if environment is None else environment
    if environment.get("MS_ROLE"):
        return f"MS_ROLE={environment['MS_ROLE']}"
    return several_by(environment, "OMPI_COMM_WORLD_SIZE", "RANK_SIZE")


@cache
def join(device: str) -> Ranks:
    """Take a device and a place among the processes that the environment speaks of; alone without.
    From then on MindSpore compiles cells whole.

    Raises UsageError where the device does not exist or the environment contradicts itself.
    """
    ms = mindspore()
    set_device(device, read_number(os.environ, "DEVICE_ID"))
    ms.set_context(mode=ms.GRAPH_MODE)  # by default each op is run as it is met, at twice the time
    if told_by() is None:
        return Ranks()
    rank, size = read_number(os.environ, "RANK_ID"), read_number(os.environ, "RANK_SIZE")
    if rank is not None and size is not None and rank >= size:
        raise UsageError(f"RANK_ID is {rank} and RANK_SIZE {size}; it must be 0 to {size - 1}")
    table = os.environ.get("RANK_TABLE_FILE")
    if table and not Path(table).is_file():
        raise UsageError(f"RANK_TABLE_FILE is {table}, which is not a file; use a rank table")
    from mindspore.communication import get_group_size, get_rank, init

    try:
        init()
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"the processes did not find each other: {reason}") from error
    ms.set_auto_parallel_context(parallel_mode=ms.ParallelMode.DATA_PARALLEL, gradients_mean=True)
    return MindSporeRanks(get_rank(), get_group_size())


@cache
def _all_reduce() -> Any:
    """The cell that adds arrays up over all processes."""
    from mindspore import nn, ops

    class Sum(nn.Cell):
        def __init__(self):
            super().__init__()
            self.reduce = ops.AllReduce(ops.ReduceOp.SUM)

        def construct(self, x):
            return self.reduce(x)

    return Sum()


def team_of(workers: int) -> Team:
    """So many workers on this machine, and MindSpore's scheduler, by which they find each other."""
    prepare()  # so that no worker has to look at the machine again
    return Team(
        {
            "MS_WORKER_NUM": str(workers),
            "MS_SCHED_HOST": HERE,
            "MS_SCHED_PORT": str(free_port()),
        },
        [{"MS_ROLE": WORKER, "MS_NODE_ID": str(index)} for index in range(workers)],
        helper=__name__,
        helper_environment={"MS_ROLE": SCHEDULER},
    )


def _schedule() -> None:
    """Be the process by which the others find each other."""
    follow_parent()
    import mindspore
    from mindspore.communication import init

    mindspore.set_device("CPU")
    init()


if __name__ == "__main__":
    _schedule()


__all__ = ["join", "team_of", "told_by"]

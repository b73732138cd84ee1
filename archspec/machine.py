"""The machine that this process runs on, as far as several parts must say the same of it."""

from __future__ import annotations

import os
import platform

DEVICES = ("CPU", "GPU", "Ascend")
"""What networks are trained and evaluated on. Which of them a framework finds here, it says."""


def usable_cpus() -> int:
    """How many CPUs this process may use, which a container or taskset makes fewer than there are
    (Linux)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_words() -> str:
    """The machine in a few words, for the records of a run: "x86_64, 8 CPUs, Linux"."""
    return f"{platform.machine()}, {usable_cpus()} CPUs, {platform.system()}"

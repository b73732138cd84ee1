"""The machine that this process runs on, as far as several parts must say the same of it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

DEVICES = ("CPU", "GPU", "Ascend", "MPS")
"""What networks are trained and evaluated on. Which of them a framework has, its backend says, and
which it finds here, its `join`."""
SYNONYMS: Mapping[str, str] = {"cuda": "GPU", "npu": "Ascend"}
"""What PyTorch calls them, where it is not the same word."""


def parse_device(text: str) -> str:
    """A device by its name or PyTorch's, in capitals or not. Raises ValueError for any other."""
    names = {name.lower(): name for name in DEVICES} | dict(SYNONYMS)
    if text.lower() not in names:
        raise ValueError(f"use one of {', '.join(DEVICES)}")
    return names[text.lower()]


def usable_cpus() -> int:
    """How many CPUs this process may use, which a container or taskset makes fewer than there are
    (Linux)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_words() -> str:
    """The machine in a few words, for the records of a run: "x86_64, 8 CPUs, Linux"."""
    return f"{platform.machine()}, {usable_cpus()} CPUs, {platform.system()}"

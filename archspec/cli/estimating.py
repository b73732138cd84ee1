"""Options of the commands that estimate time on a device."""

from __future__ import annotations

import argparse

from archspec.errors import UsageError

DEVICE, BATCH = "ascend310", 16
"""What is calibrated, and the batch at which it was."""
LARGEST_BATCH = 1_000_000


def add_device(
    parser: argparse.ArgumentParser, default: str | None = DEVICE, what: str = ""
) -> None:
    what = what or (f"default: {default}" if default else "adds estimated times")
    parser.add_argument(
        "--device",
        default=default,
        metavar="NAME|FILE",
        help="one that `archspec latency devices` lists, or a file that `archspec latency"
        f" calibrate` wrote; {what}",
    )


def add_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--batch", type=int, default=BATCH, metavar="N", help=f"images; default: {BATCH}"
    )


def checked_batch(batch: int) -> int:
    """The batch, where it can be one. Raises UsageError."""
    if not 1 <= batch <= LARGEST_BATCH:
        raise UsageError(f"--batch {batch}: must be 1 to {LARGEST_BATCH:,}")
    return batch

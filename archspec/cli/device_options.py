"""What a network is trained or run on, and by which framework, as options."""

from __future__ import annotations

import argparse
from typing import Any, Protocol

from archspec.machine import DEVICES, parse_device
from archspec.training.backend import BACKENDS


class Parser(Protocol):
    """A parser, or a group of its options."""

    def add_argument(self, *names: Any, **options: Any) -> Any: ...


def add_device(parser: Parser, what: str = "") -> None:
    """--device and --backend, of whatever trains or runs a network."""
    parser.add_argument(
        "--device",
        type=_device,
        metavar="{" + ",".join(DEVICES) + "}",
        help=f"{what}default: CPU",
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        help=f"{what}default: what is installed; of both torch for GPU, mindspore for the rest",
    )


def _device(text: str) -> str:
    try:
        return parse_device(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a device; {error}") from None

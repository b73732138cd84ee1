"""What this machine can do: versions, targets, devices, and tools of other makers."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from archspec.cli.commands import GROUPS, NEEDS
from archspec.cli.common import add_format, print_json
from archspec.compiler.targets import written_by
from archspec.errors import UsageError
from archspec.extras import PACKAGE, PACKAGES, install_hint, is_there, version_of, why_missing
from archspec.machine import DEVICES
from archspec.tables import Column, Table, write_table


class Finding(NamedTuple):
    """One row: what was looked at, "yes", "no", "part" or "-" where it does not matter, and the
    rest."""

    what: str
    there: str
    note: str


EXAMPLES = (
    "archspec doctor",
    "archspec doctor --format json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_format(parser, ("table", "json"))


def run(options: argparse.Namespace) -> int:
    findings = [*_groups(), *_packages(), *_targets(), *_devices(), *_onednn(), *_tools()]
    if options.format == "json":
        print_json([finding._asdict() for finding in findings])
        return 0
    columns = [
        Column("what", "what"),
        Column("there", "there"),
        Column("note", "note", is_prose=True),
    ]
    table = Table(columns, [finding._asdict() for finding in findings])
    write_table(table, options.format)
    return 0


def _groups() -> Iterator[Finding]:
    """What people want of archspec, and the one command that adds what is missing for it."""
    for group, needs in NEEDS.items():
        missing = [either for either in needs if not any(map(is_there, either))]
        if not missing:
            yield Finding(group, "yes", ", ".join(GROUPS[group]))
            continue
        lacking = " and ".join(" or ".join(either) for either in missing)
        hint = install_hint(*(either[0] for either in missing))
        yield Finding(group, "part", f"lacks {lacking}; run {hint}")


def _packages() -> Iterator[Finding]:
    yield Finding("Python", "yes", f"{platform.python_version()}, {sys.executable}")
    yield Finding("archspec", "yes", version_of(PACKAGE))
    for package, (_, extra) in PACKAGES.items():
        reason = why_missing(package)
        if not reason:
            yield Finding(package, "yes", version_of(package))
        else:
            yield Finding(package, "no", install_hint(extra))


def _targets() -> Iterator[Finding]:
    for target in written_by("compile").values():
        lacking = [package for package in target.packages if why_missing(package)]
        note = f"lacks {' and '.join(lacking)}" if lacking else ""
        yield Finding(f"target {target.name}", "no" if lacking else "yes", note)


def _devices() -> Iterator[Finding]:
    from archspec.compiler.targets.mindspore.device import missing_for as missing_for_mindspore
    from archspec.compiler.targets.torch.installed import missing_for as missing_for_torch

    asked = {"mindspore": missing_for_mindspore, "torch": missing_for_torch}
    for device in DEVICES:
        for name, missing_for in asked.items():
            lacking = name if why_missing(name) else missing_for(device)
            note = f"lacks {lacking}" if lacking else ""
            yield Finding(f"device {device}, {name}", "no" if lacking else "yes", note)


def _onednn() -> Iterator[Finding]:
    from archspec.compiler.targets.mindspore.device import CAP, GOOD_CAP, onednn_verdict

    name = "oneDNN kernels"
    if CAP in os.environ:
        yield Finding(name, "-", f"{CAP}={os.environ[CAP]}, set by you")
    elif why_missing("mindspore"):
        yield Finding(name, "-", "not tried without mindspore")
    else:
        yield Finding(
            name,
            *{
                "fine": ("yes", "fast ones are chosen"),
                "capped": ("yes", f"slow ones by default here; {CAP}={GOOD_CAP} is set on use"),
                "hopeless": ("no", "only slow ones were found on this CPU"),
                "unknown": ("-", "could not be tried"),
            }[onednn_verdict()],
        )


def _tools() -> Iterator[Finding]:
    yield _atc()
    yield _cann_by_chip()
    beside = str(Path(sys.executable).parent)
    msrun = shutil.which("msrun") or shutil.which("msrun", path=beside)
    yield Finding("msrun", "yes" if msrun else "no", msrun or "comes with mindspore")
    reason = why_missing("acl")
    yield Finding("acl", "no" if reason else "yes", "CANN's Python interface" if reason else "")


def _atc() -> Finding:
    """CANN's converter, wherever `archspec export --format om` would find it."""
    from archspec.deploy.cann import find_toolkit

    try:
        toolkit = find_toolkit(os.environ)
    except UsageError as error:
        return Finding("atc", "no", str(error))
    if toolkit is None:
        return Finding("atc", "no", "Ascend's converter, a part of CANN")
    return Finding("atc", "yes", f"{toolkit.atc}, CANN {toolkit.release or 'of unknown release'}")


def _cann_by_chip() -> Finding:
    """Which chips the installed CANN lists, or which CANN each of those that people have takes."""
    from archspec.deploy.cann import find_toolkit
    from archspec.deploy.socs import CHIPS, chips_under

    with suppress(UsageError):
        toolkit = find_toolkit(os.environ)
        if toolkit is not None and toolkit.version is not None:
            names = ", ".join(chip.name for chip in chips_under(toolkit.version))
            return Finding("CANN's chips", "-", f"{toolkit.release} lists {names}")
    return Finding("CANN by chip", "-", ", ".join(f"{c.name} {c.cann}" for c in CHIPS[:3]))

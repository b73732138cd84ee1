"""Ascend's profiler, msprof, run around an engine that repeats a model."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from archspec.deploy.cann import HOME_VARIABLES, HOMES, how_to_source
from archspec.deploy.description import check_made_of, read_sidecar
from archspec.deploy.profile.joining import join
from archspec.deploy.profile.op_summary import find_op_summary, is_stand_in, read_op_summary
from archspec.deploy.profile.others import (
    is_ais_bench,
    is_op_statistic,
    read_ais_bench,
    read_op_statistic,
)
from archspec.deploy.profile.repeat import WARM_UP
from archspec.deploy.profile.report import MEASURED, SIMULATED, LayerTime, Profile
from archspec.errors import LackingError, SpecError, UsageError
from archspec.graph import Graph
from archspec.processes import python_command

FLAGS = (
    "--aic-metrics=PipeUtilization",
    "--ascendcl=on",
    "--task-time=on",
    "--ai-core=on",
)
PROGRAM, FOLDERS = "msprof", ("bin", "tools/profiler/bin")
LOG, NOTE, SCRIPT = "msprof.log", "note.json", "run.sh"
LAST_LINES = 5


def find_msprof(environment: Mapping[str, str]) -> Path | None:
    """msprof on PATH, else in the toolkit that set_env.sh names, else in a default folder."""
    homes = [environment[name] for name in HOME_VARIABLES if environment.get(name)]
    homes += [os.path.expanduser(home) for home in HOMES]  # noqa: PTH111  (Path's may raise)
    folders = [f"{home}/{folder}" for home in homes for folder in FOLDERS]
    found = shutil.which(PROGRAM, path=environment.get("PATH", "")) or shutil.which(
        PROGRAM, path=os.pathsep.join(folders)
    )
    return Path(found) if found else None


def no_msprof() -> LackingError:
    return LackingError(
        f"there is no msprof here; where CANN is installed, use {how_to_source()}, and"
        " archspec profile SPEC --device ascend310 estimates without"
    )


def run_msprof(
    model: str | os.PathLike[str],
    graph: Graph | None,
    *,
    engine: str = "acl",
    device: int = 0,
    batch: int | None = None,
    runs: int = 20,
    keep: str | os.PathLike[str] | None = None,
) -> Profile:
    """Profile `runs` runs of zeros, after some that do not count. `keep` is a new folder that
    msprof's own files stay in. Raises UsageError where msprof is missing or leaves no table,
    SpecError where the model does not run under it or was made of another spec."""
    if graph is not None:
        check_made_of(model, read_sidecar(model), graph)
    program = find_msprof(os.environ)
    if program is None:
        raise no_msprof()
    if keep is not None and Path(keep).exists():
        raise UsageError(f"{keep} exists already; use another name, or remove it")
    with tempfile.TemporaryDirectory(prefix="archspec-msprof-") as temporary:
        folder = Path(temporary)
        _run(program, _application(folder, model, engine, device, batch, runs), folder)
        if keep is not None:
            folder = Path(shutil.copytree(folder, keep))
        note = json.loads((folder / NOTE).read_text())
        kernels = read_op_summary(find_op_summary(folder), WARM_UP)
        is_simulated = note["simulated"] or is_stand_in(folder)
    return Profile(
        note["name"] or (graph.name if graph else Path(model).name),
        SIMULATED if is_simulated else MEASURED,
        "a stand-in, no device at all" if is_simulated else f"msprof on NPU {device}",
        note["batch"],
        join(kernels, graph, note["batch"]),
        (f"medians of {runs} runs",),
    )


def read_profile(place: str | os.PathLike[str], graph: Graph | None, batch: int) -> Profile:
    """The profile in msprof's own files or ais_bench's, wherever they were made, of runs of this
    batch. Raises SpecError and UsageError for what is none of them."""
    path, name = Path(place), graph.name if graph else Path(place).name
    if is_op_statistic(path):
        kernels = read_op_statistic(path)
        rows = join(kernels, None, batch)
        note = "op_statistic adds up all runs of its file and tells kinds of operators, not layers"
        return Profile(name, MEASURED, f"msprof, read from {place}", batch, rows, (note,), True)
    if is_ais_bench(path):
        rows = (LayerTime("(the whole network)", "", read_ais_bench(path)),)
        return Profile(name, MEASURED, f"ais_bench, read from {place}", batch, rows)
    paths = find_op_summary(Path(place))
    is_simulated = is_stand_in(Path(place))
    return Profile(
        graph.name if graph else Path(place).name,
        SIMULATED if is_simulated else MEASURED,
        "a stand-in, no device at all" if is_simulated else f"msprof, read from {place}",
        batch,
        join(read_op_summary(paths), graph, batch),
    )


def _application(
    folder: Path,
    model: str | os.PathLike[str],
    engine: str,
    device: int,
    batch: int | None,
    runs: int,
) -> str:
    """What msprof is to run. It takes one text and parts it at spaces, so the command goes into a
    script whose own path has none."""
    command = python_command(
        "archspec.deploy.profile.repeat", str(Path(model).absolute()),
        "--engine", engine, "--device", str(device), "--runs", str(runs),
        *([] if batch is None else ["--batch", str(batch)]),
        "--note", str(folder / NOTE),
    )  # fmt: skip
    script = folder / SCRIPT
    script.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n")
    return f"sh {script}"


def _run(program: Path, application: str, folder: Path) -> None:
    command = [str(program), f"--output={folder}", f"--application={application}", *FLAGS]
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    (folder / LOG).write_text(result.stdout)
    lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("error: ")] or lines[-LAST_LINES:]
    if result.returncode or not (folder / NOTE).is_file():
        raise SpecError(
            f"msprof ended with {result.returncode} and the model did not run to its end"
            f" ({' / '.join(said) or 'it said nothing'}); archspec infer on its own shows why"
        )

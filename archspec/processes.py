"""Further processes of archspec: the same code as this process runs, whatever lies in the working
folder, where `python -m` would look first and users have files of any name."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

HOME = str(Path(__file__).resolve().parents[1])
"""The folder that this archspec was imported from."""

_START = """\
import sys
sys.path[:] = [sys.argv.pop(1), *filter(None, sys.path)]
import archspec
sys.path.append(sys.path.pop(0))
import runpy
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of archspec in a Python of its own, as `python -m` does, with
    this process's archspec and without the working folder on its path."""
    return [sys.executable, "-c", _START, HOME, module, *arguments]


def start_process(
    command: Sequence[str],
    environment: Mapping[str, str],
    output: IO[bytes] | int | None = None,
    errors: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """A process that asks for no input, with `environment` beside what this one has. Its session is
    its own: a Ctrl-C is for this process alone, which passes it on."""
    return subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
    )


def end_with_parent() -> bool:
    """Ask to be killed as soon as the thread that started this process is over (Linux); whether
    that is possible here."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return True


def wait_for_end(processes: Iterable[subprocess.Popen[Any]], seconds: float) -> None:
    """Return as soon as one of these processes has ended, or after that many seconds."""
    if not hasattr(os, "pidfd_open"):
        time.sleep(min(seconds, 0.05))
        return
    files: list[int] = []
    try:
        ends = select.poll()
        for process in processes:
            files.append(os.pidfd_open(process.pid))
            ends.register(files[-1], select.POLLIN)
        ends.poll(seconds * 1000)
    except ProcessLookupError:  # it has been waited for
        pass
    finally:
        for file in files:
            os.close(file)

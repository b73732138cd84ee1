"""Where CANN is on this machine: its converter atc, its version, what atc needs around it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from archspec.errors import UsageError

HOMES = (
    "/usr/local/Ascend/ascend-toolkit/latest",
    "/usr/local/Ascend/cann",
    "~/Ascend/ascend-toolkit/latest",
    "~/Ascend/cann",
)
"""Where CANN installs itself: up to 8.3 and from 8.5 on, for root and for anybody else."""

HOME_VARIABLES = ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH")
"""What set_env.sh says of the toolkit's folder."""

SOURCED = "ASCEND_OPP_PATH"
"""A variable that set_env.sh sets and atc cannot do without."""

LIBRARIES = "LD_LIBRARY_PATH"


@dataclass(frozen=True)
class Toolkit:
    """An installed CANN."""

    atc: Path
    home: Path
    """The folder that set_env.sh calls ASCEND_TOOLKIT_HOME."""
    release: str
    """Such as "8.0.0" or "8.3.RC1"; empty where no file says it."""

    @property
    def version(self) -> tuple[int, int] | None:
        """Its first two numbers."""
        met = re.match(r"(\d+)\.(\d+)", self.release)
        return (int(met[1]), int(met[2])) if met else None

    @property
    def set_env(self) -> Path | None:
        """The script that makes a shell ready for it."""
        candidates = (self.home / "set_env.sh", self.home.parent / "set_env.sh")
        return next((path for path in candidates if path.is_file()), None)

    @property
    def socs(self) -> frozenset[str]:
        """The chips that it has a description of."""
        folders = (self.home, self.home / arch_folder(), self.home / "compiler")
        return frozenset(
            path.stem for folder in folders for path in folder.glob("data/platform_config/*.ini")
        )


def find_toolkit(environment: Mapping[str, str]) -> Toolkit | None:
    """The CANN whose atc is $ATC, else on PATH, else in the folder that set_env.sh names, else in a
    default one. Raises UsageError where $ATC is set and no program."""
    given = environment.get("ATC")
    path = environment.get("PATH", "")
    if given:
        atc = shutil.which(given, path=path)
        if atc is None:
            raise UsageError(
                f"ATC is {given}, and that is not a program that can be run; use the path of"
                " CANN's atc"
            )
        return _toolkit(Path(atc))
    folders = [
        *(environment[name] for name in HOME_VARIABLES if environment.get(name)),
        *_homes(),
    ]
    atc = shutil.which("atc", path=path) or shutil.which(
        "atc", path=os.pathsep.join(f"{folder}/bin" for folder in folders)
    )
    return _toolkit(Path(atc)) if atc else None


def how_to_source() -> str:
    """The command that makes a shell ready for the CANN that is installed, else for one in its
    default folder."""
    for home in map(Path, _homes()):
        for folder in (home, home.parent):
            if (folder / "set_env.sh").is_file():
                return f"`source {folder}/set_env.sh`"
    return (
        "`source /usr/local/Ascend/ascend-toolkit/set_env.sh` (from CANN 8.5 on"
        " `source /usr/local/Ascend/cann/set_env.sh`)"
    )


def environment_for(toolkit: Toolkit, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that atc is to run with.

    What set_env.sh sets, where no shell has sourced it yet; and on a machine without an NPU, which
    has no driver, the folder of CANN's own copies of the driver's libraries.
    """
    result = dict(environment)
    if SOURCED not in result and toolkit.set_env is not None:
        result = _source(toolkit.set_env, result)
    devlib = toolkit.home / arch_folder() / "devlib"
    if not has_npu() and devlib.is_dir():
        result[LIBRARIES] = join_paths(str(devlib), result.get(LIBRARIES, ""))
    return result


def join_paths(folder: str, folders: str) -> str:
    """A folder before others. An empty list must leave no ":" behind: to the loader an empty entry
    is the working directory."""
    return os.pathsep.join([folder, *filter(None, folders.split(os.pathsep))])


def _homes() -> list[str]:
    # Path's own expanduser raises where there is no home folder
    return [os.path.expanduser(home) for home in HOMES]  # noqa: PTH111


def has_npu() -> bool:
    """Whether the driver shows a device."""
    return any(Path("/dev").glob("davinci*"))


def note_on_board(machine: str, has_device: bool) -> str:
    """What is said where a board with a chip is to compile by itself: nothing elsewhere."""
    if machine not in ("aarch64", "arm64") or not has_device:
        return ""
    return (
        "boards take minutes to hours for this, and run out of memory; export"
        " TE_PARALLEL_COMPILER=1 takes less of it, and an x86 machine with CANN makes the same OM"
    )


def arch_folder() -> str:
    return f"{platform.machine()}-linux"


def _toolkit(atc: Path) -> Toolkit:
    """The toolkit around an atc: the nearest folder above it, links as they stand or followed, that
    tells its release."""
    atc = atc.absolute()
    for home in (*atc.parents[1:5], *atc.resolve().parents[1:5]):
        release = _release(home)
        if release:
            return Toolkit(atc, home, release)
    return Toolkit(atc, atc.parent.parent, "")


def _release(home: Path) -> str:
    """What a toolkit's files say of its release. The `Version` of its components counts otherwise
    (7.6.0.1.220 in CANN 8.0.0) and is left aside."""
    for path, pattern in _statements(home):
        try:
            met = re.search(pattern, path.read_text(errors="replace"), re.MULTILINE)
        except OSError:
            continue
        if met:
            return met[1]
    named = re.search(r"/(?:ascend-toolkit/|cann-)(\d+\.\d+[\w.-]*)$", str(home.resolve()))
    return named[1] if named else ""


def _statements(home: Path) -> Iterator[tuple[Path, str]]:
    for folder in (home / arch_folder(), home):
        yield folder / "ascend_toolkit_install.info", r"^version=\s*(\d+\.\d+\S*)"
    yield home / "compiler" / "version.info", r"^version_dir=\s*(\d+\.\d+\S*)"
    yield home / "version.cfg", r"^(?:toolkit|compiler)_\w+=\[[^:\]]*:(\d+\.\d+[^\]]*)\]"


def _source(script: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables after a shell has read a script. Raises UsageError where it cannot."""
    bash = shutil.which("bash", path=environment.get("PATH"))
    result = bash and subprocess.run(
        [bash, "-c", 'source "$1" >&2; env -0', "bash", str(script)],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if not result or not result.stdout:
        raise UsageError(f"{script} cannot be read by bash; run `source {script}` yourself first")
    pairs = (entry.partition("=") for entry in os.fsdecode(result.stdout).split("\0") if entry)
    return {name: value for name, _, value in pairs}

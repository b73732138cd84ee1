"""Running a command in a process of its own, which has a deadline: what it prints is the answer."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any

from archspec.mcp.folder import check_spec
from archspec.processes import python_command
from archspec.sources import PROJECT_MARKERS

SECONDS = 120
"""A command may take."""


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    output: str
    notes: str


@dataclass
class Workplace:
    """Where a command runs: in the folder, or, where it is given texts that are not files, in one
    of its own, so that errors call them by a short name."""

    root: Path
    own: Path
    folder: Path

    def take(self, specs: Sequence[str]) -> list[str]:
        """Specs as a command takes them: names, paths, and files that texts are put into. Raises
        Outside."""
        texts = [spec for spec in specs if _is_text(spec)]
        self.folder = self.own if texts else self.root
        found: list[str] = []
        for spec in specs:
            if _is_text(spec):
                name = f"spec{texts.index(spec) + 1 if len(texts) > 1 else ''}.json"
                (self.own / name).write_text(spec, encoding="utf-8")
            else:
                path = check_spec(self.root, spec)
                name = path if isinstance(path, str) else self._shown(path)
            found.append(name)
        return found

    def _shown(self, path: Path) -> str:
        return str(path if self.folder is self.own else path.relative_to(self.root))

    async def run(self, *words: str) -> Answer:
        """Run a command to its end, or to its deadline. Raises TimeoutError."""
        process = await asyncio.create_subprocess_exec(
            *python_command("archspec", *words),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, notes = await asyncio.wait_for(process.communicate(), SECONDS)
        except BaseException:
            process.kill()
            await process.wait()
            raise
        return Answer(process.returncode or 0, output.decode(), notes.decode())


@contextmanager
def open_workplace(root: Path) -> Iterator[Workplace]:
    """A workplace, whose own folder is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="archspec_mcp_") as folder:
        own = Path(folder).resolve()
        (own / PROJECT_MARKERS[-1]).touch()
        yield Workplace(root, own, root)


def _is_text(spec: str) -> bool:
    return spec.lstrip().startswith("{")


def overrides(
    arguments: Mapping[str, Any] | None,
    input_shape: Sequence[int] | None,
    batch: int | None = None,
) -> list[str]:
    """Options for other values of a spec's args, another input, and a batch."""
    options = [f"--set={name}={dumps(value)}" for name, value in (arguments or {}).items()]
    if input_shape:
        options.append(f"--input={'x'.join(map(str, input_shape))}")
    return options if batch is None else [*options, f"--batch={batch}"]

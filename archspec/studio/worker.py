"""The parent's side of the process that expands specs (archspec.studio.desk).

A spec can be as slow as its author wants. So it is another process that reads it, each request has
a deadline, and a process that keeps neither is ended and another started: the page goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec.processes import python_command
from archspec.studio.questions import LOOK

DEADLINE = 20.0
"""Seconds that an answer may take."""
PATIENCE = 6.0
"""Seconds after which a look is given up because the text is another by now; one that takes less
drops itself."""
LONGEST_LINE = 1 << 30


ENDED = "the process that expands specs has ended, perhaps for want of memory; try again"


@dataclass(eq=False)
class _Asked:
    kind: str
    tab: str
    began: float
    process: asyncio.subprocess.Process | None = None
    """Which was asked."""
    parts: asyncio.Queue[bytes | str | None] = field(default_factory=asyncio.Queue)
    """Parts of the answer, why there is none, or None at its end."""


class Worker:
    """One process, started again whenever it ends."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._ids = itertools.count(1)
        self._asked: dict[int, _Asked] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._is_stopped = False

    async def start(self) -> None:
        """Start the process, which imports while the page loads."""
        self._process = await asyncio.create_subprocess_exec(
            *python_command("archspec.studio.desk"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self._reading = asyncio.create_task(self._read(self._process))

    async def stop(self) -> None:
        """End the process; whoever waits for an answer is told."""
        self._is_stopped = True
        self._end_process()
        if self._reading is not None:
            await self._reading

    async def ask(self, kind: str, request: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """The parts of an answer as they come, each JSON; a part {"failed": sentence} is the last
        one where there is no more, {"dropped": true} where a newer look came."""
        number, tab = next(self._ids), str(request.get("tab", ""))
        if kind == LOOK:
            self._give_up(tab)
        asked = self._asked[number] = _Asked(kind, tab, time.monotonic())
        is_new = True
        try:
            await self._send(asked, {**request, "kind": kind, "id": number})
            while True:
                left = asked.began + self._deadline - time.monotonic()
                try:
                    part = await asyncio.wait_for(asked.parts.get(), max(left, 0.001))
                except asyncio.TimeoutError:
                    yield _failure(
                        f"this takes longer than {self._deadline:g} s and was given up; use fewer"
                        " nodes or copies"
                    )
                    self._end_process()
                    return
                if part is None:
                    return
                if part == ENDED and is_new and not self._is_stopped:
                    is_new = False  # another's question was its end: the next one is asked
                    await self._send(asked, {**request, "kind": kind, "id": number})
                    continue
                is_new = False
                yield part if isinstance(part, bytes) else _failure(part)
                if not isinstance(part, bytes):
                    return
        finally:
            self._asked.pop(number, None)

    async def answer(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The only part of an answer."""
        found: dict[str, Any] = {}
        async for part in self.ask(kind, request):
            found = json.loads(part)
        return found

    def _give_up(self, tab: str) -> None:
        """End the process where it works on an older text of the same page for long already."""
        now = time.monotonic()
        for asked in self._asked.values():
            if asked.kind == LOOK and asked.tab == tab and now - asked.began > PATIENCE:
                asked.parts.put_nowait(b'{"dropped": true}')
                asked.parts.put_nowait(None)
                self._end_process()

    def _end_process(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process = None

    async def _send(self, asked: _Asked, request: Mapping[str, Any]) -> None:
        if self._process is None or self._process.returncode is not None:
            await self.start()
        process = asked.process = self._process
        assert process is not None and process.stdin is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hand out what a process says until it ends; then whoever waits for it waits in vain."""
        assert process.stdout is not None
        async for line in process.stdout:
            head, _, rest = line.partition(b" ")
            mark, _, part = rest.partition(b" ")
            asked = self._asked.get(int(head))
            if asked is None:
                continue
            if part != b"null\n":
                asked.parts.put_nowait(part.rstrip(b"\n"))
            if mark == b"1":
                asked.parts.put_nowait(None)
        await process.wait()
        if self._process is process:
            self._process = None
        for asked in self._asked.values():
            if asked.process is process:
                asked.parts.put_nowait(ENDED)


def _failure(sentence: str) -> bytes:
    return json.dumps({"failed": sentence}).encode()

"""The studio's server: its addresses below the token, and how it starts and ends."""

from __future__ import annotations

import contextlib
import socket
import webbrowser
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from archspec.errors import UsageError
from archspec.studio import routes
from archspec.studio.opening import Opened
from archspec.studio.safety import Guard, Keys
from archspec.studio.worker import Worker

HOST, PORT = "127.0.0.1", 7353
"""What is served, and where the studio is looked for first; a browser keeps what it remembers of a
page, such as a text that was not saved, by the port."""

LONG = 600.0
"""Seconds that writing an ONNX may take, or the range of a space."""


@dataclass
class Studio:
    """What every route works with."""

    opened: Opened
    keys: Keys = field(default_factory=Keys)
    worker: Worker = field(default_factory=Worker)
    aside: Worker = field(default_factory=lambda: Worker(deadline=LONG))
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}/{self.keys.token}/"


def make_app(studio: Studio) -> ASGIApp:
    """The application, guarded."""

    @contextlib.asynccontextmanager
    async def live(_: Starlette) -> AsyncIterator[None]:
        await studio.worker.start()
        yield

    guard = Middleware(Guard, keys=studio.keys, port=lambda: studio.port)
    app = Starlette(routes=routes.all_routes(), middleware=[guard], lifespan=live)
    app.state.studio = studio
    return app


def serve(opened: Opened, port: int | None, opens_browser: bool) -> None:
    """Serve until interrupted. Raises UsageError where the port cannot be had."""
    listening = _listen(port)
    studio = Studio(opened, port=listening.getsockname()[1])
    config = uvicorn.Config(
        make_app(studio), log_level="critical", lifespan="on", timeout_graceful_shutdown=1,
        server_header=False, loop="asyncio", http="h11", ws="none",
    )  # fmt: skip
    with contextlib.suppress(KeyboardInterrupt):  # which is how it ends
        _Server(config, studio, opens_browser).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Says where it is once it answers, and ends its processes with itself."""

    def __init__(self, config: uvicorn.Config, studio: Studio, opens_browser: bool):
        super().__init__(config)
        self._studio = studio
        self._address = f"{studio.address}{studio.opened.fragment}"
        self._opens_browser = opens_browser

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        print(f"the studio is at {self._address}", flush=True)
        print("Ctrl-C ends it", flush=True)
        if self._opens_browser:
            webbrowser.open(self._address)

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        # first, for nobody is to wait for answers that do not come
        await self._studio.worker.stop()
        await self._studio.aside.stop()
        await super().shutdown(sockets)


def _listen(port: int | None) -> socket.socket:
    """A socket on this machine alone: at the port that was asked for, else at the usual one or, if
    that is taken, at any."""
    wanted = [port] if port is not None else [PORT, 0]
    for number in wanted:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, number))
            return listening
        except OSError:
            listening.close()
    raise UsageError(f"--port {port}: another program has it; use another, or none")

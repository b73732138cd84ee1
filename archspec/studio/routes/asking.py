"""Questions that the process which expands specs answers, part by part."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from archspec.errors import UsageError
from archspec.studio.questions import ANSWERED
from archspec.studio.routes.common import answering, body_of, studio_of


async def ask(request: Request) -> Response:
    """POST /api/ask/KIND: a line of JSON for each part of the answer, as it is known."""
    kind = request.path_params["kind"]
    if kind not in ANSWERED:
        raise UsageError("there is no such question")
    studio = studio_of(request)
    asked = {**await body_of(request), "root": str(studio.opened.root)}
    for key in ("tab", "name", "text"):
        if not isinstance(asked.get(key, ""), str):
            raise UsageError(f"{key} must be a text")
        asked.setdefault(key, "")

    async def lines() -> AsyncIterator[bytes]:
        async for part in studio.worker.ask(kind, asked):
            yield part + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


ROUTES = [Route("/api/ask/{kind}", answering(ask), methods=["POST"])]

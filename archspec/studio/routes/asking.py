"""Questions that the process which expands specs answers, part by part."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from archspec.errors import SpecError, UsageError
from archspec.studio.questions import ANSWERED, ASIDE
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
        worker = studio.aside if kind in ASIDE else studio.worker
        async for part in worker.ask(kind, asked):
            yield part + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def send_card(request: Request) -> Response:
    """GET /api/card?name=NAME: the picture of a spec as it is on disk."""
    studio = studio_of(request)
    name = request.query_params.get("name", "")
    asked = {"name": name, "root": str(studio.opened.root)}
    found = await studio.aside.answer("card", asked)
    if "svg" not in found:
        raise SpecError(found.get("failed", "there is no picture"))
    return Response(found["svg"], media_type="image/svg+xml")


ROUTES = [
    Route("/api/card", answering(send_card)),
    Route("/api/ask/{kind}", answering(ask), methods=["POST"]),
]

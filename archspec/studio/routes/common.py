"""What routes share: the studio they serve, and refusals as JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from archspec.errors import SpecError, UsageError

if TYPE_CHECKING:
    from archspec.studio.app import Studio

Handler = Callable[[Request], Awaitable[Response]]
REFUSED = 400


def studio_of(request: Request) -> Studio:
    return request.app.state.studio


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a request. Raises UsageError for anything else."""
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError("a request must be a JSON object")
    return found


def answering(handle: Callable[[Request], Awaitable[Any]]) -> Handler:
    """A handler whose value is sent as JSON; what it refuses is sent as {"failed": sentence}."""

    async def handler(request: Request) -> Response:
        try:
            found = await handle(request)
        except (SpecError, UsageError, OSError) as error:
            return JSONResponse({"failed": str(error)}, REFUSED)
        return found if isinstance(found, Response) else JSONResponse(found)

    return handler


async def elsewhere(function: Callable[..., Any], *arguments: Any) -> Any:
    """A function that waits for the disk, called beside the loop."""
    return await run_in_threadpool(function, *arguments)

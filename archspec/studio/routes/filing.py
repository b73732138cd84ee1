"""Texts: which there are, opening one, saving one, whether one was changed meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from archspec.errors import UsageError
from archspec.sources import shipped_names
from archspec.starter import starter
from archspec.studio import files
from archspec.studio.opening import SHIPPED
from archspec.studio.routes.common import answering, body_of, elsewhere, studio_of

CONFLICT = 409


async def start(request: Request) -> Any:
    """GET /api/start: what the page shows first."""
    from archspec.compiler.latency.device import devices

    opened = studio_of(request).opened
    return {
        "root": str(opened.root),
        "spec": opened.spec,
        "devices": [*devices()],
    }


async def list_specs(request: Request) -> Any:
    """GET /api/specs: names of the folder's specs and of the shipped ones."""
    root = studio_of(request).opened.root
    own = await elsewhere(lambda: [*files.list_specs(root)])
    return {"own": own, "shipped": [f"{SHIPPED}{name}" for name in shipped_names()]}


async def open_spec(request: Request) -> Any:
    """POST /api/open {name}: {text, sum, path}."""
    asked = await body_of(request)
    name = str(asked.get("name", ""))
    found = await elsewhere(files.read, studio_of(request).opened.root, name)
    return {"name": name, "text": found.text, "sum": found.sum}


async def save_spec(request: Request) -> Any:
    """POST /api/save {name, text, sum}: {sum}, or 409 with the text that is on disk now."""
    asked = await body_of(request)
    name, text, known = asked.get("name"), asked.get("text"), asked.get("sum")
    if not isinstance(name, str) or not isinstance(text, str):
        raise UsageError("saving takes a name and a text")
    try:
        saved = await elsewhere(files.save, studio_of(request).opened.root, name, text, known)
    except files.Changed as changed:
        found = changed.found
        return JSONResponse({"text": found.text, "sum": found.sum}, CONFLICT)
    return {"sum": saved.sum}


async def begin_spec(request: Request) -> Any:
    """POST /api/new {name}: {text} of a starter spec of this name, which is not written yet."""
    asked = await body_of(request)
    name = str(asked.get("name", ""))
    files.locate(studio_of(request).opened.root, name)
    return {"text": starter(Path(name).stem)}


async def tell_sum(request: Request) -> Any:
    """POST /api/sum {name}: {sum} of what is on disk, null where there is nothing."""
    asked = await body_of(request)
    root = studio_of(request).opened.root
    name = str(asked.get("name", ""))
    try:
        found = await elsewhere(files.read, root, name)
    except (OSError, ValueError):
        return {"sum": None}
    return {"sum": found.sum}


ROUTES = [
    Route("/api/start", answering(start)),
    Route("/api/specs", answering(list_specs)),
    Route("/api/open", answering(open_spec), methods=["POST"]),
    Route("/api/save", answering(save_spec), methods=["POST"]),
    Route("/api/new", answering(begin_spec), methods=["POST"]),
    Route("/api/sum", answering(tell_sum), methods=["POST"]),
]

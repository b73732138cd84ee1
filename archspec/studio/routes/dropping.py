"""Files that are dropped on the page."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from archspec.errors import UsageError
from archspec.studio.questions import IMPORT
from archspec.studio.routes.common import answering, elsewhere, studio_of

LONGEST_NAME = 100


async def import_upload(request: Request) -> Any:
    """POST /api/import?file=FILE.onnx&name=SPEC.json&weights=1, the file as the body:
    {name, report}. It lies in a folder of its own while it is read."""
    asked = request.query_params
    studio = studio_of(request)
    shown = re.sub(r"[^A-Za-z0-9_.+-]", "_", asked.get("file", ""))[-LONGEST_NAME:].lstrip(".")
    content = await request.body()
    with tempfile.TemporaryDirectory(prefix="archspec") as folder:
        path = Path(folder, shown or "dropped.onnx")
        await elsewhere(path.write_bytes, content)
        found = await studio.aside.answer(
            IMPORT,
            {
                "root": str(studio.opened.root), "name": asked.get("name", ""), "file": str(path),
                "weights": asked.get("weights") == "1",
            },
        )  # fmt: skip
    if "failed" in found:
        raise UsageError(found["failed"])
    return found


ROUTES = [Route("/api/import", answering(import_upload), methods=["POST"])]

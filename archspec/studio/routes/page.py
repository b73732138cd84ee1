"""The page itself: its document, the bundle, and the typeface that pictures are measured in."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import ImageFont
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from archspec.studio.routes.common import studio_of

STATIC = Path(__file__).parents[1] / "static"
BUNDLE = {"studio.js": "text/javascript", "studio.css": "text/css", "icon.svg": "image/svg+xml"}


async def show_page(request: Request) -> Response:
    """GET /: the document; the editor's one element of style is let in by its nonce."""
    text = (STATIC / "index.html").read_text()
    return HTMLResponse(text.replace("NONCE", studio_of(request).keys.nonce))


async def send_static(request: Request) -> Response:
    """GET /static/NAME: a piece of the bundle, and nothing else."""
    name = request.path_params["name"]
    if name not in BUNDLE:
        return Response("there is no such file\n", 404)
    return FileResponse(STATIC / name, media_type=BUNDLE[name])


async def send_font(_: Request) -> Response:
    """GET /font: Aileron, as Pillow brings it."""
    return Response(_font(), media_type="font/ttf")


@cache
def _font() -> bytes:
    font = ImageFont.load_default(10)
    return getattr(font, "font_bytes", b"")


ROUTES = [
    Route("/", show_page),
    Route("/static/{name}", send_static),
    Route("/font", send_font),
]

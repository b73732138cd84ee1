"""Who may ask the studio anything: the page that was opened on this machine, and nobody else.

Another page in the same browser can send requests to 127.0.0.1, and by DNS rebinding it can do so
under a name of its own. So the Host must be the loopback's, an Origin must be this page's, and
every address begins with a token that no other page knows. No script is taken from anywhere but
here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 64 * 2**20
"""Of one request: the text of a spec, or an ONNX that was dropped on the page."""


@dataclass(frozen=True)
class Keys:
    """`token` begins every address, `nonce` marks the element of style that the editor makes."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    @property
    def headers(self) -> Iterable[tuple[str, str]]:
        """What every answer says."""
        policy = (
            "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:;"
            f" font-src 'self'; style-src 'self' 'nonce-{self.nonce}'; base-uri 'none';"
            " form-action 'none'; frame-ancestors 'none'"
        )
        return (
            ("content-security-policy", policy),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        )


class Guard:
    """Lets in what comes from this page alone, and answers for the rest."""

    def __init__(self, app: ASGIApp, keys: Keys, port: Callable[[], int]):
        self._app = app
        self._keys = keys
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal:
            await PlainTextResponse(f"{refusal}\n", 403)(scope, receive, self._add_headers(send))
            return
        await self._app(self._below_token(scope), receive, self._add_headers(send))

    def _refusal(self, scope: Scope) -> str:
        """Why a request is not answered, or ""."""
        headers = Headers(scope=scope)
        hosts = {f"{name}:{self._port()}" for name in ("127.0.0.1", "localhost")}
        if headers.get("host") not in hosts:
            return "this address is not the studio's; use the one that archspec studio printed"
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            return "another page asks; only the studio's own may"
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "another page asks; only the studio's own may"
        first = scope["path"].split("/", 2)[1]
        if not secrets.compare_digest(first.encode(), self._keys.token.encode()):
            return "the address lacks its token; use the one that archspec studio printed"
        size = headers.get("content-length", "0")
        if not size.isdecimal() or int(size) > LARGEST_BODY:
            return f"a request may have {LARGEST_BODY:,} bytes and this has more"
        if scope["method"] != "GET" and "content-length" not in headers:
            return "a request must say how long it is"
        return ""

    def _below_token(self, scope: Scope) -> Scope:
        path = scope["path"][1 + len(self._keys.token) :] or "/"
        return {**scope, "path": path, "raw_path": path.encode()}

    def _add_headers(self, send: Send) -> Send:
        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._keys.headers:
                    headers[name] = value
            await send(message)

        return send_more

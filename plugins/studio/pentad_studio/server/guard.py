"""Who may ask: this browser on this machine, and no page of the web.

A server on 127.0.0.1 can be reached by every program of the machine and, through the browser, by every page of the web: by
forms that post to it, or by a name of its own that is made to mean 127.0.0.1 (DNS rebinding). So a request must name this host,
must not come from another page, and must know the secret in the path, which is new with each start.
"""

from __future__ import annotations

import secrets
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 8 << 20
"""The longest body of a request: a text of 2 MB whose every character is escaped to three fits in it."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-src 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
    )
)
"""The content security policy: the studio's own files and nothing else, no script or style within a page."""

HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
"""What every answer says, unless it says something else itself."""

_ELSEWHERE = "Open the address that engine studio printed when it was started: its path holds a secret.\n"


class Guard:
    """Refuses what does not come from the studio's own page, and limits the size of what comes.

    Args:
        app: what is asked; it sees paths without the secret.
        token: the secret, the first part of every path.
        port: on which the server listens.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # the studio has no web sockets
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        path = scope["path"][len(self._token) + 1 :] or "/"
        await self._app({**scope, "path": path, "raw_path": path.encode()}, _limited(receive), _with_headers(send))

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host not in self._hosts:
            return PlainTextResponse("This server answers to 127.0.0.1 and localhost only.\n", 421)
        origin = headers.get("origin")
        asks = scope["method"] not in ("GET", "HEAD")
        if (origin is None and asks) or (origin is not None and origin != f"http://{host}"):
            return PlainTextResponse("Another page may not ask this server.\n", 403)
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return PlainTextResponse("Another page may not ask this server.\n", 403)
        first = scope["path"].removeprefix("/").partition("/")[0]
        if not secrets.compare_digest(first.encode(), self._token.encode()):
            return PlainTextResponse(_ELSEWHERE, 403)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return PlainTextResponse(f"A request may have at most {MOST_BYTES} bytes.\n", 413)
        return None


class TooLong(Exception):
    """A body without a length that turned out to be too long."""


def _limited(receive: Receive) -> Receive:
    left = MOST_BYTES

    async def limited() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise TooLong
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            _add(message)
        await send(message)

    return sending


def _add(message: MutableMapping[str, Any]) -> None:
    given = {name.lower() for name, _ in message["headers"]}
    added = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in given]
    message["headers"] = [*message["headers"], *added]

"""Something long, told while it goes on: server-sent events from a generator that runs in a thread, cancelled by closing.

The browser closes the connection to cancel. A generator's next item is waited for, as a thread cannot be stopped; then the
generator is closed, which ends its work.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import anyio
import anyio.to_thread
from starlette.responses import StreamingResponse

from pentad import EngineError
from pentad.tools import one_line

Event = tuple[str, Mapping[str, Any]]
"""The name of an event, and what it says."""

THREADS = 4
"""Long computations at once; further ones wait."""

_limiter: dict[str, anyio.CapacityLimiter] = {}


def limiter() -> anyio.CapacityLimiter:
    """Return what limits how many long computations there are at once."""
    if "long" not in _limiter:
        _limiter["long"] = anyio.CapacityLimiter(THREADS)
    return _limiter["long"]


def stream(events: Iterator[Event]) -> StreamingResponse:
    """Answer with the events of a generator; an error in it is the last of them."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_sent(events), media_type="text/event-stream", headers=headers)


async def _sent(events: Iterator[Event]) -> AsyncIterator[str]:
    try:
        while True:
            event = await anyio.to_thread.run_sync(_next, events, limiter=limiter())
            if event is None:
                break
            yield encode(*event)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_close, events)


def _next(events: Iterator[Event]) -> Event | None:
    try:
        return next(events, None)
    except EngineError as error:
        return "failed", {"message": error.message, "hint": error.hint, "code": error.code}
    except Exception as error:
        return "failed", {
            "message": one_line(error),
            "hint": "This is a fault of a plugin or of the studio.",
            "code": "fault",
        }


def _close(events: Iterator[Event]) -> None:
    close = getattr(events, "close", None)
    if close is not None:
        close()


def encode(name: str, data: Mapping[str, Any]) -> str:
    """Return an event as it is sent."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=True, allow_nan=False)}\n\n"

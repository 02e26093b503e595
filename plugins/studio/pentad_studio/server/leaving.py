"""What a browser waits for ends when it waits no more."""

from __future__ import annotations

import anyio
from anyio.abc import Process
from starlette.requests import Request


async def kill_when_left(request: Request, process: Process) -> None:
    """End a process when the browser that waits for it has gone."""
    while not await request.is_disconnected():
        await anyio.sleep(0.3)
    process.kill()

"""Long work in a process of its own, which ends when the browser waits no more: what to do on stdin, an error on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from starlette.requests import Request

from pentad import EngineError, UsageError
from pentad_studio.server.leaving import kill_when_left


async def work_elsewhere(request: Request, module: str, said: Mapping[str, Any]) -> None:
    """Run a module that calls `answer`, and wait for it.

    Args:
        request: whose browser waits.
        module: to run.
        said: what it is told, as JSON.

    Raises:
        UsageError: it says what went wrong, or was ended.
    """
    async with await anyio.open_process([sys.executable, "-m", module], stderr=None) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            await process.stdin.send(json.dumps(said).encode())
            await process.stdin.aclose()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(kill_when_left, request, process)
                output = b"".join([part async for part in process.stdout])
                await process.wait()
                tasks.cancel_scope.cancel()
        finally:
            if process.returncode is None:
                process.kill()
    if process.returncode:
        raise _failure(output)


def _failure(output: bytes) -> UsageError:
    """Return what a process said before it failed, with the code that it had there."""
    error = UsageError("The work was stopped.", "Ask for it again.", code="work-stopped")
    try:
        said = json.loads(output)
        error.message, error.hint, error.code = (str(said[key]) for key in ("message", "hint", "code"))
    except (ValueError, KeyError, TypeError):
        pass
    return error


def answer(work: Callable[[Any], object]) -> int:
    """Do what stdin says, and return the exit code."""
    try:
        work(json.loads(sys.stdin.buffer.read()))
    except EngineError as error:
        print(json.dumps({"message": error.message, "hint": error.hint, "code": error.code}))
        return 1
    return 0

"""The plan of a run, made by `engine run --dry-run` in a process that ends when nobody waits for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import anyio
from starlette.requests import Request

from pentad import UsageError
from pentad_studio.server.leaving import kill_when_left


async def plan_of(request: Request, arguments: Sequence[str]) -> dict[str, Any]:
    """Return the plan as `engine run --dry-run --json` says it.

    Raises:
        UsageError: the run cannot be; says what the command says.
    """
    command = [sys.executable, "-m", "pentad_cli", "run", *arguments, "--dry-run", "--json"]
    said: dict[str, bytes] = {}
    async with await anyio.open_process(command, stdin=None) as process:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(kill_when_left, request, process)
                async with anyio.create_task_group() as reading:
                    reading.start_soon(_read, process.stdout, said, "out")
                    reading.start_soon(_read, process.stderr, said, "err")
                await process.wait()
                tasks.cancel_scope.cancel()
        finally:
            if process.returncode is None:
                process.kill()
    if process.returncode:
        raise UsageError(*_failure(said["err"].decode("utf-8", errors="replace")), code="plan-failed")
    found = json.loads(said["out"])
    assert isinstance(found, dict)
    return found


async def _read(stream: Any, said: dict[str, bytes], name: str) -> None:
    said[name] = b"".join([part async for part in stream])


def _failure(text: str) -> tuple[str, str]:
    """Return message and hint of what a command said before it failed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    start = next((number for number, line in enumerate(lines) if line.startswith("Error:")), None)
    if start is None:
        return " ".join(lines[-3:]) or "The command failed.", ""
    rest = " ".join(lines[start:])
    message, _, hint = rest.removeprefix("Error:").partition("Hint:")
    return message.strip(), hint.strip()

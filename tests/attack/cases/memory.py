"""The memory ends while a command works: it says so with a code, and the run is as good as before."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..ground import Ground
from ..harness.batch import Batch, Case, in_slices
from ..harness.child import in_child
from .comparisons import command, compare

STEPS = range(0, 512, 4)
"""How many MB a command may take beyond what the process has when it begins."""


def limits(ground: Ground, size: int) -> Iterator[Batch]:
    """Call each command with each limit."""
    doors: dict[str, Callable[[Path], Any]] = {
        "generate": lambda run: command("generate", run, "--max-tokens", 12, "--samples", 2),
        "evaluate": lambda run: command("evaluate", run),
        "resume": lambda run: command("resume", run),
        "compare": lambda run: compare(ground, run.parent / "out"),
    }
    for name, work in doors.items():
        for sizes in in_slices(STEPS, size):
            yield Batch(
                f"{name}, {sizes[0]} to {sizes[-1]} MB", lambda work=work, sizes=sizes: _cases(ground, work, sizes), name
            )


def _cases(ground: Ground, work: Callable[[Path], Any], sizes: range) -> Iterator[Case]:
    for size in sizes:
        path = ground.copy(ground.half)

        def limited(path: Path = path, size: int = size) -> Any:
            most = _address_space() + (size << 20)
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
            return work(path)

        ended = in_child(limited)
        wrong = "" if ended.how in ("ok", "refused") else f"{ended.how} {ended.detail}"
        yield Case(f"{size} MB", ended, wrong or ground.finished(path))
        shutil.rmtree(path.parent, ignore_errors=True)


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()

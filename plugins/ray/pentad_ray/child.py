"""The process of one task on a machine of the cluster: python -m pentad_ray.child.

Its standard input brings the task, as one line of JSON, and is its life line: when it closes, the worker that started this
process is gone, and the task stops as by Ctrl-C, so that it saves and nothing trains unseen.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from pentad import be_task_process
from pentad_ray.folders import OURS
from pentad_ray.worker import STOPPED

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = f"{OURS}lock"

GRACE = 120.0
"""Seconds that a task has to save when its worker is gone."""


def main() -> int:
    """Carry the task out; return the exit code."""
    task = json.loads(_line())
    threading.Thread(target=_end_with_worker, daemon=True).start()
    folder = Path(task["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    # The process of a worker that was lost may be saving there still.
    with (folder / LOCK).open("wb") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        return be_task_process(task["work"], task["argument"], folder)


def _line() -> bytes:
    """Read to the end of the line, without Python's buffer: it would still be held by the other thread at the end."""
    read = b""
    while not read.endswith(b"\n") and (more := os.read(0, 1 << 16)):
        read += more
    return read


def _end_with_worker() -> None:
    while os.read(0, 1 << 16):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(STOPPED)


if __name__ == "__main__":
    sys.exit(main())

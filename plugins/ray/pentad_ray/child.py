"""The process of one task on a machine of the cluster: python -m pentad_ray.child.

Its standard input brings the task as one line of JSON, and then stays open: when it closes, the worker that started this
process is gone, and the task stops as by Ctrl-C, so that it saves and does not go on unseen.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from pentad import run_task_process
from pentad.tools import EXIT_STOPPED, locked
from pentad_ray.folders import PREFIX

LOCK = f"{PREFIX}lock"

GRACE = 120.0
"""Seconds that a task has to save when its worker is gone."""


def main() -> int:
    """Run the task; return the exit code."""
    task = json.loads(_read_line())
    threading.Thread(target=_stop_with_worker, daemon=True).start()
    folder = Path(task["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK):  # the process of a worker that was lost may still be saving there
        return run_task_process(task["work"], task["argument"], folder)


def _read_line() -> bytes:
    """Read to the end of the line, without Python's buffer: the other thread would still hold its lock at exit."""
    line = b""
    while not line.endswith(b"\n") and (more := os.read(0, 1 << 16)):
        line += more
    return line


def _stop_with_worker() -> None:
    while os.read(0, 1 << 16):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(EXIT_STOPPED)


if __name__ == "__main__":
    sys.exit(main())

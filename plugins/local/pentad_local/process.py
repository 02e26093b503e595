"""The process of one task, which stops when the process that started it is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pentad import run_task_process
from pentad.tools import locked


def run_task(work: str, argument: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> None:
    """Run a task, and end this process with its exit code."""
    os.environ.update(environment)
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # the terminal's Ctrl-C reaches the parent alone, which then stops its tasks
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock"):  # a task of a parent that was killed may still be saving there
        code = run_task_process(work, argument, folder)
    sys.exit(code)


def _stop_with_parent() -> None:
    """Stop as by Ctrl-C when the parent is gone, so that no orphaned training continues."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

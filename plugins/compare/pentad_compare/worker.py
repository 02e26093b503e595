"""A process of the executor `local` that carries out one task, and does not outlive the one who waits for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pentad import be_task_process
from pentad.tools import locked


def process(work: str, argument: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> None:
    """Be a task's process, to its end."""
    os.environ.update(environment)
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C reaches the one who waits; it asks the tasks to stop, once
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock"):  # the process of a comparison that was killed may be saving there still
        code = be_task_process(work, argument, folder)
    sys.exit(code)


def _end_with_parent() -> None:
    """Stop as by Ctrl-C when the process that started this one is gone, so that nothing trains unseen."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

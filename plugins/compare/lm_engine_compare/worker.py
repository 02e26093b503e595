"""A process that carries out one task, and leaves word in the task's folder where it fails."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_engine.catalogue import one_line
from lm_engine.durable import read_json
from lm_engine.errors import EngineError, Interrupted

FAILURE, LOG = "failure.json", "log.txt"


def carry_out(work: str, argument: Mapping[str, Any], folder: Path) -> None:
    """Call a task's function.

    Raises:
        Exception: whatever it raises; failure.json then says it in one line.
    """
    from lm_engine_compare.work import write_json

    (folder / FAILURE).unlink(missing_ok=True)
    module, _, name = work.partition(":")
    try:
        getattr(importlib.import_module(module), name)(argument, folder)
    except Interrupted:
        raise
    except EngineError as error:
        write_json(folder / FAILURE, {"failure": error.message, "hint": error.hint})
        raise
    except Exception as error:
        hint = f"{folder / LOG} has the traceback."
        write_json(folder / FAILURE, {"failure": one_line(error), "hint": hint})
        raise


def failure_of(folder: Path) -> tuple[str, str]:
    """Return what failure.json says: the cause and a hint; empty where it is missing or unreadable."""
    with contextlib.suppress(EngineError, OSError):
        said = read_json(folder / FAILURE)
        return str(said.get("failure", "")), str(said.get("hint", ""))
    return "", ""


def process(work: str, argument: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> None:
    """Be a task's process: what it prints goes to log.txt, and its end says how it went (0, 1, 130)."""
    os.environ.update(environment)
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C reaches the one who waits; it asks the tasks to stop, once
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("a", encoding="utf-8", buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        sys.stdout = sys.stderr = log
        try:
            carry_out(work, argument, folder)
        except (Interrupted, KeyboardInterrupt):
            sys.exit(130)
        except BaseException:
            traceback.print_exc()
            sys.exit(1)


def _end_with_parent() -> None:
    """Stop as by Ctrl-C when the process that started this one is gone, so that nothing trains unseen."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

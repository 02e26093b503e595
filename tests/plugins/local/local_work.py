"""Tasks for the executor."""

from __future__ import annotations

import json
import os
import signal
import time

from pentad import EngineError
from pentad.system.errors import Interrupted


def note(argument, folder):
    (folder / "done").write_text(json.dumps({"pid": os.getpid(), "said": argument["say"], "threads": os.environ.get("X", "")}))
    print("something for the log")


def fail(argument, folder):
    raise EngineError("It expected more, found less.", "Give it more.", code="too-little")


def crash(argument, folder):
    raise ZeroDivisionError("by zero")


def die(argument, folder):
    os.kill(os.getpid(), signal.SIGKILL)


def together(argument, folder):
    """Wait until the other one is there too."""
    (folder / "here").touch()
    deadline = time.monotonic() + 60
    while not (folder.parent / argument["other"] / "here").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def until_stopped(argument, folder):
    def save(number, frame):
        raise Interrupted("Stopped.", "")

    signal.signal(signal.SIGTERM, save)
    (folder / "here").touch()
    try:
        time.sleep(120)
    finally:
        (folder / "saved").touch()


def visible_gpus(argument, folder):
    (folder / "gpus").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "all"))

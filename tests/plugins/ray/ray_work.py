"""Tasks for the cluster."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from pentad import EngineError
from pentad.system.errors import Interrupted


def wait_for(path):
    deadline = time.monotonic() + 120
    while not Path(path).exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


def note(argument, folder):
    (folder / "deep").mkdir(exist_ok=True)
    environment = {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")}
    said = {"folder": str(folder), "pid": os.getpid(), "found": sorted(path.name for path in folder.iterdir()), **environment}
    (folder / "deep" / "said.json").write_text(json.dumps(said))
    (folder / "empty").touch()
    (folder / "large").write_bytes(bytes(range(256)) * 40_000)  # more than one message
    print("something for the log")


def meet(argument, folder):
    """End only when the other one is there too."""
    Path(argument["mine"]).touch()
    wait_for(argument["other"])


def refuse(argument, folder):
    raise EngineError("It expected more, found less.", "Give it more.", code="too-little")


def crash(argument, folder):
    raise ZeroDivisionError("by zero")


def die(argument, folder):
    os.kill(os.getpid(), signal.SIGKILL)


def twice(argument, folder):
    """Wait to be killed, unless something lies there from an earlier time."""
    if (folder / "begun").exists():
        return
    (folder / "begun").touch()
    Path(argument["mine"]).write_text(str(os.getpid()))
    time.sleep(120)


def until_stopped(argument, folder):
    def save(number, frame):
        raise Interrupted("Stopped.", "")

    signal.signal(signal.SIGTERM, save)
    try:
        Path(argument["mine"]).touch()  # in the try: who sees the file may send the signal before touch returns
        time.sleep(120)
    finally:
        (folder / "saved").touch()

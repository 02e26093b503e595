"""What runs in a worker of the cluster: it looks after the process of one task, and hands its folder over.

The task has a process of its own (`child`), because a worker of Ray is set up before the
task could say how, keeps what earlier work left behind, and handles SIGTERM by itself.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pentad import outcome_of
from pentad_ray.folders import Incoming, listing, read_piece

LOG = "log.txt"
"""Where a task's process prints to, in its folder."""

STOPPED = 130
"""How a task's process ends when it was asked to stop."""


class Worker:
    """Looks after one task. `stop` may be called while `carry_out` runs; all else comes one after the other."""

    def __init__(self) -> None:
        self._folder = Path()
        self._incoming: Incoming | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._lock = threading.Lock()

    def open(self, folder: str, token: str, private: str) -> dict[str, Any]:
        """Find out whether this machine sees the task's folder.

        Args:
            folder: where it lies for the one who asks.
            token: a file that lies in it now.
            private: name for a folder of this machine's, to use where it does not see that one.

        Returns:
            shared: whether it does; empty: whether the folder must be sent first; folder: where the task will work;
            node: Ray's name for this machine.
        """
        shared = Path(folder, token).is_file()
        self._folder = Path(folder) if shared else Path(tempfile.gettempdir(), private)
        empty = not self._folder.exists()
        return {"shared": shared, "empty": empty, "folder": str(self._folder), "node": _node()}

    def receive(self, name: str, content: bytes) -> None:
        """Take a piece of the folder."""
        self._incoming = self._incoming or Incoming(self._folder)
        self._incoming.write(name, content)

    def received(self) -> None:
        """Put the folder in its place: it has arrived."""
        (self._incoming or Incoming(self._folder)).done()

    def carry_out(
        self, work: str, argument: Mapping[str, Any], environment: Mapping[str, str], attempt: int
    ) -> tuple[str, str]:
        """Start the task's process and wait for its end.

        Returns:
            The failure in one line, empty for none; a hint.
        """
        task = {"work": work, "argument": dict(argument), "folder": str(self._folder)}
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / LOG).open("ab") as log:
            if attempt > 1:
                log.write(f"Started again on {socket.gethostname()}: its worker was lost.\n".encode())
                log.flush()
            with self._lock:
                if self._stopping:
                    return outcome_of(STOPPED, self._folder)
                self._process = _start(environment, log)
        assert self._process.stdin is not None
        with self._process.stdin as life_line:
            life_line.write(json.dumps(task).encode() + b"\n")
            life_line.flush()
            code = self._process.wait()
        if self._stopping and code == -signal.SIGTERM:
            code = STOPPED  # before it had anything to save
        return outcome_of(code, self._folder)

    def stop(self) -> None:
        """Ask the task to stop, so that it saves."""
        with self._lock:
            self._stopping = True
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()

    def listing(self) -> list[tuple[str, int]]:
        """Return name and size of the files in the folder."""
        return listing(self._folder)

    def read(self, name: str, offset: int) -> bytes:
        """Return a piece of a file."""
        return read_piece(self._folder, name, offset)

    def forget(self) -> None:
        """Remove this machine's own copy of the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id()) if ray.is_initialized() else ""


def _start(environment: Mapping[str, str], log: Any) -> subprocess.Popen[bytes]:
    """Start a task's process, out of reach of the terminal's Ctrl-C: the one who waits asks it to stop, once."""
    return subprocess.Popen(
        [sys.executable, "-m", "pentad_ray.child"],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env={**os.environ, **environment},
        start_new_session=True,
    )

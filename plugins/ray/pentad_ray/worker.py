"""The actor of one task on a machine of the cluster: it starts the task's process, and sends and receives its folder.

The task has a process of its own (`child`), because Ray's worker process is set up before the task could choose its
environment, keeps the state of earlier work, and handles SIGTERM by itself.
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

from pentad import TaskFailure, describe_exit
from pentad.tools import EXIT_STOPPED, LOG_FILE
from pentad_ray.folders import Incoming, listing, read_piece


class Worker:
    """Runs one task. `stop` may be called while `run_task` runs; every other method is called alone."""

    def __init__(self) -> None:
        self._folder = Path()
        self._incoming: Incoming | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._lock = threading.Lock()

    def open(self, folder: str, marker: str, private: str) -> dict[str, Any]:
        """Find out whether this machine sees the task's folder.

        Args:
            folder: its path on the machine that asks.
            marker: the name of a file that is in it now.
            private: name of a folder for this machine to use where it does not see that one.

        Returns:
            shared: whether it sees it; empty: whether the folder must be sent first; folder: where the task will run;
            node: Ray's name for this machine.
        """
        shared = Path(folder, marker).is_file()
        self._folder = Path(folder) if shared else Path(tempfile.gettempdir(), private)
        empty = not self._folder.exists()
        return {"shared": shared, "empty": empty, "folder": str(self._folder), "node": _node()}

    def receive(self, name: str, content: bytes) -> None:
        """Receive a piece of the folder."""
        self._incoming = self._incoming or Incoming(self._folder)
        self._incoming.write(name, content)

    def received(self) -> None:
        """Move the received folder to its target: it is complete."""
        (self._incoming or Incoming(self._folder)).commit()

    def run_task(
        self, work: str, argument: Mapping[str, Any], environment: Mapping[str, str], attempt: int
    ) -> TaskFailure | None:
        """Start the task's process, wait for its end, and return why it failed, None when it did not."""
        task = {"work": work, "argument": dict(argument), "folder": str(self._folder)}
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / LOG_FILE).open("ab") as log:
            if attempt > 1:
                log.write(f"Started again on {socket.gethostname()}: its worker was lost.\n".encode())
                log.flush()
            with self._lock:
                if self._stopping:
                    return describe_exit(EXIT_STOPPED, self._folder)
                self._process = _start(environment, log)
        assert self._process.stdin is not None
        with self._process.stdin as pipe:  # it stays open as long as this worker lives, see `child`
            pipe.write(json.dumps(task).encode() + b"\n")
            pipe.flush()
            code = self._process.wait()
        if self._stopping and code == -signal.SIGTERM:
            code = EXIT_STOPPED  # before it had anything to save
        return describe_exit(code, self._folder)

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

    def remove(self) -> None:
        """Remove this machine's own copy of the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id()) if ray.is_initialized() else ""


def _start(environment: Mapping[str, str], log: Any) -> subprocess.Popen[bytes]:
    """Start a task's process in a session of its own: the terminal's Ctrl-C must reach the executor alone."""
    return subprocess.Popen(
        [sys.executable, "-m", "pentad_ray.child"],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env={**os.environ, **environment},
        start_new_session=True,
    )

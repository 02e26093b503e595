"""Trainings that the studio starts: a process of `engine run` or `engine resume` each, which Ctrl-C ends well.

They end with the studio, as a command does with its terminal: each saves a checkpoint first, so that nothing is lost.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pentad import UsageError

_SAVING_SECONDS = 30.0
"""How long a training may take to save a checkpoint when the studio ends."""


@dataclass
class Job:
    """A training: its process, where it writes what it says, and whether it was asked to stop."""

    process: subprocess.Popen[bytes]
    log: Path
    stopping: bool = False

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it ended by a failure."""
        return self.process.poll() not in (None, 0, 130) and not self.stopping

    def last_words(self, characters: int = 2000) -> str:
        """Return the end of what it wrote."""
        with contextlib.suppress(OSError):
            return self.log.read_text(encoding="utf-8", errors="replace")[-characters:]
        return ""


class Jobs:
    """The trainings of a studio, by the name of their run."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._folder = tempfile.TemporaryDirectory(prefix="pentad-studio-", ignore_cleanup_errors=True)

    def start(self, name: str, arguments: Sequence[str]) -> Job:
        """Start `engine` with arguments.

        Raises:
            UsageError: the run is being trained already.
        """
        with self._lock:
            known = self._jobs.get(name)
            if known is not None and known.running:
                raise UsageError(f"{name} is being trained already.", "Stop it first.", code="run-in-use")
            log = Path(self._folder.name, f"{next(self._numbers)}.log")
            with open(log, "wb") as file:
                # A session of its own: Ctrl-C in the studio's terminal reaches the studio, which then ends the training.
                process = subprocess.Popen(
                    [sys.executable, "-m", "pentad_cli", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._jobs[name] = Job(process, log)
            return self._jobs[name]

    def get(self, name: str) -> Job | None:
        """Return the training of a run, which may have ended."""
        with self._lock:
            return self._jobs.get(name)

    def is_running(self, name: str) -> bool:
        """Whether a run is being trained by the studio."""
        job = self.get(name)
        return job is not None and job.running

    def is_known_to_run(self, name: str) -> bool | None:
        """Whether a run is being trained by the studio, or was; None of one that it never trained."""
        job = self.get(name)
        return None if job is None else job.running

    def stop(self, name: str) -> None:
        """Ask a training to stop, as Ctrl-C does: it saves a checkpoint and can be resumed.

        Raises:
            UsageError: the studio does not train it.
        """
        job = self.get(name)
        if job is None or not job.running:
            raise UsageError(
                f"The studio does not train {name}.", "Stop it where it was started, with Ctrl-C.", code="not-started-here"
            )
        job.stopping = True
        job.process.send_signal(signal.SIGTERM)  # SIGINT is not heard where the studio runs in the background

    def end(self) -> list[str]:
        """Stop all, wait until they have saved, and return the names of those that were running."""
        with self._lock:
            running = [(name, job) for name, job in self._jobs.items() if job.running]
        for name, _ in running:
            with contextlib.suppress(UsageError):
                self.stop(name)
        for _, job in running:
            try:
                job.process.wait(_SAVING_SECONDS)
            except subprocess.TimeoutExpired:
                job.process.kill()
        self._folder.cleanup()
        return [name for name, _ in running]

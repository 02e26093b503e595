"""One task on its way over the cluster: a worker for it, its folder there and back, and another worker when one is lost.

Ray's own retries are not used: they would start a task again without a look at where its folder is by now.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pentad import Ended, Task, cause_of
from pentad_ray.cluster import Share
from pentad_ray.folders import OURS, Incoming, listing, offsets, read_piece
from pentad_ray.worker import Worker


class _Stopped(Exception):
    """The task shall stop before a worker was found for it."""


class Errand(threading.Thread):
    """Carries out one task in a thread of its own, which waits for the worker.

    Args:
        task: which.
        share: what its worker reserves.
        max_retries: further workers that it gets when one is lost.
        tell: called with this errand when it is over.
    """

    def __init__(self, task: Task, share: Share, max_retries: int, tell: Callable[[Errand], None]) -> None:
        super().__init__(name=task.name, daemon=True)
        self._task, self._share, self._max_retries, self._tell = task, share, max_retries, tell
        name = uuid.uuid4().hex
        self._token, self._private = f"{OURS}{name}", f"pentad-{name}"
        self._node = ""
        self._worker: Any = None
        self._stopping = threading.Event()
        self.ended = Ended(task=task, failure="it was not carried out")

    def run(self) -> None:
        """Carry the task out, whatever comes of it."""
        try:
            self._mark()
            failure, hint = self._with_retries()
            (self._task.folder / self._token).unlink(missing_ok=True)
        except Exception as error:
            failure, hint = cause_of(error, self._task.folder)
        self.ended = Ended(task=self._task, failure=failure, hint=hint)
        self._tell(self)

    def stop(self) -> None:
        """Ask the task to stop, so that it saves; the thread ends when it has."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.stop.remote()

    def _mark(self) -> None:
        """Leave a file by which a worker knows the folder: one of the same path on its own disk has none."""
        self._task.folder.mkdir(parents=True, exist_ok=True)
        (self._task.folder / self._token).touch()

    def _with_retries(self) -> tuple[str, str]:
        lost = ""
        for attempt in range(1, self._max_retries + 2):
            try:
                return self._attempt(attempt)
            except _Stopped:
                return "it was stopped", ""
            except ray.exceptions.RayTaskError as error:  # the worker's own code: its disk is full, say
                cause = error.cause if isinstance(error.cause, Exception) else error
                return f"its worker failed: {cause_of(cause, self._task.folder)[0]}", "Look at that machine's disk and memory."
            except ray.exceptions.RayError as error:
                lost = " ".join(str(error).split())[:300]
        return (
            f"its worker was lost {self._max_retries + 1} times; Ray says: {lost}",
            "Every node needs the same Python, pentad and plugins; ray status shows which nodes are up.",
        )

    def _attempt(self, attempt: int) -> tuple[str, str]:
        """Carry the task out on one worker.

        Raises:
            RayError: the worker is lost.
        """
        worker = self._worker = self._hire()
        try:
            place = self._answer(worker.open.remote(str(self._task.folder), self._token, self._private))
            self._node = place["node"]
            if place["empty"]:
                self._send(worker)
            no_gpu = {"CUDA_VISIBLE_DEVICES": ""} if self._share.gpus == 0 else {}
            work, argument = self._task.work, dict(self._task.argument)
            failure, hint = ray.get(worker.carry_out.remote(work, argument, no_gpu, attempt))
            if not place["shared"]:
                self._fetch(worker)
                ray.get(worker.forget.remote())
            return failure, hint.replace(place["folder"], str(self._task.folder))
        finally:
            ray.kill(worker)

    def _hire(self) -> Any:
        """Ask for a worker: where the last one was, if that node is still up, as the task may have left something there."""
        near = NodeAffinitySchedulingStrategy(self._node, soft=True) if self._node else "DEFAULT"
        kind = ray.remote(Worker).options(
            num_cpus=self._share.cpus, num_gpus=self._share.gpus, max_concurrency=2, scheduling_strategy=near
        )
        return kind.remote()

    def _answer(self, asked: Any) -> Any:
        """Wait for a worker's first answer, which may take until another task's end."""
        while not self._stopping.is_set():
            if ray.wait([asked], timeout=0.5)[0]:
                return ray.get(asked)
        raise _Stopped

    def _send(self, worker: Any) -> None:
        folder = self._task.folder
        for name, size in listing(folder):
            for offset in offsets(size):
                ray.get(worker.receive.remote(name, read_piece(folder, name, offset)))
        ray.get(worker.received.remote())

    def _fetch(self, worker: Any) -> None:
        incoming = Incoming(self._task.folder)
        try:
            for name, size in ray.get(worker.listing.remote()):
                for offset in offsets(size):
                    incoming.write(name, ray.get(worker.read.remote(name, offset)))
            incoming.done()
        finally:
            incoming.drop()

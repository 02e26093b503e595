"""One task on the cluster: an actor for it, its folder there and back, and another actor when one is lost.

Ray's own retries are not used: they would restart a task without a look at where its folder is by then.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pentad import Task, TaskFailure, TaskResult, describe_failure
from pentad_ray.cluster import Share
from pentad_ray.folders import PREFIX, Incoming, listing, offsets, read_piece
from pentad_ray.worker import Worker


class _StoppedEarly(Exception):
    """The task was asked to stop before an actor started."""


class RemoteTask(threading.Thread):
    """Runs one task in a thread of its own, which waits for the actor.

    Args:
        task: which.
        share: what its actor reserves.
        max_retries: further actors that it gets when one is lost.
        on_end: called with this object when the task has ended.
    """

    def __init__(self, task: Task, share: Share, max_retries: int, on_end: Callable[[RemoteTask], None]) -> None:
        super().__init__(name=task.name, daemon=True)
        self._task, self._share, self._max_retries, self._on_end = task, share, max_retries, on_end
        name = uuid.uuid4().hex
        self._marker, self._private = f"{PREFIX}{name}", f"pentad-{name}"
        self._node = ""
        self._actor: Any = None
        self._stopping = threading.Event()
        self.result = TaskResult(task=task, failure=TaskFailure("it was not run", code="task-lost"))

    def run(self) -> None:
        """Run the task, and keep its result, failed or not."""
        try:
            self._mark()
            failure = self._with_retries()
            (self._task.folder / self._marker).unlink(missing_ok=True)
        except Exception as error:
            failure = describe_failure(error, self._task.folder)
        self.result = TaskResult(task=self._task, failure=failure)
        self._on_end(self)

    def stop(self) -> None:
        """Ask the task to stop, so that it saves; the thread ends when it has."""
        self._stopping.set()
        if self._actor is not None:
            self._actor.stop.remote()

    def _mark(self) -> None:
        """Leave a file that tells an actor whether it sees this folder: one of the same path on its own disk has none."""
        self._task.folder.mkdir(parents=True, exist_ok=True)
        (self._task.folder / self._marker).touch()

    def _with_retries(self) -> TaskFailure | None:
        lost = ""
        for attempt in range(1, self._max_retries + 2):
            try:
                return self._attempt(attempt)
            except _StoppedEarly:
                return TaskFailure("it was stopped", code="task-stopped")
            except ray.exceptions.RayTaskError as error:  # the actor's own code raised: its disk is full, say
                cause = error.cause if isinstance(error.cause, Exception) else error
                message = describe_failure(cause, self._task.folder).message
                return TaskFailure(f"its worker failed: {message}", "Check that machine's disk and memory.", "worker-failed")
            except ray.exceptions.RayError as error:
                lost = " ".join(str(error).split())[:300]
        return TaskFailure(
            f"its worker was lost {self._max_retries + 1} times; Ray reports: {lost}",
            "Every node needs the same Python, pentad and plugins; ray status shows which nodes are up.",
            "task-lost",
        )

    def _attempt(self, attempt: int) -> TaskFailure | None:
        """Run the task on one actor.

        Raises:
            RayError: the actor is lost.
        """
        actor = self._actor = self._start_actor()
        try:
            opened = self._wait_for(actor.open.remote(str(self._task.folder), self._marker, self._private))
            self._node = opened["node"]
            if opened["empty"]:
                self._send(actor)
            no_gpu = {"CUDA_VISIBLE_DEVICES": ""} if self._share.gpus == 0 else {}
            failure: TaskFailure | None = ray.get(
                actor.run_task.remote(self._task.work, dict(self._task.argument), no_gpu, attempt)
            )
            if not opened["shared"]:
                self._fetch(actor)
                ray.get(actor.remove.remote())
            return failure and failure._replace(hint=failure.hint.replace(opened["folder"], str(self._task.folder)))
        finally:
            ray.kill(actor)

    def _start_actor(self) -> Any:
        """Start an actor: where the last one was, if that node is still up, as the task may have left files there."""
        strategy = NodeAffinitySchedulingStrategy(self._node, soft=True) if self._node else "DEFAULT"
        kind = ray.remote(Worker).options(
            num_cpus=self._share.cpus, num_gpus=self._share.gpus, max_concurrency=2, scheduling_strategy=strategy
        )
        return kind.remote()

    def _wait_for(self, reference: Any) -> Any:
        """Wait for an actor's first answer, which may take until another task's end.

        Raises:
            _StoppedEarly: the task was asked to stop in the meantime.
        """
        while not self._stopping.is_set():
            if ray.wait([reference], timeout=0.5)[0]:
                return ray.get(reference)
        raise _StoppedEarly

    def _send(self, actor: Any) -> None:
        folder = self._task.folder
        for name, size in listing(folder):
            for offset in offsets(size):
                ray.get(actor.receive.remote(name, read_piece(folder, name, offset)))
        ray.get(actor.received.remote())

    def _fetch(self, actor: Any) -> None:
        incoming = Incoming(self._task.folder)
        try:
            for name, size in ray.get(actor.listing.remote()):
                for offset in offsets(size):
                    incoming.write(name, ray.get(actor.read.remote(name, offset)))
            incoming.commit()
        finally:
            incoming.discard()

"""The executor `ray`: tasks on a Ray cluster.

    engine compare … --executor ray                                          # this machine
    engine compare … --executor ray --executor.address auto                  # on a node of a cluster
    engine compare … --executor ray --executor.address ray://head:10001      # from outside it

- Every node has the same Python, pentad and plugins installed, and the text at the same path; Ray does not carry them.
- A folder that the nodes share is best: a run whose machine is lost resumes from its newest checkpoint on another. Where they
  do not share it, a task's whole folder is copied there and back, with the optimizer's state, without which a run could not be
  resumed; a run whose machine is lost then starts over.
- An exception of a task is its failure, and so is a kill of its process alone (out of memory); a task whose worker or machine
  is lost is restarted.
- A budget of time needs a GPU or a machine for each run, and equally fast machines, which Ray cannot tell.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterator, Sequence

from pentad import Task, TaskExecutor, TaskResult
from pentad_ray.cluster import connect, nodes, pick_share
from pentad_ray.options import RayOptions


class Ray(TaskExecutor):
    """Runs tasks on a cluster.

    Args:
        options: which cluster, and what each task reserves of it.
        jobs: tasks at once; None for as many as fit.

    Raises:
        EngineError: the cluster cannot be reached, or no node has what a task reserves.
    """

    def __init__(self, options: RayOptions, *, jobs: int | None = None) -> None:
        connect(options.address)
        self._options, self._jobs = options, jobs
        self._share = pick_share(options.num_cpus, options.num_gpus, jobs, nodes())

    @property
    def concurrency(self) -> int:
        """What fits on the nodes that are up now, at most the jobs."""
        fits = max(1, self._share.fits_all(nodes()))
        return min(fits, self._jobs or fits)

    @property
    def shares_devices(self) -> bool:
        """False where each task has a GPU or a machine to itself.

        Reserved CPUs are not enough: tasks on one machine share its memory and its caches.
        """
        return self._share.gpus < 1 and self.concurrency > 1 and self._share.most_on_one_host(nodes()) > 1

    @property
    def threads(self) -> int | None:
        """The CPUs that a task reserves."""
        return self._share.cpus

    def run_tasks(self, tasks: Sequence[Task]) -> Iterator[TaskResult]:
        """Run tasks in order, as many at once as fit."""
        from pentad_ray.remote_task import RemoteTask

        waiting, running = deque(tasks), set[RemoteTask]()
        ended = queue.SimpleQueue[RemoteTask]()
        try:
            while waiting or running:
                while waiting and len(running) < self.concurrency:
                    remote = RemoteTask(waiting.popleft(), self._share, self._options.max_retries, ended.put)
                    running.add(remote)
                    remote.start()
                remote = ended.get()
                running.remove(remote)
                yield remote.result
        finally:
            for remote in running:
                remote.stop()
            for remote in running:
                remote.join()

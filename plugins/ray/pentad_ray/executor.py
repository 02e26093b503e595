"""The executor `ray`: tasks over a Ray cluster.

    engine compare … --executor ray                                          # this machine
    engine compare … --executor ray --executor.address auto                  # on a node of a cluster
    engine compare … --executor ray --executor.address ray://head:10001      # from outside it

- Every node has the same Python, pentad and plugins installed, and the text at the same path; Ray does not carry them.
- A folder that the nodes share is best: a run whose machine is lost goes on from its newest checkpoint on another. Where they
  do not share it, a task's folder travels there and back, all of it, the optimizer's state included: a run without it could
  not be resumed. A run whose machine is lost then begins anew.
- What a task itself raises is its failure, and so is being killed alone (out of memory); what is lost with its worker or its
  machine is started again.
- A budget of time needs a GPU or a machine for each run, and machines that are alike, which Ray does not tell.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterator, Sequence

from pentad import Ended, Task, TaskExecutor
from pentad_ray.cluster import connect, nodes, pick_share
from pentad_ray.options import RayOptions


class Ray(TaskExecutor):
    """Carries tasks out on a cluster.

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

    def carry_out(self, tasks: Sequence[Task]) -> Iterator[Ended]:
        """Carry tasks out in order, as many at once as fit."""
        from pentad_ray.errand import Errand

        waiting, running = deque(tasks), set[Errand]()
        over = queue.SimpleQueue[Errand]()
        try:
            while waiting or running:
                while waiting and len(running) < self.concurrency:
                    errand = Errand(waiting.popleft(), self._share, self._options.max_retries, over.put)
                    running.add(errand)
                    errand.start()
                errand = over.get()
                running.remove(errand)
                yield errand.ended
        finally:
            for errand in running:
                errand.stop()
            for errand in running:
                errand.join()

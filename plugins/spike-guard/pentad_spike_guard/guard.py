"""A guard against loss spikes.

A training that takes too long a step may forget in a few steps what it learned in a thousand. PaLM's authors (Chowdhery et
al. 2022, section 5.1) went back to a checkpoint and skipped examples; this guard lowers the learning rate as soon as the loss
is far above its running median, which keeps the order of the examples. Far is told by the median absolute deviation, which a
spike does not move.

It remembers nothing beyond this process: a run that is resumed keeps its lowered rate, and the guard starts to watch anew.
"""

from __future__ import annotations

import statistics
from collections import deque

from pentad import Plan, RunObserver, ScaleLearningRate, Step, StopTraining
from pentad_spike_guard.options import SpikeGuardOptions

_OF_A_NORMAL = 1.4826
"""Standard deviations in a median absolute deviation, where deviations are normal."""


class SpikeGuard(RunObserver):
    """Compares each loss with the median of those before it; spikes themselves do not count into it."""

    def __init__(self, options: SpikeGuardOptions) -> None:
        self.options = options
        self._begin()

    def _begin(self) -> None:
        self.losses: deque[float] = deque(maxlen=self.options.window)
        self.in_a_row = self.waiting = self.reductions = 0

    def on_start(self, event: Plan) -> None:
        """Forget the losses of an earlier run."""
        del event
        self._begin()

    def on_step(self, event: Step) -> ScaleLearningRate | StopTraining | None:
        """Ask for a lower rate, or for the end, at the last of several spikes in a row; not where the loss says nothing."""
        if event.watched:
            return None
        threshold = self.threshold()
        if threshold is None or event.loss <= threshold:
            self.losses.append(event.loss)
            self.in_a_row = self.waiting = 0
            return None
        if self.waiting > 0:
            self.waiting -= 1
            return None
        self.in_a_row += 1
        if self.in_a_row < self.options.steps:
            return None
        return self._act(event)

    def threshold(self) -> float | None:
        """Return the loss above which one is a spike, or None while too few were seen."""
        if len(self.losses) < max(5, self.options.window // 2):
            return None
        median = statistics.median(self.losses)
        deviation = _OF_A_NORMAL * statistics.median(abs(loss - median) for loss in self.losses)
        return median + max(self.options.deviations * deviation, self.options.rise * abs(median))

    def _act(self, event: Step) -> ScaleLearningRate | StopTraining:
        median = statistics.median(self.losses)
        reason = f"loss {event.loss:.3f} at step {event.step} is far above its median of {median:.3f}"
        self.in_a_row, self.waiting = 0, self.options.wait
        self.reductions += 1
        if self.options.action == "stop":
            return StopTraining(reason=reason)
        if self.reductions > self.options.most:
            return StopTraining(reason=f"{reason}, after {self.options.most} reductions of the learning rate")
        return ScaleLearningRate(factor=self.options.factor, reason=reason)

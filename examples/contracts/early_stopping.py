"""Early stopping in a single file: proves the contract of observers that ask for something.

The training ends, well and with a score, when the held-out text was judged `patience` times without a better score.

engine run --plugin examples/contracts/early_stopping.py --observe early-stopping --evaluate-every 0.05 --data my.txt
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Evaluation, Observer, Plan, RunObserver, StopTraining, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class EarlyStoppingOptions:
    """How long to wait for a better score."""

    patience: int = option(3, "Evaluations without a better score after which the training ends.", ge=1)
    least: float = option(0.0, "A score must be better by so much to count.", ge=0)


class EarlyStopping(RunObserver):
    """Ends the training when the primary score no longer improves, in whichever direction it improves.

    It remembers nothing beyond this process: a run that is resumed gets its whole patience again.
    """

    def __init__(self, options: EarlyStoppingOptions) -> None:
        self.patience, self.least = options.patience, options.least
        self.best: Evaluation | None = None
        self.waited = 0

    def on_start(self, event: Plan) -> None:
        """Forget the scores of an earlier run."""
        del event
        self.best, self.waited = None, 0

    def on_evaluation(self, event: Evaluation) -> StopTraining | None:
        """Ask for the end where the score was not better `patience` times in a row."""
        if event.final:
            return None
        if self.best is None or _gain(event, self.best) > self.least:
            self.best, self.waited = event, 0
            return None
        self.waited += 1
        if self.waited < self.patience:
            return None
        best = f"{self.best.score:.4g} at step {self.best.step}"
        return StopTraining(reason=f"{event.primary} has not improved in {self.waited} evaluations; the best was {best}")


def _gain(event: Evaluation, best: Evaluation) -> float:
    """Return by how much a score is better than the best."""
    return best.score - event.score if event.lower_is_better else event.score - best.score


@hookimpl
def engine_observers() -> Sequence[Observer]:
    """Offer the observer."""
    return [
        Observer(
            name="early-stopping",
            summary="Ends the training when the score no longer improves.",
            factory=EarlyStopping,
            options=EarlyStoppingOptions,
        )
    ]

"""The evaluator contract: named scores of a trained model on held-out text.

An evaluator's factory is called as `factory(options)`; it gets `catalogue` too where it names it. Builders name the evaluators
that fit what they teach (`ExampleBuilder.evaluators`); `engine evaluate --with NAME` uses others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pentad.contracts.batch import Tokens
    from pentad.contracts.builder import ExampleBuilder
    from pentad.contracts.model import Model
    from pentad.contracts.session import Session
    from pentad.contracts.tokenizer import Tokenizer
    from pentad.system.processes import World


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluated:
    """What an evaluator may look at to say whether it can judge: the stages of the run."""

    tokenizer: Tokenizer
    builder: ExampleBuilder
    model: Model


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """The text to judge on.

    Args:
        tokens: its ids, documents and learn-mask.
        n_bytes: UTF-8 bytes of it that are judged.
        context_length: tokens that the model may look back on.
        max_tokens: judge about so many tokens, spread evenly over the text, instead of all; None for all.
        progress: may be told the share that is judged, from 0 to 1, by an evaluator that takes long; `score_parts` does.
        lost_bytes: of `n_bytes`, those that the tokenizer lost: no model of its ids can tell them.
        builder: the builder that rendered it, or None where nobody says.
        world: the processes that share the judging; None where this one is alone.
    """

    tokens: Tokens
    n_bytes: int
    context_length: int
    max_tokens: int | None = None
    progress: Callable[[float], None] | None = None
    lost_bytes: int = 0
    builder: ExampleBuilder | None = None
    world: World | None = None

    def score_parts(self, n: int, score: Callable[[int], Sequence[float]]) -> npt.NDArray[np.float64]:
        """Score parts of the text, shared among the processes that torchrun started.

        An evaluator that judges by it takes a half of the time in two processes and comes to the same figures, bit for bit:
        each part is scored by one process, and every process gets the rows of all. One that goes through the text by itself is
        right as well, and each process then does all of its work.

            rows = text.score_parts(n_batches, lambda index: (n_right_of(index), n_tokens_of(index)))

        Args:
            n: how many parts there are, the same in every process: batches of windows, say.
            score: gives the row of a part by its number, from 0 to n - 1: K figures, which depend on nothing else.

        Returns:
            The rows (n, K).
        """
        import numpy as np

        rank, size = (0, 1) if self.world is None else (self.world.rank, self.world.size)
        rows = {}
        for index in range(rank, n, size):
            if self.progress is not None:
                self.progress(index / n)
            rows[index] = list(score(index))
        width = len(next(iter(rows.values()), []))
        width = width if self.world is None else self.world.largest(width)
        found = np.zeros((n, width))
        for index, row in rows.items():
            found[index] = row
        return found if self.world is None else self.world.sum_array(found)


class RunEvaluator(ABC):
    """Named scores.

    Under torchrun every process judges, with the same weights and text; `HeldOut.score_parts` shares the work.

    Promises, each checked by the conformance kit: the same model and text give the same scores; `primary` is one of them; every
    score is a finite number.
    """

    primary: str
    """The score by which runs are compared."""

    lower_is_better: bool = True
    """The direction of the primary score."""

    def supports(self, run: Evaluated) -> str:
        """Return why the run cannot be judged by this evaluator, in one sentence; an empty text when it can."""
        del run
        return ""

    @abstractmethod
    def evaluate(self, session: Session, text: HeldOut) -> Mapping[str, float]:
        """Return the scores by name; besides the primary one at least `n_tokens` and `n_bytes`, what was judged."""

    def table(self, scores: Mapping[str, float]) -> Sequence[Sequence[str]]:
        """Return the scores as rows for a person, the titles of the columns first; none where a line of numbers will do.

        Args:
            scores: what `evaluate` returned.
        """
        del scores
        return ()

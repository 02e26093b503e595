"""The evaluator contract: named scores of a trained model on held-out text.

An evaluator's factory is called as `factory(options)`; it gets `catalogue` too where it names it.
Builders name the evaluators that fit what they teach
(`ExampleBuilder.evaluators`); `engine evaluate --with NAME` uses others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pentad.contracts.batch import Tokens
    from pentad.contracts.builder import ExampleBuilder
    from pentad.contracts.model import Model
    from pentad.contracts.session import Session
    from pentad.contracts.tokenizer import Tokenizer


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
        progress: may be told the share that is judged, from 0 to 1, by an evaluator that takes long; `score_windows` does.
        lost_bytes: of `n_bytes`, those that the tokenizer lost: no model of its ids can tell them.
        builder: the builder that rendered it, or None where nobody says.
    """

    tokens: Tokens
    n_bytes: int
    context_length: int
    max_tokens: int | None = None
    progress: Callable[[float], None] | None = None
    lost_bytes: int = 0
    builder: ExampleBuilder | None = None


class RunEvaluator(ABC):
    """Named scores.

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

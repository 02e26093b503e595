"""The contract of evaluators, as checks on small models: one that knows the text, and one that knows nothing.

from pentad.testing import EvaluatorConformance

class TestMine(EvaluatorConformance):
    name = "mine"

A run is offered with a causal model, and one with a bidirectional model whose builder has a mask. An evaluator that supports
neither needs other special tokens or another builder: give the class its own `runs`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from pentad.contracts.batch import Batch, Tokens
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.evaluator import Evaluated, HeldOut, RunEvaluator
from pentad.contracts.model import Model
from pentad.contracts.vocabulary import SpecialToken
from pentad.inference.session import ModelSession
from pentad.testing.conformance import Conformance, NotChecked, require
from pentad.testing.subjects import Bytes, Table, session_of, table_of, tokens_of


class EvaluatorConformance(Conformance):
    """Checks of an evaluator.

    Attributes:
        context_length: tokens that the models may look back on.
    """

    kind = "evaluator"
    context_length: ClassVar[int] = 16

    def evaluator(self) -> RunEvaluator:
        """Make the evaluator under test."""
        made = self.make()
        require(isinstance(made, RunEvaluator), f"the factory must return a RunEvaluator, found a {type(made).__name__}")
        return made  # type: ignore[no-any-return]

    def runs(self) -> list[Evaluated]:
        """Return the runs of which the evaluator should support one; their models know nothing."""
        return [
            Evaluated(tokenizer=Bytes(), builder=Shown(), model=_ignorant(0)),
            Evaluated(tokenizer=Bytes(), builder=Masked(), model=_ignorant(1, causal=False)),
        ]

    def run_to_judge(self) -> Evaluated:
        """Return the first run that the evaluator supports.

        Raises:
            NotChecked: it supports none.
        """
        reasons = []
        for run in self.runs():
            reason = self.evaluator().supports(run)
            if not reason:
                return run
            reasons.append(str(reason))
        raise NotChecked(f"it supports none of the kit's runs ({'; '.join(reasons)}); give the test class runs of your own")

    def scores(self, model: Model | None = None, max_tokens: int | None = None) -> Mapping[str, float]:
        """Return what the evaluator says of a model: that of its run unless given."""
        run = self.run_to_judge()
        found = self._evaluate(_session(run, model or run.model), max_tokens)
        require(isinstance(found, Mapping), f"evaluate must return scores by name, found a {type(found).__name__}")
        return dict(found)

    def _evaluate(self, session: ModelSession, max_tokens: int | None = None) -> Any:
        with torch.no_grad():
            return self.evaluator().evaluate(session, self.text(max_tokens))

    def text(self, max_tokens: int | None = None) -> HeldOut:
        """Return the text to judge on."""
        tokens = tokens_of()
        n_bytes = int((tokens.ids != Bytes().end_of_text).sum())
        return HeldOut(tokens=tokens, n_bytes=n_bytes, context_length=self.context_length, max_tokens=max_tokens)

    def check_supports_says_why_not(self) -> None:
        """`supports` returns an empty text for a run that it can judge, and else the reason in one sentence."""
        for run in self.runs():
            reason = self.evaluator().supports(run)
            require(isinstance(reason, str), f"supports must return a text, found {reason!r}; return '' where it can judge")
            require("\n" not in reason, "the reason of supports must be one sentence, in one line")

    def check_scores_are_finite_numbers(self) -> None:
        """Every score is a finite number by a name."""
        for name, value in self.scores().items():
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            require(isinstance(name, str) and number, f"the score {name!r} is {value!r:.60}; expected a number by a name")
            require(math.isfinite(value), f"the score {name} is {value}")

    def check_primary_is_a_score(self) -> None:
        """`primary` names one of the scores."""
        scores, primary = self.scores(), self.evaluator().primary
        require(primary in scores, f"primary is {primary!r}, but the scores are {', '.join(map(str, scores))}")

    def check_says_what_was_judged(self) -> None:
        """`n_tokens` and `n_bytes` are among the scores: what was judged, at most all of the text."""
        scores, text = self.scores(), self.text()
        for name, most in (("n_tokens", len(text.tokens)), ("n_bytes", text.n_bytes)):
            require(name in scores, f"the scores lack {name}, how much was judged")
            whole = float(scores[name]).is_integer() and 0 < scores[name] <= most
            require(whole, f"{name} is {scores[name]}; expected a whole number from 1 to {most}, all of the text")

    def check_same_scores_again(self) -> None:
        """The same model and text give the same scores, whatever the global generators are at."""
        found = []
        for number in range(3):
            torch.manual_seed(number)
            np.random.seed(number)
            found.append(dict(self.scores()))
        require(found[0] == found[1] == found[2], "the same model gets other scores the second time; draw by a fixed seed")

    def check_a_better_model_scores_better(self) -> None:
        """A model that knows the text has the better primary score, in the direction of `lower_is_better`."""
        run, evaluator = self.run_to_judge(), self.evaluator()
        ignorant = self.scores().get(evaluator.primary, math.nan)
        size = Bytes.vocab_size + len(run.builder.special_tokens)
        knowing = Table(table_of(tokens_of().ids, size))
        knowing.causal = run.model.causal
        better = self.scores(knowing).get(evaluator.primary, math.nan)
        fine = better < ignorant if evaluator.lower_is_better else better > ignorant
        require(
            fine or math.isnan(better - ignorant),
            f"a model that knows the text scores {better:.4g}, one that knows nothing {ignorant:.4g}; "
            f"is lower_is_better = {evaluator.lower_is_better} right?",
        )

    def check_judges_a_part_where_asked(self) -> None:
        """With `max_tokens` about so many tokens are judged, instead of all."""
        most = 4 * self.context_length
        few, every = self.scores(max_tokens=most).get("n_tokens", 0), self.scores().get("n_tokens", 0)
        fits = few <= most + self.context_length and (few < every or every <= most)
        require(fits, f"with max_tokens {most} it judges {few} tokens, of all {every}; spread about so many over the text")

    def check_changes_nothing(self) -> None:
        """The model's weights, its mode and the text stay as they are."""
        run = self.run_to_judge()
        session = _session(run, run.model)
        before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
        self._evaluate(session)
        same = all(torch.equal(tensor, before[name]) for name, tensor in run.model.state_dict().items())
        require(same, "evaluate changes the model's weights")
        require(not session.model.training, "evaluate puts the model into training mode")


class Shown(ExampleBuilder):
    """The builder of a causal run: what is learned is the next token."""

    context_length, end_of_text = 16, 256

    def count(self, tokens: Tokens) -> int:
        """Return how many windows of the context fit."""
        return max(0, len(tokens) - 1) // self.context_length

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return windows side by side."""
        del seed
        at = (indices % self.count(tokens))[:, None] * self.context_length + np.arange(self.context_length + 1)
        rows = tokens.ids[at].astype(np.int64)
        return Batch(inputs=rows[:, :-1], targets=rows[:, 1:])


class Masked(Shown):
    """The builder of a bidirectional run: it has a mask."""

    attention = "bidirectional"
    special_tokens = (SpecialToken(name="mask"),)


def _ignorant(n_special: int, causal: bool = True) -> Model:
    size = Bytes.vocab_size + n_special
    model = Table(torch.zeros(size, size))
    model.causal = causal
    return model.eval()


def _session(run: Evaluated, model: Model) -> ModelSession:
    return session_of(model, run.builder.special_tokens)

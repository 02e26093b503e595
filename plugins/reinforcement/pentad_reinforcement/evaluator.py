"""The mean reward of a run's answers to held-out prompts: what it was trained for, where no answer counts as right.

Answers are written by the likeliest token each time, so the score does not depend on chance.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pentad import Evaluated, HeldOut, NoOptions, RunEvaluator, Session, UsageError
from pentad_reinforcement.builder import GRPO
from pentad_tasks.questions import question_at

_AT_ONCE = 256


class MeanReward(RunEvaluator):
    """The mean reward, by the rewards that the run's builder was given."""

    primary = "reward"
    lower_is_better = False

    def __init__(self, options: NoOptions) -> None:
        del options

    def supports(self, run: Evaluated) -> str:
        """Ask for a run that learned from rewards."""
        return "" if isinstance(run.builder, GRPO) else "A mean reward needs a run of the builder grpo, which says the rewards."

    def evaluate(self, session: Session, text: HeldOut) -> Mapping[str, float]:
        """Return the mean reward, and how long the answers are."""
        builder, tokens = text.builder, text.tokens
        if not isinstance(builder, GRPO):
            raise UsageError("A mean reward needs the builder grpo.", "Judge a run of it.", code="no-rewards")
        documents = np.arange(builder.count(tokens))
        if text.max_tokens is not None and len(tokens) > text.max_tokens and len(documents):
            wanted = max(1, len(documents) * text.max_tokens // len(tokens))
            documents = documents[np.linspace(0, len(documents) - 1, wanted).astype(np.int64)]
        rewards, lengths, n_tokens = [0.0] * 0, [0] * 0, 0
        for first in range(0, len(documents), _AT_ONCE):
            part = documents[first : first + _AT_ONCE].tolist()
            end = session.vocabulary.end_of_text
            questions = [question_at(tokens, document, session.tokenizer, end) for document in part]
            for question, answers in zip(questions, builder.answer(session, questions), strict=True):
                rewards += builder.judge(session, question, answers).tolist()
                lengths += [len(answer) for answer in answers]
            n_tokens += sum(int(tokens.starts[document + 1] - tokens.starts[document]) for document in part)
            if text.progress is not None:
                text.progress((first + len(part)) / len(documents))
        return {
            "reward": float(np.mean(rewards)) if rewards else 0.0,
            "completion_length": float(np.mean(lengths)) if lengths else 0.0,
            "n_tasks": len(rewards),
            "n_tokens": n_tokens,
            "n_bytes": text.n_bytes,
        }

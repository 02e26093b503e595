"""How many held-out tasks a model answers right.

Answers are written by the likeliest token each time, so the score does not depend on chance. Each is judged by the reward that
its task names, from `RewardFunction.right` on; the text of a builder that keeps no names (chat) is judged by `exact`.
`standard_error` is that of a share among so many tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from pentad import Catalogue, Evaluated, ExampleBuilder, HeldOut, RunEvaluator, Session, UsageError
from pentad_tasks.answering import write_answers
from pentad_tasks.options import AccuracyOptions
from pentad_tasks.questions import Question, Rewards, question_at

_AT_ONCE = 256


class TaskAccuracy(RunEvaluator):
    """The share of tasks answered right."""

    primary = "task_accuracy"
    lower_is_better = False

    def __init__(self, options: AccuracyOptions, *, catalogue: Catalogue | None = None) -> None:
        self.options = options
        self._rewards = Rewards(catalogue or Catalogue())

    def supports(self, run: Evaluated) -> str:
        """Ask for a causal model and a builder that tells prompts from answers."""
        if not run.model.causal:
            return "Tasks need a causal model, which writes answers; this one is bidirectional."
        if type(run.builder).render is ExampleBuilder.render:
            return "Tasks need a builder that tells prompts from answers (chat, grpo)."
        return ""

    def evaluate(self, session: Session, text: HeldOut) -> Mapping[str, float]:
        """Return the share, with its standard error and the mean reward."""
        tokens = text.tokens
        documents = np.arange(max(0, len(tokens.starts) - 1))
        if text.max_tokens is not None and len(tokens) > text.max_tokens and len(documents):
            wanted = max(1, len(documents) * text.max_tokens // len(tokens))
            documents = documents[np.linspace(0, len(documents) - 1, wanted).astype(np.int64)]
        rewards: list[float] = []
        right = n_tokens = n_bytes = 0
        for first in range(0, len(documents), _AT_ONCE):
            part = documents[first : first + _AT_ONCE].tolist()
            end = session.vocabulary.end_of_text
            questions = [question_at(tokens, document, session.tokenizer, end) for document in part]
            for question, answer in zip(questions, self._answers(session, questions, text.context_length), strict=True):
                value, is_right = self._judged(session, question, answer)
                rewards.append(value)
                right += is_right
                n_bytes += len(question.expected.encode())
            n_tokens += sum(int(tokens.starts[document + 1] - tokens.starts[document]) for document in part)
            if text.progress is not None:
                text.progress((first + len(part)) / len(documents))
        share = right / max(len(rewards), 1)
        return {
            "task_accuracy": share,
            "standard_error": math.sqrt(share * (1 - share) / max(len(rewards), 1)),
            "reward": float(np.mean(rewards)) if rewards else 0.0,
            "n_tasks": len(rewards),
            "n_tokens": n_tokens,
            "n_bytes": min(max(n_bytes, 1), text.n_bytes),
        }

    def _answers(self, session: Session, questions: list[Question], context: int) -> list[list[int]]:
        room = max(1, context - min(self.options.max_tokens, context // 2) + 1)  # of a prompt
        prompts = [question.prompt[-room:] for question in questions]
        limits = [min(self.options.max_tokens, context - len(prompt) + 1) for prompt in prompts]
        return write_answers(session, prompts, max_tokens=limits)

    def _judged(self, session: Session, question: Question, ids: list[int]) -> tuple[float, bool]:
        """Return the reward of an answer, and whether it is right."""
        name, reward = self._rewards.of(question, self.options.reward)
        if reward.right is None:
            raise UsageError(
                f"Accuracy needs a reward that says which answers are right; {name} does not.",
                "Use another one: --with task-accuracy,reward=exact",
                code="reward-without-right",
            )
        plain = session.vocabulary.tokenizer_size
        text = session.tokenizer.decode([token for token in ids if token < plain and token not in session.vocabulary.stops])
        prompt = session.tokenizer.decode([token for token in question.prompt[1:] if token < plain])
        value = float(reward.rewards(prompt, [text], question.expected)[0])
        return value, value >= reward.right

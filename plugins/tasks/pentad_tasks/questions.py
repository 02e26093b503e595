"""Tasks as they stand in a text of tokens: a prompt that is not learned, an answer that is, and the name of a reward.

This is what any builder that renders prompts with answers makes of a task (chat, dpo, grpo). Where a document has several
answers, the last one is asked for. What stands behind it and is not learned is the name of the reward, which grpo writes there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pentad import Catalogue, RewardFunction, Tokenizer, Tokens, UsageError, make_named


@dataclass(frozen=True)
class Question:
    """A task.

    Args:
        prompt: ids, the end of text that opens the document first.
        expected: the answer as plain text.
        reward: the name that the task gives, or an empty text.
    """

    prompt: tuple[int, ...]
    expected: str
    reward: str


def question_at(tokens: Tokens, document: int, tokenizer: Tokenizer, end_of_text: int) -> Question:
    """Return the task of a document; special tokens are no part of the answer.

    Args:
        tokens: a text that a builder rendered.
        document: its number.
        tokenizer: of the text.
        end_of_text: the id that ends a document.
    """
    first, end = int(tokens.starts[document]), int(tokens.starts[document + 1])
    ids = np.asarray(tokens.ids[first:end]).astype(np.int64)
    learn = np.ones(len(ids), dtype=bool) if tokens.learn is None else np.asarray(tokens.learn[first:end]).astype(bool)
    learn[0] = False  # the end of text that opens the document is read
    learned = np.flatnonzero(learn)
    if not len(learned):
        return Question(tuple(ids.tolist()), "", "")
    behind = int(learned[-1]) + 1
    unlearned = np.flatnonzero(~learn[:behind])
    start = int(unlearned[-1]) + 1

    def text(part: np.ndarray) -> str:
        return tokenizer.decode([token for token in part.tolist() if token < tokenizer.vocab_size and token != end_of_text])

    named = bool((ids[behind:] < tokenizer.vocab_size).all())  # and no further turn of a conversation
    return Question(tuple(ids[:start].tolist()), text(ids[start:behind]), text(ids[behind:]).strip() if named else "")


class Rewards:
    """Rewards by name, each made once.

    Args:
        catalogue: what is installed.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._made: dict[str, RewardFunction] = {}

    def named(self, name: str) -> RewardFunction:
        """Return what a user names, with options behind it: `letter,letter=e`.

        Raises:
            UsageError: none of that name is installed, or an option is unknown or out of bounds.
            EngineError: it is broken.
        """
        if name not in self._made:
            self._made[name] = make_named("reward", name, catalogue=self._catalogue)
        return self._made[name]

    def of(self, question: Question, chosen: str = "") -> tuple[str, RewardFunction]:
        """Return the name and the reward of a task: the chosen one, else what the task names, else `exact`.

        A task names a reward alone: options, which may name files, are the user's to choose.

        Raises:
            UsageError: as for `named`; or the reward compares with an answer, and the task has none.
        """
        name = chosen or question.reward or "exact"
        if not chosen and "," in name:
            raise UsageError(
                f"A task names a reward without options; found {name!r:.80}.",
                "Choose the reward with its options yourself: --builder.reward NAME,OPTION=VALUE",
                code="reward-options",
            )
        reward = self.named(name)
        require_expected(reward, name, question)
        return name, reward


def require_expected(reward: RewardFunction, name: str, question: Question) -> None:
    """Make sure that a reward which compares with an answer has one.

    Raises:
        UsageError: the task has none.
    """
    if reward.needs_expected and not question.expected.strip():
        raise UsageError(
            f"The reward {name} compares with the answer of a task; found a task without one.",
            "Give each task a completion, or use a reward that needs none (--builder.reward).",
            code="answer-missing",
        )

"""A conversation with a model: what was said, and what of it the model reads before its next answer.

A run can converse where its builder names the special tokens `user`, `assistant` and `end_of_turn`, as `chat` does: a turn is
the token of who speaks, what is said, and the end of the turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from pentad.config.recipe import Choice
from pentad.contracts.session import Limits, Session, TokenEvent
from pentad.contracts.tokenizer import Tokenizer
from pentad.contracts.vocabulary import Vocabulary

_USER, _ASSISTANT, _SYSTEM, _END_OF_TURN = "user", "assistant", "system", "end_of_turn"


class Talker(Protocol):
    """What of a run is needed to talk with it; `SavedRun` has it."""

    @property
    def tokenizer(self) -> Tokenizer:
        """As trained."""
        ...

    @property
    def session(self) -> Session:
        """The model, open for inference."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """Every id that the model knows."""
        ...

    def stream(
        self, prompt: str | torch.Tensor = "", *, sampler: Choice | str | None = None, limits: Limits | None = None
    ) -> Iterator[TokenEvent]:
        """Continue a text, or ids (T,), token by token."""
        ...


@dataclass
class Exchange:
    """A question and its answer, as text and as the ids (T,) of both turns."""

    question: str
    answer: str
    ids: list[int]


def can_converse(run: Talker) -> bool:
    """Whether a run knows the tokens of turns."""
    names = {token.name for token in run.vocabulary.special}
    return {_USER, _ASSISTANT, _END_OF_TURN} <= names


@dataclass
class Conversation:
    """A conversation.

    Args:
        run: a model that learned conversations.
        max_tokens: maximum tokens of an answer.
        seed: decides every draw; the answers draw differently from each other.
        system: what the system says first; empty for nothing.
    """

    run: Talker
    max_tokens: int
    seed: int = 0
    system: str = ""
    exchanges: list[Exchange] = field(default_factory=list)

    def prompt(self, question: str) -> tuple[list[int], int]:
        """Return the ids that the model reads before it answers, and how many of the oldest exchanges they leave out.

        An end of text, the system's turn, the newest exchanges that leave room for an answer, the question, and the token that
        opens the assistant's turn.
        """
        head = [self.run.vocabulary.end_of_text]
        if self.system and self._knows(_SYSTEM):
            head += self._turn(_SYSTEM, self.system)
        tail = self._asked(question)
        limit = self.run.session.context_length
        room = None if limit is None else limit - len(head) - len(tail) - min(self.max_tokens, limit // 2)
        kept: list[list[int]] = []
        for exchange in reversed(self.exchanges):
            if room is not None:
                room -= len(exchange.ids)
                if room < 0:
                    break
            kept.append(exchange.ids)
        history = [token for ids in reversed(kept) for token in ids]
        return [*head, *history, *tail], len(self.exchanges) - len(kept)

    def answer(self, question: str, sampler: Choice | None) -> Iterator[TokenEvent]:
        """Yield the events of an answer; the exchange is remembered, also where the iterator is closed early."""
        prompt, _ = self.prompt(question)
        limits = Limits(max_tokens=self.max_tokens, seed=self.seed + len(self.exchanges))
        said: list[int] = []
        text = ""
        try:
            for event in self.run.stream(torch.tensor(prompt), sampler=sampler, limits=limits):
                if event.ended != "stop":
                    said.append(event.token)
                text += event.text
                yield event
        finally:
            self.remember(question, text, said)

    def remember(self, question: str, answer: str, said: Sequence[int] | None = None) -> None:
        """Add an exchange to what was said.

        Args:
            question, answer: its two turns.
            said: the ids of the answer as the model drew them; None where another model did, or nobody knows.
        """
        ids = self.run.tokenizer.encode(answer).tolist() if said is None else said
        end = self.run.vocabulary.id(_END_OF_TURN)
        self.exchanges.append(Exchange(question, answer, [*self._asked(question), *ids, end]))

    def messages(self) -> list[dict[str, str]]:
        """Return the conversation as the messages of a record that the builder `chat` learns from."""
        found = [{"role": _SYSTEM, "content": self.system}] if self.system else []
        for exchange in self.exchanges:
            found.append({"role": _USER, "content": exchange.question})
            found.append({"role": _ASSISTANT, "content": exchange.answer})
        return found

    def _knows(self, role: str) -> bool:
        return any(token.name == role for token in self.run.vocabulary.special)

    def _asked(self, question: str) -> list[int]:
        return [*self._turn(_USER, question), self.run.vocabulary.id(_ASSISTANT)]

    def _turn(self, role: str, text: str) -> list[int]:
        vocabulary = self.run.vocabulary
        return [vocabulary.id(role), *self.run.tokenizer.encode(text).tolist(), vocabulary.id(_END_OF_TURN)]

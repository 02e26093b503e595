"""A conversation with a model: what was said, and what of it the model reads before its next answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from pentad import Choice, Limits, SavedRun, TokenEvent
from pentad_chat.template import END_OF_TURN, Message


@dataclass
class Exchange:
    """A question and its answer, as text and as the ids (T,) of both turns."""

    question: str
    answer: str
    ids: list[int]


def can_talk(run: SavedRun) -> bool:
    """Whether a run knows the tokens of the template."""
    names = {token.name for token in run.vocabulary.special}
    return {"user", "assistant", END_OF_TURN} <= names


@dataclass
class Talk:
    """A conversation.

    Args:
        run: a model that learned conversations.
        max_tokens: maximum tokens of an answer.
        seed: decides every draw; the answers draw differently from each other.
        system: what the system says first; empty for nothing.
    """

    run: SavedRun
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
        if self.system and self._knows("system"):
            head += self._turn("system", self.system)
        tail = [*self._turn("user", question), self.run.vocabulary.id("assistant")]
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
        turn = [*self._turn("user", question), self.run.vocabulary.id("assistant")]
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
            end = self.run.vocabulary.id(END_OF_TURN)
            self.exchanges.append(Exchange(question, text, [*turn, *said, end]))

    def messages(self) -> list[Message]:
        """Return the conversation as a record that the builder learns from."""
        found: list[Message] = [{"role": "system", "content": self.system}] if self.system else []
        for exchange in self.exchanges:
            found.append({"role": "user", "content": exchange.question})
            found.append({"role": "assistant", "content": exchange.answer})
        return found

    def _knows(self, role: str) -> bool:
        return any(token.name == role for token in self.run.vocabulary.special)

    def _turn(self, role: str, text: str) -> list[int]:
        vocabulary = self.run.vocabulary
        return [vocabulary.id(role), *self.run.tokenizer.encode(text).tolist(), vocabulary.id(END_OF_TURN)]

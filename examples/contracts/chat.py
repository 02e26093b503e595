"""Proves the contract of builders that render records (`ExampleBuilder.render`): a chat whose answers alone are learned.

engine run --plugin examples/contracts/chat.py --data talks.jsonl --builder chat

Each line of the file is a record, {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pentad import (
    IGNORED,
    Batch,
    Document,
    ExampleBuilder,
    Implementation,
    NoOptions,
    Record,
    Span,
    SpecialToken,
    Tokens,
    UsageError,
    hookimpl,
    shuffled,
)

_ROLES = ("user", "assistant")


class Chat(ExampleBuilder):
    """Conversations: a token for the speaker, what is said, a token for the end of the turn.

    Learned are the assistant's turns with the token that ends each. A row is a conversation, padded; one that is longer than
    the context goes on in further rows.
    """

    special_tokens = (
        SpecialToken(name="user"),
        SpecialToken(name="assistant"),
        SpecialToken(name="end_of_turn", drawable=True, stops=True),
    )

    def __init__(self, options: NoOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        del options, vocab_size
        self.context_length, self.end_of_text = context_length, end_of_text

    def render(self, record: Record) -> Iterator[Document]:
        """Yield the conversation of a record.

        Raises:
            UsageError: the record is no conversation, or somebody else speaks in it.
        """
        messages = record.get("messages") if isinstance(record, Mapping) else None
        if not messages:
            raise UsageError(
                "The builder chat learns from records with `messages`; found one without.",
                'Each line of a .jsonl file holds one object, {"messages": [{"role": "user", "content": …}, …]}.',
                code="record-keys",
            )
        yield Document(tuple(span for message in messages for span in _turn(message)), learn_end=False)

    def count(self, tokens: Tokens) -> int:
        """Return the rows of all conversations."""
        return int(self._rows_before(tokens)[-1])

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return rows (B, T); behind a conversation's end they hold ends of text, from which nothing is learned."""
        before = self._rows_before(tokens)
        _, rows = shuffled(indices, int(before[-1]), seed)
        documents = np.searchsorted(before, rows, side="right") - 1  # (B,)
        first = tokens.starts[documents] + (rows - before[documents]) * self.context_length
        at = first[:, None] + np.arange(self.context_length)  # (B, T)
        end = tokens.starts[documents + 1][:, None]
        inside, ids = at < end, np.asarray(tokens.ids)  # unsigned: IGNORED goes in after the cast
        at = np.minimum(at, end - 1)
        learned = inside if tokens.learn is None else inside & np.asarray(tokens.learn)[at + 1]
        return Batch(
            inputs=np.where(inside, ids[at].astype(np.int64), self.end_of_text),
            targets=np.where(learned, ids[at + 1].astype(np.int64), IGNORED),
        )

    def _rows_before(self, tokens: Tokens) -> npt.NDArray[np.int64]:
        """Return how many rows stand before each conversation (N,), and in all (N + 1,)."""
        return np.concatenate(([0], np.cumsum(-(-np.diff(tokens.starts) // self.context_length))))


def _turn(message: Mapping[str, str]) -> Iterator[Span]:
    """Yield the spans of a turn.

    Raises:
        UsageError: the speaker is unknown.
    """
    role = message.get("role", "")
    if role not in _ROLES:
        raise UsageError(
            f"The role of a message must be {' or '.join(_ROLES)}; found {role!r}.",
            "Rename it, or leave the message out.",
            code="unknown-role",
        )
    learn = role == "assistant"
    yield Span(special=role, learn=False)
    yield Span(str(message.get("content", "")), learn=learn)
    yield Span(special="end_of_turn", learn=learn)


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    """Offer the builder."""
    return [Implementation(name="chat", summary="Conversations; only the answers are learned.", factory=Chat)]

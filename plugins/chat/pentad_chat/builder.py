"""Conversations of which the answers are learned.

- Learned are the assistant's turns and the token that ends each of them; nothing else is a target.
- Several conversations share a row as segments, and none attends to another; a row is padded only where no other one fits.
- A conversation that is longer than a row is cut at its turns (`pentad_chat.packing`).
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pentad import IGNORED, Batch, Document, ExampleBuilder, Record, Tokens, UsageError, shuffled
from pentad_chat.options import ChatOptions
from pentad_chat.packing import Row, plan_rows
from pentad_chat.template import ROLES, SPECIAL_TOKENS, messages_of, turns

_ADVICE = "To learn plain text as well: --builder.plain-text"


class Chat(ExampleBuilder):
    """Conversations, packed."""

    special_tokens = SPECIAL_TOKENS

    def __init__(self, options: ChatOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        self.options, self.context_length, self.end_of_text = options, context_length, end_of_text
        self._roles = range(vocab_size, vocab_size + len(ROLES))
        self._rows: weakref.WeakKeyDictionary[Tokens, list[Row]] = weakref.WeakKeyDictionary()

    def render(self, record: Record) -> Iterator[Document]:
        """Yield the conversation of a record; plain text as it is where the options say so.

        Raises:
            UsageError: the record is no conversation, or a role is unknown.
        """
        plain = record if isinstance(record, str) else record.get("text")
        if self.options.plain_text and isinstance(plain, str):
            yield Document.of(plain)
        else:
            yield Document(tuple(turns(messages_of(record, _ADVICE))), learn_end=False)

    def count(self, tokens: Tokens) -> int:
        """Return the rows of all conversations.

        Raises:
            UsageError: there are conversations, and the assistant says nothing in them.
        """
        return len(self._plan(tokens))

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return rows (B, T); behind the last conversation of a row they hold ends of text, a segment of its own."""
        rows = self._plan(tokens)
        _, numbers = shuffled(indices, len(rows), seed)
        shape = (len(indices), self.context_length)
        inputs = np.full(shape, self.end_of_text, dtype=np.int64)
        targets, segments = np.full(shape, IGNORED, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for at, number in enumerate(numbers.tolist()):
            self._fill(tokens, rows[number], inputs[at], targets[at], segments[at])
        return Batch(inputs=inputs, targets=targets, segments=segments if segments.any() else None)

    def _fill(
        self,
        tokens: Tokens,
        row: Row,
        inputs: npt.NDArray[np.int64],
        targets: npt.NDArray[np.int64],
        segments: npt.NDArray[np.int64],
    ) -> None:
        """Write the parts of a row into arrays (T,)."""
        place = 0
        for number, part in enumerate(row):
            begin, end = place + part.opened, place + part.length
            inputs[begin:end] = tokens.ids[part.first : part.end]
            targets[begin:end] = tokens.ids[part.first + 1 : part.end + 1]
            if tokens.learn is not None:
                targets[begin:end][~np.asarray(tokens.learn[part.first + 1 : part.end + 1])] = IGNORED
            segments[place:end] = number
            place = end
        segments[place:] = len(row)

    def _plan(self, tokens: Tokens) -> list[Row]:
        """Return the rows of a text, which are planned once."""
        if tokens not in self._rows:
            if len(tokens.starts) > 1 and tokens.learn is not None and not np.asarray(tokens.learn)[1:].any():
                raise UsageError(
                    f"Something must be learned from the conversations; none of the {len(tokens.starts) - 1} has an answer of "
                    "the assistant.",
                    'What is learned has the role "assistant": {"role": "assistant", "content": …}.',
                    code="nothing-learned",
                )
            self._rows[tokens] = plan_rows(tokens, self.context_length, self._roles)
        return self._rows[tokens]

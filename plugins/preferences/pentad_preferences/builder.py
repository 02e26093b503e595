"""Pairs of answers to one prompt, of which the first is preferred.

A pair is two documents of one record; each is a row, padded. The template is that of pentad-chat, so that a run that learned
conversations goes on in its own turns, or plain text. Judged are the answer and the token that
ends it, which a longer prompt never pushes out of the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pentad import Batch, Document, ExampleBuilder, Record, Span, Tokens, UsageError, shuffled
from pentad_chat.template import SPECIAL_TOKENS, as_messages, excerpt, turns
from pentad_preferences.objective import Preference
from pentad_preferences.options import DPOOptions
from pentad_preferences.rows import count_pairs, rows_of

_KEYS = ("prompt", "chosen", "rejected")


class Pairs(ExampleBuilder):
    """Pairs of answers."""

    evaluators = ("preference-accuracy",)

    def __init__(self, options: DPOOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        del vocab_size
        self.options, self.context_length, self.end_of_text = options, context_length, end_of_text
        self.special_tokens = SPECIAL_TOKENS if options.template == "chat" else ()

    def render(self, record: Record) -> Iterator[Document]:
        """Yield the prompt with the preferred answer, and with the other one.

        Raises:
            UsageError: the record is no pair, has an empty answer, or messages where the template is plain text.
        """
        if not isinstance(record, Mapping) or not all(key in record for key in _KEYS):
            found = f"the keys {', '.join(record)}" if isinstance(record, Mapping) else "plain text"
            raise UsageError(
                f"A pair must have prompt, chosen and rejected; found {found}: {excerpt(record)}",
                'Each line of a .jsonl file holds one object, {"prompt": …, "chosen": …, "rejected": …}.',
                code="record-keys",
            )
        if not record["chosen"] or not record["rejected"]:
            raise UsageError(
                f"Both answers of a pair must have a text; found an empty one: {excerpt(record)}",
                "Leave the pair out.",
                code="empty-answer",
            )
        for key in ("chosen", "rejected"):
            yield self._document(record["prompt"], record[key])

    def count(self, tokens: Tokens) -> int:
        """Return the number of pairs."""
        return count_pairs(tokens)

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return the preferred answers (B, T), and in `extra` the others."""
        _, pairs = shuffled(indices, self.count(tokens), seed)
        inputs, targets = rows_of(tokens, 2 * pairs, self.context_length, self.end_of_text)
        other, others = rows_of(tokens, 2 * pairs + 1, self.context_length, self.end_of_text)
        return Batch(inputs=inputs, targets=targets, extra={"inputs": other, "targets": others})

    def objective(self) -> Preference:
        """Return the loss of pairs."""
        return Preference(self.options)

    def _document(self, prompt: Any, answer: Any) -> Document:
        if self.options.template == "chat":
            asked = turns(as_messages(prompt, "user"), learn=False)
            return Document((*asked, *turns(as_messages(answer, "assistant"))), learn_end=False)
        if not isinstance(prompt, str) or not isinstance(answer, str):
            raise UsageError(
                f"The template plain reads texts; found messages: {excerpt(prompt)}",
                "Leave --builder.template out: the template chat reads messages.",
                code="record-keys",
            )
        return Document((Span(prompt, learn=False), Span(answer)))

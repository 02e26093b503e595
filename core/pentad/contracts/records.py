"""Records and documents: what a reader yields, and what an example builder makes of it before it is tokenized.

A record is a text, or a mapping with one of these sets of keys:

- `text`
- `messages`: a list of mappings with `role` and `content`
- `prompt` and `completion`, with or without `reward`, the name of a reward that judges other answers
- `prompt`, `chosen` and `rejected`
- `instruction` and `output`, with or without `input`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Record = str | Mapping[str, Any]
"""One record of a source."""


@dataclass(frozen=True)
class Span:
    """A part of a document.

    Args:
        text: plain text, which never becomes a special token; empty where `special` is given.
        learn: whether the model learns to write it.
        special: the name of one of the builder's special tokens (`ExampleBuilder.special_tokens`), or None.
    """

    text: str = ""
    learn: bool = True
    special: str | None = None


@dataclass(frozen=True)
class Document:
    """What a builder learns from as one piece: spans that follow each other. An end of text follows it.

    Args:
        spans: its parts.
        learn_end: whether the end of text behind it is learned.
    """

    spans: tuple[Span, ...]
    learn_end: bool = True

    @classmethod
    def of(cls, text: str) -> Document:
        """Return a document of plain text, all of it learned."""
        return cls((Span(text),))


def text_of(record: Record) -> str:
    """Return all text of a record, for tokenizers to train on and for the size of the split.

    >>> text_of({"prompt": "2 + 2?", "completion": "4"})
    '2 + 2?\\n4'
    """
    if isinstance(record, str):
        return record
    parts: list[str] = []
    for key, value in record.items():
        if key == "reward":  # a name, and no text
            continue
        if isinstance(value, str):
            parts.append(value)
        elif isinstance(value, list):
            parts += [str(message["content"]) for message in value if isinstance(message, Mapping) and "content" in message]
    return "\n".join(parts)

"""A text as a builder renders it, and the examples that it makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pentad import Batch, Catalogue, EngineError, ExampleBuilder, Tokenizer, Tokens, UsageError, Vocabulary, make
from pentad.tools import Piece, Rendering, cut, encode_all, parse, record_pieces
from pentad_studio.server.studio import SEED

STARTERS = {
    "A sentence": f"{SEED} a model",
    "Two texts": "This is me training.\n\nThe other text is not.",
    "A conversation": json.dumps(
        {
            "messages": [
                {"role": "user", "content": "What is 2 + 2?"},
                {"role": "assistant", "content": "It is 4."},
                {"role": "user", "content": "And 3 + 3?"},
                {"role": "assistant", "content": "6"},
            ]
        }
    ),
    "Two answers, one preferred": json.dumps(
        {"prompt": "What is 2 + 2?", "chosen": "It is 4.", "rejected": "Nobody knows."}, ensure_ascii=False
    ),
}
"""Texts to begin with, by what they are."""


@dataclass(frozen=True, eq=False)
class Made:
    """Examples.

    Args:
        builder: made them.
        batch: the first of them.
        total: how many there are.
        vocabulary: every id that stands in them.
        n_tokens, n_documents: of the text as the builder renders it.
    """

    builder: ExampleBuilder
    batch: Batch
    total: int
    vocabulary: Vocabulary
    n_tokens: int
    n_documents: int


def pieces_of(text: str) -> list[Piece]:
    """Return the documents of a text: JSON records, one a line, where it begins like them; else those that empty lines part.

    Raises:
        UsageError: a record has no keys that are known.
    """
    records = _records(text)
    if records is not None:
        return [piece for number, record in enumerate(records, 1) for piece in record_pieces(record, f"Record {number}")]
    documents = [document for document in text.split("\n\n") if document.strip()]
    return [piece for document in documents for piece in cut([document])]


def _records(text: str) -> list[dict[str, Any]] | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = json.loads(text)
        records = found if isinstance(found, list) else [found]
    except (ValueError, RecursionError):
        try:
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            return None
    return records if records and all(isinstance(record, dict) for record in records) else None


def make_examples(
    catalogue: Catalogue,
    tokenizer: Tokenizer,
    name: str,
    options: Mapping[str, str],
    text: str,
    context_length: int | None,
    limit: int,
) -> Made:
    """Make the first examples of a text, in its order.

    Args:
        catalogue: what is installed.
        tokenizer: cuts the text.
        name, options: of the builder.
        text: plain, or records as JSON.
        context_length: tokens of an example at most; None for as many as the longest document has.
        limit: how many examples.

    Raises:
        UsageError: the builder's name or an option is unknown, or the text gives it no example.
    """
    offer = catalogue.find("builder", name)
    parsed = parse(offer.options, options, "builder")

    def made(length: int) -> ExampleBuilder:
        builder: ExampleBuilder = offer.make(
            parsed,
            context_length=length,
            vocab_size=tokenizer.vocab_size,
            end_of_text=tokenizer.end_of_text,
            tokenizer=tokenizer,
            catalogue=catalogue,
        )
        return builder

    pieces = pieces_of(text)
    # How long the documents are shows once the builder has rendered them.
    builder = made(context_length or max(8, 4 * len(text.encode())))
    tokens = encode_all(pieces, tokenizer, Rendering.of(builder), seed=0)
    if context_length is None:
        builder = made(max(1, int(np.diff(tokens.starts).max(initial=1))))
    return _build(name, builder, tokens, tokenizer, limit)


def _build(name: str, builder: ExampleBuilder, tokens: Tokens, tokenizer: Tokenizer, limit: int) -> Made:
    if builder.needs_policy:
        raise UsageError(
            f"The examples of {name} are written by the model itself while it learns, so there are none of a text alone.",
            "Choose another builder.",
            code="needs-policy",
        )
    total = builder.count(tokens)
    if not total:
        raise UsageError(
            f"The text must give the builder {name} at least one example; it has {len(tokens)} tokens.",
            "Give a longer text, or lower the context length.",
            code="text-too-short",
        )
    return Made(
        builder=builder,
        batch=builder.build(tokens, np.arange(min(total, limit), dtype=np.int64), None),
        total=total,
        vocabulary=Vocabulary.of(tokenizer, builder.special_tokens),
        n_tokens=len(tokens),
        n_documents=len(tokens.starts) - 1,
    )


def starter_for(catalogue: Catalogue, name: str) -> str:
    """Return the first text to begin with that a builder makes an example of; the first of all where none does."""
    try:
        tokenizer: Tokenizer = make("tokenizer", "byte", catalogue=catalogue)
        for text in STARTERS.values():
            try:
                make_examples(catalogue, tokenizer, name, {}, text, None, 1)
                return text
            except UsageError:
                continue
    except EngineError:
        pass
    return STARTERS["A sentence"]

"""From pieces of text to ids: as plain text, or as the documents that an example builder makes of each record.

Plain text goes to the tokenizer piece by piece, many at a time. Where a builder overrides `render`, it gets each record whole
(so a record must fit into memory), and the texts of its spans are encoded one by one: no token reaches from one span into
the next. Special spans become the ids behind the tokenizer's own, which no text can become.

A tokenizer with `random_cuts` cuts training text at random, each text by a source of its own that follows from a seed and from
the place of the text: the same however many texts are encoded at once.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pentad.config.options import to_dict
from pentad.contracts.batch import Tokens
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.records import Document, Record, Span
from pentad.contracts.tokenizer import TokenIds, Tokenizer, count_lost_bytes
from pentad.data.pieces import PIECE_CHARACTERS, Piece, cut
from pentad.registry.failures import wrong_return
from pentad.registry.offers import Offer
from pentad.system.errors import EngineError, one_line

Encode = Callable[[Sequence[str]], list[TokenIds]]
"""Gives the ids of texts, which come in their order but in any number at once."""

_REPORT = "Report it to the builder's author (engine plugins check shows more)."


@dataclass(frozen=True)
class Rendering:
    """How records become documents.

    Args:
        render: the builder's own, or None for plain text.
        special: names of the builder's special tokens, in the order of their ids.
        fingerprint: tells it from any other; empty for plain text without special tokens, which all builders share.
    """

    render: Callable[[Record], Iterable[Document]] | None = None
    special: tuple[str, ...] = ()
    fingerprint: str = ""

    @classmethod
    def of(cls, builder: ExampleBuilder, offer: Offer[Any] | None = None, options: Any = None) -> Rendering:
        """Return the rendering of a builder.

        Args:
            builder: made.
            offer, options: what it was made of, for the fingerprint; None where nothing is kept.
        """
        special = tuple(token.name for token in builder.special_tokens)
        render = None if type(builder).render is ExampleBuilder.render else builder.render
        if offer is None or (render is None and not special):
            return cls(render, special)
        values = json.dumps(to_dict(options), sort_keys=True)
        length = str(builder.context_length) if render is not None else ""  # a builder may cut records to what it can read
        return cls(render, special, "\n".join((offer.fingerprint, offer.name, values, length)))


PLAIN = Rendering()


@dataclass(frozen=True, eq=False)
class Encoded:
    """A part of a shard.

    Args:
        ids: (n,) of documents and of the end of text behind each that ends here.
        ends: (documents,) places in `ids` of these ends of text.
        sources: (documents,) the number of each one's source.
        learn: (n,) which ids are learned, or None for all.
        n_bytes: UTF-8 bytes of the text that is learned.
        read_bytes: UTF-8 bytes of the records.
        lost_bytes: of `n_bytes`, those that cannot be had back from the ids.
    """

    ids: TokenIds
    ends: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int64]
    learn: npt.NDArray[np.bool_] | None
    n_bytes: int
    read_bytes: int
    lost_bytes: int = 0


def utf8_size(text: str) -> int:
    """Return the number of UTF-8 bytes of a text."""
    return len(text) if text.isascii() else len(text.encode())


def whole_or_cut(pieces: Iterable[Piece], rendering: Rendering) -> Iterator[Piece]:
    """Yield pieces as the rendering reads them: whole records where a builder renders them, else none longer than a piece."""
    if rendering.render is None:
        for piece in pieces:
            if piece.record is None or len(piece.text) <= PIECE_CHARACTERS:
                yield piece
            else:
                yield from (part._replace(source=piece.source) for part in cut([piece.text]))
        return
    text: list[str] = []
    for piece in pieces:
        text.append(piece.text)
        if piece.ends_document:
            yield piece if len(text) == 1 else piece._replace(text="".join(text))
            text = []


def encoder_of(tokenizer: Tokenizer, seed: int | None) -> Encode:
    """Return what encodes the texts of a part.

    Args:
        tokenizer: trained.
        seed: of the random cuts, for training text; None for text that is judged.
    """
    if seed is None or not tokenizer.random_cuts:
        return tokenizer.encode_batch
    places = itertools.count()

    def encode_randomly(texts: Sequence[str]) -> list[TokenIds]:
        sources = (np.random.default_rng((seed, place)) for place in places)
        return [tokenizer.encode_randomly(text, source) for text, source in zip(texts, sources, strict=False)]

    return encode_randomly


def encode(pieces: Sequence[Piece], tokenizer: Tokenizer, rendering: Rendering, by: Encode | None = None) -> Encoded:
    """Encode pieces that came through `whole_or_cut`.

    Args:
        pieces, tokenizer, rendering: what is encoded, and how.
        by: what `encoder_of` returned for the part that the pieces are of; None for text that is judged.

    Raises:
        UsageError: the builder says that it cannot use a record.
        EngineError: the tokenizer gives an id that it does not have, or the builder's `render` fails.
    """
    by = by or tokenizer.encode_batch
    return _plain(pieces, tokenizer, by) if rendering.render is None else _rendered(pieces, tokenizer, rendering, by)


def encode_all(pieces: Iterable[Piece], tokenizer: Tokenizer, rendering: Rendering = PLAIN, seed: int | None = None) -> Tokens:
    """Return a text that fits into memory as a builder sees it; nothing is kept on disk.

    Args:
        pieces, tokenizer, rendering: what is encoded, and how.
        seed: as for `encoder_of`.
    """
    part = encode(list(whole_or_cut(pieces, rendering)), tokenizer, rendering, encoder_of(tokenizer, seed))
    return Tokens(
        ids=np.concatenate([_end(tokenizer), part.ids]),
        starts=np.concatenate([[0], part.ends + 1]).astype(np.int64),
        learn=None if part.learn is None else np.concatenate([[True], part.learn]),
        sources=part.sources if part.sources.any() else None,
    )


def _end(tokenizer: Tokenizer) -> TokenIds:
    return np.array([tokenizer.end_of_text], dtype=np.uint32)


def _plain(pieces: Sequence[Piece], tokenizer: Tokenizer, by: Encode) -> Encoded:
    end = _end(tokenizer)
    ids: list[TokenIds] = [end[:0]]
    ends, sources, place = [], [], 0
    encoded = _encode(tokenizer, by, [piece.text for piece in pieces])
    for piece, found in zip(pieces, encoded, strict=True):
        ids.append(found)
        place += len(found)
        if piece.ends_document:
            ids.append(end)
            ends.append(place)
            sources.append(piece.source)
            place += 1
    joined = np.concatenate(ids)
    _check(joined, tokenizer)
    n_bytes = sum(utf8_size(piece.text) for piece in pieces)
    lost = sum(count_lost_bytes(tokenizer, piece.text, found) for piece, found in zip(pieces, encoded, strict=True))
    return Encoded(joined, _integers(ends), _integers(sources), None, n_bytes, n_bytes, lost)


def _encode(tokenizer: Tokenizer, by: Encode, texts: Sequence[str]) -> list[TokenIds]:
    found = by(texts)
    for ids in found:
        if not isinstance(ids, np.ndarray) or ids.ndim != 1 or not (np.issubdtype(ids.dtype, np.integer) or not ids.size):
            raise wrong_return(tokenizer, "encode", "a numpy array (T,) of uint32: np.array(ids, dtype=np.uint32)", ids)
    return found


def _integers(values: list[int]) -> npt.NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def _check(ids: TokenIds, tokenizer: Tokenizer) -> None:
    if not ids.size:
        return
    lowest, highest = int(ids.min()), int(ids.max())
    if lowest < 0 or highest >= tokenizer.vocab_size:
        found = lowest if lowest < 0 else highest
        message = f"A tokenizer must give ids from 0 to below its vocab_size of {tokenizer.vocab_size}; found {found}."
        raise EngineError(
            message, "Report it to the tokenizer's author (engine plugins check shows more).", code="plugin-contract"
        )


def _rendered(pieces: Sequence[Piece], tokenizer: Tokenizer, rendering: Rendering, by: Encode) -> Encoded:
    documents = [(document, piece.source) for piece in pieces for document in _documents(piece, rendering)]
    texts = [part.text for document, _ in documents for span in document.spans for part in cut([span.text])]
    found = _encode(tokenizer, by, texts)
    if found:
        _check(np.concatenate(found), tokenizer)
    coming = iter(found)
    writer = _Writer(tokenizer, rendering)
    for document, source in documents:
        writer.add(document, source, coming)
    return writer.encoded(sum(utf8_size(piece.text) for piece in pieces))


def _documents(piece: Piece, rendering: Rendering) -> list[Document]:
    assert rendering.render is not None
    try:
        documents = list(rendering.render(piece.text if piece.record is None else piece.record))
        for document in documents:
            for span in document.spans:
                _check_span(span, rendering.special)
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(f"The builder cannot render a record: {one_line(error)}", _REPORT, code="plugin-contract") from error
    return [document for document in documents if any(span.text or span.special for span in document.spans)]


def _check_span(span: Span, special: tuple[str, ...]) -> None:
    if span.special is None:
        return
    if span.special not in special:
        known = ", ".join(special) or "none"
        raise EngineError(
            f"A span must name one of the builder's special tokens ({known}); found {span.special!r}.",
            _REPORT,
            code="plugin-contract",
        )
    if span.text:
        raise EngineError(
            f"A span must have a text or a special token; found both, {span.special!r}.", _REPORT, code="plugin-contract"
        )


class _Writer:
    """Puts documents together."""

    def __init__(self, tokenizer: Tokenizer, rendering: Rendering) -> None:
        self._tokenizer = tokenizer
        self._end = _end(tokenizer)
        first = tokenizer.vocab_size
        numbers = enumerate(rendering.special, first)
        self._special = {name: np.array([number], dtype=np.uint32) for number, name in numbers}
        self._ids: list[TokenIds] = [self._end[:0]]
        self._learned: list[bool] = []
        self._ends: list[int] = []
        self._sources: list[int] = []
        self._place = self._n_bytes = self._lost = 0

    def add(self, document: Document, source: int, coming: Iterator[TokenIds]) -> None:
        """Add a document; the ids of its texts come one after the other."""
        for span in document.spans:
            if span.special is not None:
                self._append(self._special[span.special], span.learn)
            elif span.text:
                for part in cut([span.text]):
                    ids = next(coming)
                    self._append(ids, span.learn)
                    self._lost += count_lost_bytes(self._tokenizer, part.text, ids) if span.learn else 0
                self._n_bytes += utf8_size(span.text) if span.learn else 0
        self._ends.append(self._place)
        self._sources.append(source)
        self._append(self._end, document.learn_end)

    def _append(self, ids: TokenIds, learn: bool) -> None:
        self._ids.append(ids)
        self._learned.append(learn)
        self._place += len(ids)

    def encoded(self, read_bytes: int) -> Encoded:
        """Return all documents that were added."""
        learn = None
        if not all(self._learned):
            learn = np.repeat(np.array(self._learned, dtype=np.bool_), [len(ids) for ids in self._ids[1:]])
        ids = np.concatenate(self._ids)
        return Encoded(ids, _integers(self._ends), _integers(self._sources), learn, self._n_bytes, read_bytes, self._lost)

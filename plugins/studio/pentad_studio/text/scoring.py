"""Bits per byte of the held-out text, document by document: which parts a model tells well, and which badly.

A document is read as the run's builder renders it, from its start, in passages of a few hundred tokens; the model sees as much
of the document before a passage as half of its context holds. The run's own score is of windows that begin with nothing before
them and of all of the text, so the figures here need not come to it.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pentad import SavedRun
from pentad.tools import Piece, Rendering, Split, bits_per_byte, encode_all
from pentad_studio.tokens.pieces import Parts, Spelling

MOST_BYTES, MOST_DOCUMENTS, DOCUMENT_BYTES = 300_000, 400, 100_000
"""Of the held-out text that are scored, spread evenly over it, and of one document at its beginning."""

PASSAGE = 400
"""Tokens of a passage."""

SHOWN_TOKENS = 160
"""Tokens of a passage that are shown."""


@dataclass(frozen=True)
class Scored:
    """A passage.

    Args:
        document: its number in the held-out text, from 1.
        passage, of: its number in the document, and how many of it were scored.
        n_bytes: UTF-8 bytes of what is learned in it.
        nats: the negative log-likelihood of these.
        lost_bytes: of `n_bytes`, those that the tokenizer lost.
        tokens: the first of it, each with its probability; None for what is not learned.
    """

    document: int
    passage: int
    of: int
    n_bytes: int
    nats: float
    lost_bytes: int
    tokens: list[tuple[Parts, float | None]]

    @property
    def bits_per_byte(self) -> float:
        """What the model needs to tell a byte of it."""
        return bits_per_byte(self.nats, self.n_bytes, self.lost_bytes)


@dataclass(frozen=True)
class Ranking:
    """Documents, or passages where there are few documents, by what they cost.

    Args:
        by_document: whether it is of documents.
        n_documents: documents that were scored.
        n_bytes: of what was scored.
        bits_per_byte: of all of it.
        ranked: how many are long enough to be ranked, `LEAST_BYTES` where any is; of equal ones the first.
        worst, best: the first of each end, the most extreme first.
        nats: the negative log-likelihood of all of it: the share of one in it is what it adds to the score.
        all: every document or passage, in the order of the text, without its tokens.
    """

    by_document: bool
    n_documents: int
    n_bytes: int
    bits_per_byte: float
    ranked: int
    worst: list[Scored]
    best: list[Scored]
    nats: float
    all: list[Scored]


FEW_DOCUMENTS, ENDS, LEAST_BYTES = 12, 8, 100
"""Documents up to which passages are ranked, how many of each end are shown, and bytes of what is ranked: of a few letters
chance decides."""


def rank(passages: Sequence[Scored]) -> Ranking:
    """Put what was scored in the order of its bits per byte."""
    documents = {number: list(group) for number, group in itertools.groupby(passages, key=lambda one: one.document)}
    by_document = len(documents) > FEW_DOCUMENTS
    units = [_whole(group) for group in documents.values()] if by_document else list(passages)
    long = [one for one in units if one.n_bytes >= LEAST_BYTES] or units
    different = {(one.bits_per_byte, one.n_bytes, tuple(parts for parts, _ in one.tokens)): one for one in reversed(long)}
    ordered = sorted(different.values(), key=lambda one: one.bits_per_byte)
    n_ends = min(ENDS, (len(ordered) + 1) // 2)  # neither end has what the other has
    total = _whole(passages) if passages else None
    return Ranking(
        by_document=by_document,
        n_documents=len(documents),
        n_bytes=total.n_bytes if total else 0,
        bits_per_byte=total.bits_per_byte if total else 0.0,
        ranked=len(ordered),
        worst=ordered[::-1][:n_ends],
        best=ordered[: min(n_ends, len(ordered) - n_ends)],
        nats=total.nats if total else 0.0,
        all=[dataclasses.replace(one, tokens=[]) for one in units],
    )


def _whole(passages: Sequence[Scored]) -> Scored:
    """Return passages as one, which is shown by the first of them."""
    n_bytes, nats, lost = (sum(getattr(one, name) for one in passages) for name in ("n_bytes", "nats", "lost_bytes"))
    return dataclasses.replace(passages[0], of=1, n_bytes=n_bytes, nats=nats, lost_bytes=lost)


def chosen(sizes: npt.NDArray[np.int64]) -> list[int]:
    """Return the numbers of the documents that are scored: all, or some spread evenly that keep to the bounds.

    Args:
        sizes: (documents,) bytes of each.
    """
    n = min(len(sizes), MOST_DOCUMENTS)
    while n:
        numbers = np.unique(np.linspace(0, len(sizes) - 1, n).round().astype(np.int64))
        if n == 1 or int(np.minimum(sizes[numbers], DOCUMENT_BYTES).sum()) <= MOST_BYTES:
            return [int(number) for number in numbers]
        n = n * 3 // 4
    return []


def documents_of(split: Split, numbers: Iterable[int]) -> Iterator[tuple[int, list[Piece]]]:
    """Yield some of the held-out documents with their numbers from 0; of each at most its beginning."""
    wanted, number, size = set(numbers), 0, 0
    pieces: list[Piece] = []
    for piece in split.held_out.pieces():
        if number in wanted and size < DOCUMENT_BYTES:
            room = DOCUMENT_BYTES - size
            data = piece.text.encode()
            cut = piece.record is None and len(data) > room
            pieces.append(piece._replace(text=data[:room].decode(errors="ignore")) if cut else piece)
            size += len(data)
        if piece.ends_document:
            if pieces:
                pieces[-1] = pieces[-1]._replace(ends_document=True)
                yield number, pieces
            number, size, pieces = number + 1, 0, []


def score(run: SavedRun, number: int, pieces: list[Piece]) -> Iterator[tuple[Scored, float]]:
    """Yield the passages of a document with what they cost, and the share of it that is done; without what is not learned.

    Args:
        run: open, with a session of its own.
        number: of the document, from 0.
        pieces: its text.

    Raises:
        UsageError: the model gives no probability of a text.
    """
    rendering = Rendering.of(run.builder)
    tokens = encode_all(pieces, run.tokenizer, rendering)
    ids = np.asarray(tokens.ids).astype(np.int64)
    learned = np.ones(len(ids), dtype=np.bool_) if tokens.learn is None else np.asarray(tokens.learn).copy()
    learned &= (ids < run.vocabulary.tokenizer_size) & (ids != run.vocabulary.end_of_text)
    sizes = np.array(
        [len(run.tokenizer.token_bytes(token)) if token < run.vocabulary.tokenizer_size else 0 for token in ids.tolist()]
    )
    sizes[~learned] = 0
    kept = int(sizes.sum())
    written = kept if rendering.render is not None else sum(len(piece.text.encode()) for piece in pieces)
    places = [place for place in _passages(run, tokens.starts) if sizes[place[0] + place[1] : place[2]].any()]
    spelling = Spelling(run.tokenizer, run.vocabulary)
    for passage, (low, first, end) in enumerate(places, 1):
        n_bytes = int(sizes[low + first : end].sum())
        lost = max(written - kept, 0) * n_bytes // kept
        nats, shown = _passage(run, ids[low:end], learned[low:end], first, spelling)
        yield Scored(number + 1, passage, len(places), n_bytes + lost, nats, lost, shown), passage / len(places)


def _passages(run: SavedRun, starts: npt.NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Yield where what is read begins, where in it the passage does, and where both end; none goes over two documents."""
    context = run.session.context_length or 2 * PASSAGE
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        for first in range(start + 1, end, PASSAGE):
            low = max(start, first - max(context // 2, 1))
            yield low, first - low, min(end, first + PASSAGE)


def _passage(
    run: SavedRun, ids: npt.NDArray[np.int64], learned: npt.NDArray[np.bool_], first: int, spelling: Spelling
) -> tuple[float, list[tuple[Parts, float | None]]]:
    """Return the nats and the tokens of the ids from a place on."""
    logprobs = run.session.score_tokens(torch.from_numpy(ids).to(run.session.device), first).double().cpu().tolist()
    own = list(zip(ids[first:].tolist(), logprobs, learned[first:].tolist(), strict=True))
    nats = -sum(logprob for _, logprob, counted in own if counted)
    shown = [(spelling.of(token), math.exp(logprob) if counted else None) for token, logprob, counted in own[:SHOWN_TOKENS]]
    return nats, shown

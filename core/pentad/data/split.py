"""The held-out split, cut from the text before anything else sees it.

With 20 different documents or more, whole documents are held out, chosen by the order of their content's hash: the choice
depends on nothing but the text, exact duplicates land on the same side, and a corpus that grows keeps most of its choice.
With fewer, or when whole documents cannot give between half and one and a half of the share, the tail of every document is
held out; for one ASCII file that is its last tenth. Where there are records with keys, whole documents are held out however
few there are. Near-duplicates are not looked for.

A first pass surveys the text (a hash and a size per document; with the choice some 60 bytes of memory each); every later
pass streams it and checks it against the survey, so text that changes during a run is noticed.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pentad.data.pieces import Piece, Pieces
from pentad.data.records import canonical
from pentad.system.errors import EngineError, UsageError

FEWEST_DOCUMENTS = 20
"""From this many different documents on, whole ones are held out."""

FARTHEST = 1.1
"""A document that would bring the held-out part beyond this multiple of its share is skipped."""

Rule = Literal["nothing", "documents", "tails", "corpus"]
Cut = tuple[int, int]
Counts: TypeAlias = npt.NDArray[np.uint64]
Marks: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Survey:
    """What one pass learns about a text.

    Args:
        digests: the first 64 bits of each document's SHA-256, the fastest hash where the processor computes it (0.8 s/GB).
        sizes: the UTF-8 bytes of each document.
        fingerprint: digest of the full hashes, in order, and of the sources where there are several.
        has_records: whether a document is a record with keys, which cannot be cut in two.
    """

    digests: Counts
    sizes: Counts
    fingerprint: str
    has_records: bool = False

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of all documents."""
        return int(self.sizes.sum())


def survey(corpus: Pieces) -> Survey:
    """Read the text once and note each document's hash and size."""
    digests, sizes = array("Q"), array("Q")
    whole = hashlib.sha256()
    document, size, has_records = hashlib.sha256(), 0, False
    for piece in corpus.pieces():
        data = piece.text.encode()
        document.update(data if piece.record is None else canonical(piece.record))
        size += len(data)
        if piece.ends_document:
            digest = document.digest()
            whole.update(digest)
            if piece.source:  # equal documents of two sources are still duplicates
                whole.update(b"source %d" % piece.source)
            has_records = has_records or piece.record is not None
            digests.append(_short(digest))
            sizes.append(size)
            document, size = hashlib.sha256(), 0
    return Survey(np.asarray(digests), np.asarray(sizes), whole.hexdigest(), has_records)


def _short(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big")


@dataclass(frozen=True, eq=False)
class Part:
    """One side of the split, or a whole corpus; reading starts over with each call of `pieces`.

    Args:
        corpus: the text that it is a part of.
        found: the survey of that text.
        ranges: for each document the bytes (from, to) that belong to this part; None takes every document whole.
        fingerprint: changes when the part's text does.
    """

    corpus: Pieces
    found: Survey
    ranges: tuple[Counts, Counts] | None
    fingerprint: str

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the part, each counted once."""
        return self.found.n_bytes if self.ranges is None else int(self.ranges[1].sum() - self.ranges[0].sum())

    @property
    def n_documents(self) -> int:
        """Documents of which the part holds a byte or more."""
        if self.ranges is None:
            return len(self.found.sizes)
        return int(np.count_nonzero(self.ranges[0] < self.ranges[1]))

    def pieces(self) -> Iterator[Piece]:
        """Stream the part's documents, piece by piece.

        Raises:
            EngineError: the text is not what the survey read.
        """
        if self.n_bytes == 0:
            return
        number, offset, digest = 0, 0, hashlib.sha256()
        for piece in self.corpus.pieces():
            if number == len(self.found.sizes):
                raise _changed(number)
            start, end = self._range(number)
            if start < end:
                data = piece.text.encode()
                digest.update(data if piece.record is None else canonical(piece.record))
                yield from _within(piece, data, offset, start, end)
                offset += len(data)
            if piece.ends_document:
                if start < end and (offset, _short(digest.digest())) != self._noted(number):
                    raise _changed(number)
                number, offset, digest = number + 1, 0, hashlib.sha256()
        if number != len(self.found.sizes):
            raise _changed(number)

    def _range(self, number: int) -> Cut:
        if self.ranges is None:
            return 0, self.found.sizes.item(number)
        return self.ranges[0].item(number), self.ranges[1].item(number)

    def _noted(self, number: int) -> tuple[int, int]:
        return self.found.sizes.item(number), self.found.digests.item(number)


def _within(piece: Piece, data: bytes, offset: int, start: int, end: int) -> Iterator[Piece]:
    """Yield what of a piece, whose UTF-8 is `data` and stands at `offset` of its document, lies from `start` to `end`."""
    first, last = max(start - offset, 0), min(end - offset, len(data))
    if first >= last:
        return
    whole = last - first == len(data)
    # A document that was shortened since the survey can split a character; the digest at its end tells.
    text = piece.text if whole else data[first:last].decode(errors="replace")
    yield Piece(text, offset + last == end, piece.record, piece.source)


def _changed(number: int) -> EngineError:
    message = f"The text must stay the same during a run; document {number + 1} changed after it was first read."
    return EngineError(message, "Wait until nothing writes to the files of --data, then start again.", code="text-changed")


@dataclass(frozen=True, eq=False)
class Split:
    """A text in two parts that share no document.

    Args:
        train: what tokenizers and models learn from.
        held_out: what they are judged on.
        rule: how it was cut: `documents`, `tails`, `corpus` (the held-out text is a corpus of its own) or `nothing`.
        n_duplicates: documents that repeat an earlier one to the letter.
        duplicate_bytes: their UTF-8 bytes.
        dropped: whether they were left out.
        n_withheld: documents left out of training because they stand in the held-out corpus.
        notes: what the user should know of files that were not read.
    """

    train: Part
    held_out: Part
    rule: Rule
    n_duplicates: int = 0
    duplicate_bytes: int = 0
    dropped: bool = False
    n_withheld: int = 0
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Changes when either part does."""
        return _fingerprint("split", self.train.fingerprint, self.held_out.fingerprint)


def split_corpus(
    corpus: Pieces,
    held_out: float,
    held_out_corpus: Pieces | None = None,
    *,
    drop_duplicates: bool = False,
) -> Split:
    """Cut the held-out text off.

    Args:
        corpus: the text.
        held_out: share of its bytes to hold out, from 0 to below 1; unused when there is a held-out corpus.
        held_out_corpus: text to judge on instead; its documents are left out of training where they stand there too.
        drop_duplicates: leave out documents that repeat an earlier one to the letter.

    Raises:
        UsageError: the share is out of bounds, there is no text, or no text is left to train on or to judge on.
        EngineError: the text changes while it is read.
    """
    if not 0 <= held_out < 1:
        raise UsageError(
            f"--held-out expects a share >= 0 and < 1, found {held_out}.",
            "0.1 holds out a tenth of the text.",
            code="option-bounds",
        )
    found = survey(corpus)
    if not len(found.sizes):
        raise UsageError(
            "The corpus must hold text; found none.",
            "Give --data a file with text in it.",
            code="text-empty",
        )
    kept, n_duplicates, duplicate_bytes = _kept(found, drop_duplicates)
    if held_out_corpus is not None:
        split = _by_corpus(corpus, found, kept, held_out_corpus)
    elif held_out == 0:
        split = Split(_part(corpus, found, kept, "train"), _nothing(corpus, found), "nothing")
    else:
        split = _by_share(corpus, found, kept, held_out)
    if split.train.n_bytes == 0:
        raise UsageError(
            "The text must leave something to train on; found none.",
            "Give --data more text.",
            code="training-text-empty",
        )
    return Split(
        split.train,
        split.held_out,
        split.rule,
        n_duplicates,
        duplicate_bytes,
        drop_duplicates,
        split.n_withheld,
    )


def _kept(found: Survey, drop_duplicates: bool) -> tuple[Marks, int, int]:
    """Return for each document whether it takes part, and how many documents and bytes are repetitions."""
    order = np.argsort(found.digests, kind="stable")  # of equal ones the first stays
    repeated = order[1:][_repeats(found.digests[order])]
    kept = np.ones(len(order), dtype=np.bool_)
    if drop_duplicates:
        kept[repeated] = False
    return kept, len(repeated), int(found.sizes[repeated].sum())


def _repeats(ordered: Counts) -> Marks:
    """Say of each number but the first whether it is the one before."""
    repeats: Marks = ordered[1:] == ordered[:-1]
    return repeats


def _by_share(corpus: Pieces, found: Survey, kept: Marks, held_out: float) -> Split:
    chosen = _choose(found, kept, held_out)
    if chosen is None and found.has_records:
        raise UsageError(
            f"The records must be many enough that about {held_out:.0%} of the text can be held out; found {int(kept.sum())}.",
            "Give --data more records, judge on others with --held-out-data, or use --held-out 0.",
            code="text-too-short",
        )
    if chosen is None:
        return _by_tails(corpus, found, kept, held_out)
    train = kept & ~chosen
    _check(found.digests[train], found.digests[chosen])
    return Split(
        _part(corpus, found, train, "train"),
        _part(corpus, found, chosen, "held-out"),
        "documents",
    )


def _choose(found: Survey, kept: Marks, held_out: float) -> Marks | None:
    """Mark the documents to hold out, in the order of their hash, or return None where whole ones cannot give the share."""
    order = np.argsort(found.digests)
    order = order[kept[order]]
    # Equal documents are one group, held out together: `first` is where each group begins.
    first = np.flatnonzero(np.concatenate([[True], ~_repeats(found.digests[order])]))
    sizes = np.add.reduceat(found.sizes[order], first)
    total = int(sizes.sum())
    target = held_out * total
    taken, got = _fill(sizes, target, min(FARTHEST * target, (target + total) / 2))
    if found.has_records and not got:  # they cannot be cut, so the share is kept less exactly
        taken, got = _fill(sizes, target, (target + total) / 2)
    enough = got > 0 if found.has_records else len(first) >= FEWEST_DOCUMENTS and got >= target / 2
    if not enough:
        return None
    chosen = np.zeros(len(kept), dtype=np.bool_)
    chosen[order] = np.repeat(taken, np.diff(first, append=len(order)))
    return chosen


def _fill(sizes: Counts, target: float, most: float) -> tuple[Marks, int]:
    """Take groups in their order until they reach the target, passing over those that would lead beyond the most."""
    taken = np.zeros(len(sizes), dtype=np.bool_)
    got = 0
    for group in range(len(sizes)):
        size = sizes.item(group)
        if got >= target:
            break
        if got + size <= most:
            got += size
            taken[group] = True
    return taken, got


def _by_tails(corpus: Pieces, found: Survey, kept: Marks, held_out: float) -> Split:
    """Hold out the tail of every document, from the character boundary at or before (1 - held_out) of its bytes."""
    wanted = ((1 - held_out) * found.sizes).astype(np.uint64)
    cuts, heads, tails = _cut_documents(corpus, array("Q", wanted.tobytes()))
    cuts[~kept] = 0
    none, ends = (
        np.zeros(len(cuts), dtype=np.uint64),
        np.where(kept, found.sizes, np.uint64(0)),
    )
    _check(heads[cuts > 0], tails[cuts < ends])
    parts = []
    for name, ranges in (("train", (none, cuts)), ("held-out", (cuts, ends))):
        where = hashlib.sha256(ranges[0].data)
        where.update(ranges[1].data)
        parts.append(
            Part(
                corpus,
                found,
                ranges,
                _fingerprint(name, found.fingerprint, where.hexdigest()),
            )
        )
    return Split(parts[0], parts[1], "tails")


def _cut_documents(corpus: Pieces, cuts: array[int]) -> tuple[Counts, Counts, Counts]:
    """Move each cut, an offset in its document's bytes, back to the start of a character, and hash both sides of it."""
    heads, tails = array("Q"), array("Q")
    head, tail, offset = hashlib.sha256(), hashlib.sha256(), 0
    for piece in corpus.pieces():
        if len(heads) == len(cuts):
            raise _changed(len(heads))
        data = memoryview(piece.text.encode())
        at = min(max(cuts[len(heads)] - offset, 0), len(data))
        while 0 < at < len(data) and data[at] & 0xC0 == 0x80:
            at, cuts[len(heads)] = at - 1, cuts[len(heads)] - 1
        head.update(data[:at])
        tail.update(data[at:])
        offset += len(data)
        if piece.ends_document:
            heads.append(_short(head.digest()))
            tails.append(_short(tail.digest()))
            head, tail, offset = hashlib.sha256(), hashlib.sha256(), 0
    if len(heads) != len(cuts):
        raise _changed(len(heads))
    return np.asarray(cuts), np.asarray(heads), np.asarray(tails)


def _by_corpus(corpus: Pieces, found: Survey, kept: Marks, held_out_corpus: Pieces) -> Split:
    judged = survey(held_out_corpus)
    if not len(judged.sizes):
        raise UsageError(
            "The held-out corpus must hold text; found none.",
            "Give --held-out-data a file with text in it.",
            code="held-out-empty",
        )
    train = kept & ~_standing_in(judged.digests, found.digests)
    if not train.any():
        message = "The held-out text must differ from the training text; found every training document in it."
        raise UsageError(
            message,
            "Give --held-out-data another text, or leave it out to hold out a share of --data.",
            code="held-out-seen",
        )
    held_out = Part(held_out_corpus, judged, None, _fingerprint("held-out", judged.fingerprint))
    withheld = int(kept.sum() - train.sum())
    return Split(_part(corpus, found, train, "train"), held_out, "corpus", n_withheld=withheld)


def _check(train: Counts, held_out: Counts) -> None:
    """Refuse a split whose two sides share a document's hash; can only come about where documents are a few letters long."""
    if _standing_in(train, held_out).any():
        message = "Held-out text must not stand in the training text; found documents so short that their parts repeat."
        raise UsageError(
            message,
            "Give --data more text, or judge on other text with --held-out-data.",
            code="held-out-takes-all",
        )


def _standing_in(known: Counts, digests: Counts) -> Marks:
    """Say of each digest whether it is known. numpy's isin takes three times the memory."""
    if not len(known):
        return np.zeros(len(digests), dtype=np.bool_)
    ordered = np.sort(known)
    found: Marks = ordered[np.searchsorted(ordered, digests).clip(max=len(ordered) - 1)] == digests
    return found


def _part(corpus: Pieces, found: Survey, chosen: Marks, name: str) -> Part:
    starts, ends = (
        np.zeros(len(chosen), dtype=np.uint64),
        np.where(chosen, found.sizes, np.uint64(0)),
    )
    return Part(
        corpus,
        found,
        (starts, ends),
        _fingerprint(name, found.fingerprint, hashlib.sha256(chosen.data).hexdigest()),
    )


def _nothing(corpus: Pieces, found: Survey) -> Part:
    return _part(corpus, found, np.zeros(len(found.sizes), dtype=np.bool_), "held-out")


def _fingerprint(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]

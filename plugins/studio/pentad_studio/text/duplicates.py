"""Documents that stand in a run's text more than once, to the letter or nearly: those of what was held out too.

Nearly alike are two whose sets of shingles, all their passages of 24 bytes, have a Jaccard similarity of 0.8 or more.
Candidates are found by MinHash (Broder, 1997) in bands (Indyk and Motwani, 1998), and counted out before they are shown. Upper
and lower case of ASCII and runs of white space make no difference. In numpy: a library for it would bring scipy along.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pentad_studio.trace.index import Documents

SHINGLE, ALIKE = 24, 0.8
"""Bytes of a shingle, and the similarity from which on two texts are nearly alike."""

BANDS, ROWS = 16, 4
"""Two texts of similarity s are compared with probability 1 - (1 - s^4)^16: 0.9998 at 0.8, 0.64 at 0.5."""

FEW_DOCUMENTS, LEAST_BYTES = 12, 100
"""Documents up to which their paragraphs are compared in their place, and bytes of a paragraph that is."""

MOST_UNITS = 300_000
"""Texts that are compared; of a longer list the first."""

GROUPS, MEMBERS, BEGINNING = 40, 6, 240
"""Groups that are shown, members of each, and bytes of a text."""

_WINDOW = 4096
"""Shingles that are hashed at once."""

Words = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Member:
    """A text of a group.

    Args:
        held_out: whether it was held out.
        document: its number, from 1.
        offset, n_bytes: where in the document it begins, and its size.
        similarity: to the first of the group.
        beginning: how it begins.
    """

    held_out: bool
    document: int
    offset: int
    n_bytes: int
    similarity: float
    beginning: str


@dataclass(frozen=True)
class Group:
    """Texts that are alike: how many, whether to the letter, whether on both sides of the split, and the first of them."""

    count: int
    exact: bool
    across: bool
    members: list[Member]


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Args:
        by_document: whether documents were compared, or else paragraphs.
        compared, total: texts that were, and that there are.
        n_bytes: of those that were.
        exact, exact_bytes: that repeat an earlier one to the letter.
        near, near_bytes: further ones that nearly do.
        held_out, leaked: texts that were held out, and those of them that stand in the training text, to the letter or nearly.
        n_groups: of texts that are alike.
        groups: the first of them: those on both sides of the split, then those with the most bytes.
    """

    by_document: bool
    compared: int
    total: int
    n_bytes: int
    exact: int
    exact_bytes: int
    near: int
    near_bytes: int
    held_out: int
    leaked: int
    n_groups: int
    groups: list[Group]


@dataclass(frozen=True)
class _Unit:
    """A text that is compared."""

    held_out: bool
    document: int
    offset: int
    data: bytes


def find_duplicates(train: Documents, held_out: Documents) -> Duplicates:
    """Compare the documents of two texts with one another, or their paragraphs where there are few documents.

    Args:
        train: what was learned from.
        held_out: what was held out.
    """
    by_document = len(train.documents) + len(held_out.documents) > FEW_DOCUMENTS
    both = itertools.chain(_units(train, False, by_document), _units(held_out, True, by_document))
    units: list[_Unit] = []
    total = 0
    for unit in both:
        total += 1
        if len(units) < MOST_UNITS:
            units.append(unit)
    copies: dict[bytes, list[int]] = {}
    for number, unit in enumerate(units):
        copies.setdefault(hashlib.blake2b(unit.data, digest_size=16).digest(), []).append(number)
    firsts = [numbers[0] for numbers in copies.values()]
    joined = _joined(len(firsts), _alike([units[first].data for first in firsts]))
    exact = [number for numbers in copies.values() for number in numbers[1:]]
    near = [firsts[place] for places in joined for place in places[1:]]
    same = list(copies.values())
    groups = [sorted(itertools.chain.from_iterable(same[place] for place in places)) for places in joined]
    groups = [group for group in groups if len(group) > 1]
    leaked = [_leaked(units, group) for group in groups]
    order = sorted(range(len(groups)), key=lambda at: (not leaked[at], -sum(len(units[n].data) for n in groups[at][1:])))
    return Duplicates(
        by_document=by_document,
        compared=len(units),
        total=total,
        n_bytes=sum(len(unit.data) for unit in units),
        exact=len(exact),
        exact_bytes=sum(len(units[number].data) for number in exact),
        near=len(near),
        near_bytes=sum(len(units[number].data) for number in near),
        held_out=sum(unit.held_out for unit in units),
        leaked=sum(leaked),
        n_groups=len(groups),
        groups=[_shown(units, groups[at]) for at in order[:GROUPS]],
    )


def _units(text: Documents, held_out: bool, by_document: bool) -> Iterator[_Unit]:
    for number in range(len(text.documents)):
        data = text.slice(*text.span(number))
        if by_document:
            yield _Unit(held_out, number + 1, 0, data)
            continue
        at = 0
        for part in data.split(b"\n\n"):
            if len(part.strip()) >= LEAST_BYTES:
                yield _Unit(held_out, number + 1, at, part)
            at += len(part) + 2


def _leaked(units: Sequence[_Unit], group: Sequence[int]) -> int:
    """Return how many of a group were held out, where one was learned from."""
    n_held_out = sum(units[number].held_out for number in group)
    return n_held_out if n_held_out < len(group) else 0


def _shown(units: Sequence[_Unit], group: Sequence[int]) -> Group:
    # Of both sides of the split some are shown.
    ends = [[number for number in group if units[number].held_out is side] for side in (False, True)]
    numbers = sorted([*ends[0][: MEMBERS - min(len(ends[1]), MEMBERS // 2)], *ends[1][: MEMBERS // 2]])
    first = units[numbers[0]]
    own = shingles(first.data)
    members = [
        Member(
            one.held_out,
            one.document,
            one.offset,
            len(one.data),
            1.0 if one.data == first.data else similarity(own, shingles(one.data)),
            one.data[:BEGINNING].decode("utf-8", errors="ignore"),
        )
        for one in (units[number] for number in numbers)
    ]
    exact = all(units[number].data == first.data for number in group)
    return Group(len(group), exact, bool(ends[0] and ends[1]), members)


def shingles(data: bytes) -> Words:
    """Return the hashes of a text's shingles, each once and in order; none of a text that is shorter than one."""
    letters = _FOLDED[np.frombuffer(data, dtype=np.uint8)]
    spaces = letters == ord(" ")
    letters = letters[~(spaces & np.roll(spaces, 1))] if len(letters) else letters
    n = len(letters) - SHINGLE + 1
    if n < 1:
        return np.empty(0, dtype=np.uint32)
    # A polynomial of the bytes, of twice as many at each step: 2, 4, 8, 16, and these with the 8 behind them.
    hashes = eight = letters.astype(np.uint64)
    for length in (1, 2, 4, 8):
        eight, hashes = hashes, hashes[:-length] * _POWERS[length] + hashes[length:]
    hashes = hashes[:n] * _POWERS[8] + eight[16 : 16 + n]
    hashes = (hashes ^ (hashes >> np.uint64(31))) * _MIX
    return np.unique((hashes >> np.uint64(32)).astype(np.uint32))


def similarity(one: Words, other: Words) -> float:
    """Return the Jaccard similarity of two sets: the share of what either has that both have."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / max(len(one) + len(other) - both, 1)


def _alike(texts: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the numbers of texts that are nearly alike."""
    signatures = np.zeros((len(texts), BANDS * ROWS), dtype=np.uint32)
    hashed = np.zeros(len(texts), dtype=np.bool_)
    for number, data in enumerate(texts):
        own = shingles(data)
        hashed[number] = len(own) > 0
        parts = [_least(own[at : at + _WINDOW]) for at in range(0, len(own), _WINDOW)]
        if parts:
            signatures[number] = np.minimum.reduce(parts)
    numbers = np.flatnonzero(hashed)
    seen: set[tuple[int, int]] = set()
    for band in np.split(signatures[numbers], BANDS, axis=1):
        for one, other in _candidates(np.ascontiguousarray(band)):
            pair = int(numbers[one]), int(numbers[other])
            if pair not in seen:
                seen.add(pair)
                if similarity(shingles(texts[pair[0]]), shingles(texts[pair[1]])) >= ALIKE:
                    yield pair


def _least(hashes: Words) -> Words:
    """Return the least hash (BANDS * ROWS,) under each of as many orders of all hashes."""
    ordered = hashes ^ _FLIPS  # (BANDS * ROWS, N)
    ordered *= _FACTORS
    least: Words = ordered.min(axis=1)
    return least


def _candidates(band: Words) -> Iterator[tuple[int, int]]:
    """Yield pairs of rows (N, ROWS) that are equal: each with the first of its like, and with the one before it."""
    keys = band.view(np.dtype((np.void, band.itemsize * ROWS))).ravel()
    order = np.argsort(keys, kind="stable")
    ordered = band[order]
    goes_on = (ordered[1:] == ordered[:-1]).all(axis=1)
    first = 0
    for at, same in enumerate(goes_on.tolist(), 1):
        first = first if same else at
        if same:
            yield int(order[first]), int(order[at])
            if at - 1 > first:
                yield int(order[at - 1]), int(order[at])


def _joined(n: int, pairs: Iterator[tuple[int, int]]) -> list[list[int]]:
    """Return numbers below n in groups: together are those that pairs connect."""
    parents = list(range(n))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    found: dict[int, list[int]] = {}
    for number in range(n):
        found.setdefault(root(number), []).append(number)
    return list(found.values())


def _folded() -> npt.NDArray[np.uint8]:
    table = np.frombuffer(bytes(range(256)).lower(), dtype=np.uint8).copy()
    table[list(b"\t\n\r\v\f")] = ord(" ")
    return table


_FOLDED = _folded()
_POWERS = {length: np.uint64(pow(0x100000001B3, length, 2**64)) for length in (1, 2, 4, 8)}
_MIX = np.uint64(0x9E3779B97F4A7C15)
_FLIPS, _FACTORS = np.random.default_rng(0).integers(0, 2**32, (2, BANDS * ROWS, 1), dtype=np.uint32) | np.array(
    [[[0]], [[1]]], dtype=np.uint32
)

"""Randomness without a memory: what is drawn depends on the seed and on where it is drawn, never on what was drawn before.

Example builders need it to be stateless: example `i` of a seed is the same in a resumed run and in every process. A
permutation of a billion examples costs nothing to set up and a few array operations a batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pentad.system.errors import UsageError

_Words = npt.NDArray[np.uint64]
_Integers = npt.NDArray[np.int64]

_ROUNDS = 6

# SplitMix64's constants. Making a scalar takes longer than an operation on a few words.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def shuffled(indices: _Integers, count: int, seed: int | None) -> tuple[_Integers, _Integers]:
    """Return the pass over the text (B,) and the example within it (B,) that each global index means.

    Every pass is a permutation of `range(count)` of its own. It is made of rounds of invertible steps on just enough bits
    (multiply by an odd number, add, fold the high half into the low one), and what falls outside of the range goes through
    them again: Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002.

    Args:
        indices: (B,) from 0 without end.
        count: examples in one pass.
        seed: decides the permutations; None keeps the order of the text.

    Raises:
        UsageError: there is no example to choose from.
    """
    if count < 1:
        raise UsageError(
            "The text must be long enough for one example; found none.",
            "Give more text or a shorter context.",
            code="text-too-short",
        )
    passes, places = np.divmod(np.asarray(indices, dtype=np.int64), count)
    if seed is None or count == 1:
        return passes, places
    bits = (count - 1).bit_length()
    keys = random_words(seed, passes, np.arange(_ROUNDS)[:, None])  # (rounds, B)
    words = places.astype(np.uint64)
    todo = np.arange(len(words))
    while len(todo):
        words[todo] = _permute(words[todo], bits, keys[:, todo])
        todo = todo[words[todo] >= count]
    return passes, words.astype(np.int64)


def draw_below(bound: int, seed: int, *where: Any) -> _Integers:
    """Draw integers in [0, bound), each decided by the seed and by the place where it is drawn and by nothing else.

    Args:
        bound: below 2**32, say, for an even distribution.
        seed: of the run.
        where: integers or arrays of integers that broadcast together: the pass, the example, the position…
    """
    return (random_words(seed, *where) % np.uint64(bound)).astype(np.int64)


def random_words(seed: int, *where: Any) -> _Words:
    """Return 64 random bits for each place: SplitMix64's finaliser (Steele, Lea and Flood, 2014), chained over the words."""
    words = _mix(np.array([seed & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64))
    for part in where:
        words = _mix(words + np.asarray(part).astype(np.uint64))
    return words


def _mix(words: _Words) -> _Words:
    words = words + _STEP
    words = (words ^ (words >> _SHIFTS[0])) * _FACTORS[0]
    words = (words ^ (words >> _SHIFTS[1])) * _FACTORS[1]
    mixed: _Words = words ^ (words >> _SHIFTS[2])
    return mixed


def _permute(words: _Words, bits: int, keys: _Words) -> _Words:
    """Send each word (B,) below 2**bits to another one, invertibly, by its keys (rounds, B)."""
    mask, half = np.uint64((1 << bits) - 1), np.uint64((bits + 1) // 2)
    for key in keys:
        words = (words * (key | np.uint64(1)) + (key >> np.uint64(32))) & mask
        words ^= words >> half
    return words

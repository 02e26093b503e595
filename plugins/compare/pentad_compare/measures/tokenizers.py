"""Tokenizers measured alone, on held-out text, without any training of a model."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pentad import Tokenizer
from pentad.tools import Piece
from pentad_compare.measures.figures import TokenizerFigures

ORDER = 2.5
"""Of the Renyi entropy: the one that went best with a translation's quality (Zouhar et al. 2023)."""

N_LONGEST = 10
TIMED_CHARACTERS = 256 * 1024
TIMED_REPEATS = 3

Counts = npt.NDArray[np.int64]


def measure(
    label: str, recipe: Mapping[str, Any], tokenizer: Tokenizer, held_out: Iterable[Piece], *, seconds: float = 0.2
) -> TokenizerFigures:
    """Encode a text and count; memory does not grow with the text.

    Words are what white space separates, so that `tokens_per_word` is the fertility of Rust et al. (2021) where a language
    puts spaces between words. White space is a part of the text, and its tokens count.

    Args:
        label, recipe: go into the record.
        tokenizer: trained.
        held_out: the text, read once.
        seconds: CPU time to measure the speed for, at the least; about its first 256 KB are encoded again and again.
    """
    counted = _Counted(np.zeros(tokenizer.vocab_size, dtype=np.int64))
    for piece in held_out:
        counted.add(tokenizer, piece)
    used = np.flatnonzero(counted.counts)
    sizes = {int(token): len(tokenizer.token_bytes(int(token))) for token in used}
    n_tokens = int(counted.counts.sum())
    return TokenizerFigures(
        label=label,
        recipe=recipe,
        vocab_size=tokenizer.vocab_size,
        n_bytes=counted.n_bytes,
        n_tokens=n_tokens,
        bytes_per_token=counted.n_bytes / max(n_tokens, 1),
        tokens_per_word=n_tokens / max(counted.n_words, 1),
        used=len(used) / max(tokenizer.vocab_size, 1),
        renyi_efficiency=renyi_efficiency(counted.counts),
        encode_bytes_per_second=encode_speed(tokenizer, counted.first, seconds),
        round_trip_failures=counted.failures,
        lengths=_lengths(counted.counts, sizes),
        longest=[readable(tokenizer.token_bytes(token)) for token in _longest(counted.counts, sizes)],
    )


@dataclass
class _Counted:
    """What is counted of a text, piece by piece.

    Args:
        counts: (V,) how often each id occurs.
        n_bytes, n_words, failures: bytes, words, and documents that did not come back as they were.
        first: its first pieces, for measuring the speed.
        intact: whether the current document has come back unchanged so far.
    """

    counts: Counts
    n_bytes: int = 0
    n_words: int = 0
    failures: int = 0
    first: list[str] = field(default_factory=list)
    intact: bool = True

    def add(self, tokenizer: Tokenizer, piece: Piece) -> None:
        """Count a piece."""
        ids = tokenizer.encode(piece.text)
        self.counts += np.bincount(ids, minlength=len(self.counts))
        self.n_bytes += len(piece.text.encode())
        self.n_words += len(piece.text.split())
        self.intact = self.intact and tokenizer.decode(ids.tolist()) == piece.text
        if piece.ends_document:
            self.failures += not self.intact
            self.intact = True
        room = TIMED_CHARACTERS - sum(map(len, self.first))
        if room > 0:
            self.first.append(piece.text[:room])


def renyi_efficiency(counts: Counts, order: float = ORDER) -> float:
    """Return how evenly ids are used: the Renyi entropy of their shares, over its largest value, log V (Zouhar et al. 2023).

    Args:
        counts: (V,) how often each id occurs in a text.
        order: of the entropy, other than 1; a higher one looks more at the frequent ids.

    Returns:
        From 0 (one id only, or none) to 1 (all alike).
    """
    total = counts.sum()
    if not total or len(counts) < 2:
        return 0.0
    shares = counts[counts > 0] / total
    entropy = math.log(float((shares**order).sum())) / (1 - order)
    return max(0.0, entropy / math.log(len(counts)))


def encode_speed(tokenizer: Tokenizer, texts: Sequence[str], seconds: float = 0.2) -> float:
    """Return the bytes encoded in a second of CPU time: the median of three passes over the texts, or as many as fill the time.

    The texts are encoded one after the other, so one thread works; CPU time, because other work on the machine would show in
    the wall time. The first pass, which fills caches, is not counted.
    """
    n_bytes = sum(len(text.encode()) for text in texts)
    if not n_bytes:
        return 0.0
    _pass_seconds(tokenizer, texts, 1)
    # Clocks tick coarsely on some systems: a short text is read many times in one pass.
    repeats = 1
    while (took := _pass_seconds(tokenizer, texts, repeats)) < seconds / 10:
        repeats *= 2
    passes = [took]
    while len(passes) < TIMED_REPEATS or sum(passes) < seconds:
        passes.append(_pass_seconds(tokenizer, texts, repeats))
    return n_bytes * repeats / statistics.median(passes)


def _pass_seconds(tokenizer: Tokenizer, texts: Sequence[str], repeats: int) -> float:
    began = time.process_time()
    for _ in range(repeats):
        for text in texts:
            tokenizer.encode(text)
    return time.process_time() - began


def _lengths(counts: Counts, sizes: Mapping[int, int]) -> dict[str, int]:
    """Return bytes of a token to how many tokens of the text have them, shortest first."""
    lengths: Counter[int] = Counter()
    for token, size in sizes.items():
        lengths[size] += int(counts[token])
    return {str(size): lengths[size] for size in sorted(lengths)}


def _longest(counts: Counts, sizes: Mapping[int, int]) -> list[int]:
    """Return the longest ids of the text; of equally long ones the more frequent first."""
    return sorted(sizes, key=lambda token: (-sizes[token], -int(counts[token]), token))[:N_LONGEST]


def readable(token: bytes) -> str:
    r"""Return a token's bytes as text that shows everything: `␣` for a space, escapes for what has no shape of its own.

    >>> readable(b" caf\xc3\xa9\n\xff")
    '␣café\\n\\xff'
    """
    text = token.decode("utf-8", errors="surrogateescape")
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character == " ":
        return "␣"
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"  # a byte that is no valid UTF-8
    if character.isprintable() and character != "\\":
        return character
    return character.encode("unicode_escape").decode("ascii")

"""Cut words at random: byte pairs of which some are left out (BPE dropout: Provilkov, Emelianenko and Voita, 2020).

A word starts as its bytes. At each step every merge that is possible is left out with some probability, and of the others the
one that was learned first is made; the word is done when none is left. So the number of merges that are left out in front of
the one that is made has a geometric distribution: one number is drawn for each step, and which merges a cut allows is noted,
as the same words come again and again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import regex

from pentad import TokenIds, utf8
from pentad_bpe.encoder import Encoder
from pentad_bpe.splitting import SplitPattern

MOST_BYTES = 16
"""Longer words are cut between tokens first: time is quadratic in the length, and in a long one a merge that is left out comes
up again before any neighbour could take its place, so that hardly a cut would differ."""

MOST_CUTS = 100_000
"""Cuts of which the next steps are noted: about 40 MB."""

Cut = tuple[int, ...]


class Dropout:
    """Byte pairs, each left out now and then.

    Args:
        probability: that a merge is left out, from 0 to 1.
        tokens: the bytes of each id; the first 256 are the bytes.
        merges: the id of each pair of ids that was learned; a lower one was learned earlier.
        pattern: cuts text into words.
        encoder: cuts text without dropout.
    """

    def __init__(
        self,
        probability: float,
        tokens: Sequence[bytes],
        merges: Mapping[tuple[int, int], int],
        pattern: SplitPattern,
        encoder: Encoder,
    ) -> None:
        self._probability, self._tokens, self._encoder = probability, tokens, encoder
        self._words = regex.compile(pattern.tiktoken)
        ids = {token[0]: number for number, token in enumerate(tokens[:256])}
        self._byte_ids = bytes(ids[byte] for byte in range(256))
        self._steps = _Steps(merges)

    def encode(self, text: str, source: np.random.Generator) -> TokenIds:
        """Return the ids (T,) of a text.

        Raises:
            UsageError: the text holds a lone surrogate.
        """
        # A word of n bytes takes n steps at most, the one that makes nothing included.
        left_out = iter(self._draw(source, len(utf8(text))))
        steps, ids = self._steps, list[int]()
        for word in self._short(self._words.findall(text)):
            cut = tuple(word.translate(self._byte_ids))
            while (number := next(left_out)) < len(possible := steps[cut]):
                token, place = possible[number]
                cut = (*cut[:place], token, *cut[place + 2 :])
            ids += cut
        return np.array(ids, dtype=np.uint32)

    def _draw(self, source: np.random.Generator, count: int) -> list[int]:
        """Return so many numbers of merges that are left out in a row."""
        if self._probability == 1:
            return [sys.maxsize] * count
        numbers: list[int] = (source.geometric(1 - self._probability, count) - 1).tolist()
        return numbers

    def _short(self, words: Iterable[str]) -> Iterator[bytes]:
        """Yield the bytes of words, long ones in parts.

        No merge goes over a border between two tokens of the whole word, so that without dropout the parts have its tokens.
        """
        for word in words:
            data = word.encode()
            if len(data) <= MOST_BYTES:
                yield data
                continue
            part = b""
            for token in self._encoder.encode(word):
                piece = self._tokens[token]
                if part and len(part) + len(piece) > MOST_BYTES:
                    yield part
                    part = b""
                part += piece
            yield part


class _Steps(dict[Cut, list[tuple[int, int]]]):
    """The merges that a cut allows, each as the id that it makes and its place: the one to be made first in front."""

    def __init__(self, merges: Mapping[tuple[int, int], int]) -> None:
        self._merges = merges

    def __missing__(self, cut: Cut) -> list[tuple[int, int]]:
        merges = self._merges
        possible = sorted((merges[pair], place) for place, pair in enumerate(pairwise(cut)) if pair in merges)
        if len(self) >= MOST_CUTS:
            self.clear()
        self[cut] = possible
        return possible

"""Filling gaps: a document is cut in three, and its middle learned behind what stands before and after it.

Bavarian et al., Efficient Training of Language Models to Fill in the Middle, 2022. A left-to-right model learns to fill gaps at
next to no cost for what it writes otherwise.

    PSM   <|prefix|> To be <|suffix|> to be <|middle|> or not<|endoftext|>
    SPM   <|prefix|><|suffix|> to be <|middle|>To be  or not<|endoftext|>

- The two cuts are drawn evenly among the borders of tokens, or with `cut="character"` among those of characters, as the authors
  do, which also teaches to go on from within a word. A token that is cut is encoded anew, part by part; the others stay.
- SPM is the variant with which the authors train both at once: what stands before the gap comes right before its text.
- The three tokens are read and never learned: whoever asks for a gap gives them. So none of the model's probability is spent on
  them where it reads plain text, and its score there stays comparable. It is the score of plain text.
- A piece of a longer document is rewritten by itself, and ends where its gap is filled.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from pentad import SpecialToken, Tokenizer, Tokens, random_words
from pentad_masking.options import GapOptions
from pentad_masking.rewriting import Integers, Piece, RewritingBuilder, Sequence, around_gap, join

SPARE = 12
"""Positions that a piece may take beyond its ids where tokens are cut; one that would take more is cut between tokens."""


class FillInMiddle(RewritingBuilder):
    """Documents, some of them with a gap."""

    special_tokens = tuple(SpecialToken(name=name) for name in ("prefix", "suffix", "middle"))

    def __init__(
        self,
        options: GapOptions,
        *,
        context_length: int,
        vocab_size: int,
        end_of_text: int,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        super().__init__(context_length, end_of_text)
        self.options = options
        self._tokenizer = tokenizer if options.cut == "character" else None
        self._extra = SPARE if options.cut == "character" else 4
        self.prefix, self.suffix, self.middle = range(vocab_size, vocab_size + 3)
        self.longest = context_length - self._extra

    def cost(self, lengths: Integers) -> Integers:
        """Return the positions that pieces take: three tokens more, an end of text, and what cut tokens take."""
        return lengths + self._extra

    def describe(self, tokens: Tokens) -> str:
        """Say how many have a gap, and how much is padding on average: what stays plain does not need all of its room."""
        packed = self.packed(tokens)
        unused = (self._extra - 4 * self.options.rate) * len(packed.first) / max(len(packed) * packed.room, 1)
        return f"{self.options.rate:.0%} of the documents with a gap, about {packed.padding + unused:.1%} padding"

    def words(self, seed: int, *where: Integers) -> npt.NDArray[np.uint64]:
        """Draw four for each piece: whether there is a gap, the order of the parts, and the two cuts."""
        return random_words(seed, *where, np.arange(4))

    def rewrite(self, piece: Piece) -> Sequence:
        """Return the piece as it is, or as a prefix, a suffix and what stands between them."""
        gap, order, *cuts = piece.words.tolist()
        if len(piece.text.ids) < 2 or gap >= self.options.rate * 2**64:
            return piece.plain
        before, between, after = self._cut(piece.text, cuts)
        if order < self.options.suffix_first * 2**64:
            parts: tuple[Sequence | int, ...] = (self.prefix, self.suffix, after, self.middle, before, between)
        else:
            parts = (self.prefix, before, self.suffix, after, self.middle, between)
        return join(self.end_of_text, *parts, self.closing(piece))

    def _cut(self, text: Sequence, cuts: list[int]) -> list[Sequence]:
        """Return a text in three parts, by two random numbers."""
        if self._tokenizer is not None:
            parts = _within_tokens(text, cuts, self._tokenizer)
            if sum(len(part.ids) for part in parts) <= len(text.ids) + SPARE - 4:
                return parts
        one, other = sorted(cut % (len(text.ids) + 1) for cut in cuts)
        return [Sequence(text.ids[part], text.learn[part]) for part in (slice(one), slice(one, other), slice(other, None))]

    def gap_prompt(self, before: Integers, after: Integers) -> Integers:
        """Return the ids behind which the middle follows, in the order that was learned more often."""
        before, after = around_gap(before, after, 3 * (self.context_length - 4) // 4)
        if self.options.suffix_first > 0.5:
            ids = [self.prefix, self.suffix, *after.tolist(), self.middle, *before.tolist()]
        else:
            ids = [self.prefix, *before.tolist(), self.suffix, *after.tolist(), self.middle]
        return np.array([self.end_of_text, *ids], dtype=np.int64)


def _within_tokens(text: Sequence, cuts: list[int], tokenizer: Tokenizer) -> list[Sequence]:
    """Return a text in three parts, cut at two of its bytes, or before the token where a border would cut a character in two.

    Args:
        text: ids of the tokenizer, and which are learned.
        cuts: two random numbers.
        tokenizer: encodes the parts of a token anew.
    """
    pieces = [tokenizer.token_bytes(token) for token in text.ids.tolist()]
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    borders = sorted(cut % (ends[-1] + 1) for cut in cuts)
    ids: list[list[int]] = [[], [], []]
    learn: list[list[bool]] = [[], [], []]
    for number, (piece, end) in enumerate(zip(pieces, ends, strict=True)):
        start = end - len(piece)
        inside = [border - start for border in borders if start < border < end]
        parts = _encoded(piece, inside, tokenizer) if inside else None
        if parts is None:  # the whole token stands behind every border up to its end
            part, parts = sum(border < end for border in borders), [[int(text.ids[number])]]
        else:
            part = sum(border <= start for border in borders)
        for offset, tokens in enumerate(parts):
            ids[part + offset] += tokens
            learn[part + offset] += [bool(text.learn[number])] * len(tokens)
    return [
        Sequence(np.array(one, dtype=np.int64), np.array(other, dtype=np.bool_)) for one, other in zip(ids, learn, strict=True)
    ]


def _encoded(piece: bytes, borders: list[int], tokenizer: Tokenizer) -> list[list[int]] | None:
    """Return the ids of the parts of a token, or None where a border cuts a character in two."""
    try:
        texts = [piece[a:b].decode() for a, b in itertools.pairwise([0, *borders, len(piece)])]
    except UnicodeDecodeError:
        return None
    return [tokenizer.encode(part).tolist() for part in texts]

"""Filling gaps: a document is cut in three, and its middle learned behind what stands before and after it.

Bavarian et al., Efficient Training of Language Models to Fill in the Middle, 2022. A left-to-right model learns to fill gaps at
next to no cost for what it writes otherwise.

    PSM   <|prefix|> To be <|suffix|> to be <|middle|> or not<|endoftext|>
    SPM   <|prefix|><|suffix|> to be <|middle|>To be  or not<|endoftext|>

- The two cuts are drawn evenly among the borders of tokens. The authors cut between characters, which also teaches to go on
  from within a word; here a gap begins and ends where a token does.
- SPM is the variant with which the authors train both at once: what stands before the gap comes right before its text.
- The three tokens are read and never learned: whoever asks for a gap gives them. So none of the model's probability is spent on
  them where it reads plain text, and its score there stays comparable. It is the score of plain text.
- A piece of a longer document is rewritten by itself, and ends where its gap is filled.
"""

from __future__ import annotations

import numpy as np

from pentad import SpecialToken, Tokens, random_words
from pentad_masking.options import GapOptions
from pentad_masking.rewriting import Integers, Piece, RewritingBuilder, Sequence, around_gap, join

_WORDS = np.arange(4)
"""A piece takes four random numbers: whether there is a gap, the order of the parts, and the two cuts."""


class FillInMiddle(RewritingBuilder):
    """Documents, some of them with a gap."""

    special_tokens = tuple(SpecialToken(name=name) for name in ("prefix", "suffix", "middle"))

    def __init__(self, options: GapOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        super().__init__(context_length, end_of_text)
        self.options = options
        self.prefix, self.suffix, self.middle = range(vocab_size, vocab_size + 3)
        self.longest = context_length - 4

    def cost(self, lengths: Integers) -> Integers:
        """Return the positions that pieces take: three tokens more, and an end of text in front or behind."""
        return lengths + 4

    def describe(self, tokens: Tokens) -> str:
        """Say how many have a gap, and how much is padding at the least."""
        return f"{self.options.rate:.0%} of the documents with a gap, up to {self.packed(tokens).padding:.1%} padding beside it"

    def rewrite(self, piece: Piece) -> Sequence:
        """Return the piece as it is, or as a prefix, a suffix and what stands between them."""
        ids, learn = piece.text
        gap, order, *cuts = random_words(*piece.where, _WORDS).tolist()
        if len(ids) < 2 or gap >= self.options.rate * 2**64:
            return piece.plain
        one, other = sorted(cut % (len(ids) + 1) for cut in cuts)
        before, between, after = (
            Sequence(ids[part], learn[part]) for part in (slice(one), slice(one, other), slice(other, None))
        )
        if order < self.options.suffix_first * 2**64:
            parts: tuple[Sequence | int, ...] = (self.prefix, self.suffix, after, self.middle, before, between)
        else:
            parts = (self.prefix, before, self.suffix, after, self.middle, between)
        return join(self.end_of_text, *parts, self.closing(piece))

    def gap_prompt(self, before: Integers, after: Integers) -> Integers:
        """Return the ids behind which the middle follows, in the order that was learned more often."""
        before, after = around_gap(before, after, 3 * (self.context_length - 4) // 4)
        if self.options.suffix_first > 0.5:
            ids = [self.prefix, self.suffix, *after.tolist(), self.middle, *before.tolist()]
        else:
            ids = [self.prefix, *before.tolist(), self.suffix, *after.tolist(), self.middle]
        return np.array([self.end_of_text, *ids], dtype=np.int64)

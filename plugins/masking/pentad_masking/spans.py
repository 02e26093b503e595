"""Span corruption for a decoder-only model: spans are taken out of a text, and written behind it.

Raffel et al., Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer (T5), 2020; the mixture of
denoisers of Tay et al., UL2: Unifying Language Learning Paradigms, 2022.

    To be<|span_0|> to be, that<|span_1|> question  <|span_0|> or not<|span_1|> is the<|endoftext|>

- T5 reads with an encoder and writes with a decoder. Here one model reads the text with a token in the place of each span, and
  goes on with these tokens, each followed by its span. Only the spans are learned, the tokens between them, and the end.
- The first of these tokens is given, not learned: it says that the text is over and the spans begin.
- Unlike in T5's own code a text may end between two spans as well as with one.
- Such a model has not learned to go on from a text, so a text is continued as one that ends in a span. For the same reason it
  is judged by the spans that it writes (`span-likelihood`), and not by plain text: `--with bits-per-byte` gives a figure that
  only says how far it is from a model of plain text.
"""

from __future__ import annotations

import numpy as np

from pentad import SpecialToken, Tokens, random_words
from pentad_masking.options import SpanOptions
from pentad_masking.rewriting import Integers, Piece, RewritingBuilder, Sequence, around_gap, join

_FIRST, _SPANS, _KEPT = range(3)
"""Keep apart the random numbers of the denoiser and of an end, of the cuts between spans, and of those of the rest."""

R, S, X = range(3)
UL2 = ((R, 3, 0.15), (R, 8, 0.15), (S, 0, 0.25), (X, 3, 0.5), (X, 8, 0.5), (X, 64, 0.15), (X, 64, 0.5))
"""Mode, mean length of a span, and share of the text, of each denoiser (Tay et al., table 1)."""

MODES = ("mode_r", "mode_s", "mode_x")


class SpanCorruption(RewritingBuilder):
    """Documents without some of their spans, which follow."""

    writes_on = False
    evaluators = ("span-likelihood",)

    def __init__(
        self, options: SpanOptions, *, context_length: int, vocab_size: int, end_of_text: int, with_mode: bool = False
    ) -> None:
        super().__init__(context_length, end_of_text)
        self.options = options
        mixed = options.mixture == "ul2" or with_mode
        self.denoisers = UL2 if options.mixture == "ul2" else ((R, options.span_length, options.rate),)
        sentinels = (SpecialToken(name=f"span_{number}", drawable=True, stops=True) for number in range(options.sentinels))
        self.special_tokens = (*sentinels, *(SpecialToken(name=name) for name in MODES if mixed))
        self.first = vocab_size
        self.modes = [vocab_size + options.sentinels + number for number in range(len(MODES))] if mixed else []
        self._most_spans = self._spans_up_to(context_length)
        lengths = np.arange(context_length + 1)
        self.longest = int(np.flatnonzero(self.cost(lengths) <= context_length).max(initial=0))

    def cost(self, lengths: Integers) -> Integers:
        """Return the positions that pieces take at most: two tokens for each span, the mode, and an end of text."""
        longest = int(lengths.max(initial=0))
        if longest >= len(self._most_spans):  # whoever asks for `positions` has no row of that length yet
            self._most_spans = self._spans_up_to(longest)
        most: Integers = lengths + 1 + bool(self.modes) + 2 * self._most_spans[lengths]
        return most

    def _spans_up_to(self, longest: int) -> Integers:
        """Return the most spans (N + 1,) of pieces that read 0 to N ids."""
        spans = [
            max((self._numbers(length, mean, rate)[1] for mode, mean, rate in self.denoisers if mode != S), default=1)
            for length in range(longest + 1)
        ]
        return np.maximum.accumulate(np.array(spans, dtype=np.int64))

    def describe(self, tokens: Tokens) -> str:
        """Say how much is taken out, and how much is padding."""
        plain = f"{self.options.rate:.0%} of them in spans of {self.options.span_length:g}"
        taken = "UL2's mixture of spans" if self.options.mixture == "ul2" else plain
        return f"{taken} taken out, {self.packed(tokens).padding:.1%} padding"

    def rewrite(self, piece: Piece) -> Sequence:
        """Return the piece with a token in the place of each span, and then the spans."""
        ids, learn = piece.text
        if not len(ids):
            return piece.plain
        kind, length = random_words(*piece.where, _FIRST, np.arange(2)).tolist()
        mode, mean, rate = self.denoisers[kind % len(self.denoisers)]
        if mode == S:
            taken = 1 + length % max(1, len(ids) // 2)
            spans, kept = [taken], [len(ids) - taken, 0]
        else:
            taken, number = self._numbers(len(ids), mean, rate)
            spans = _cut(taken, number, *piece.where, _SPANS)
            kept = _cut(len(ids) - taken + 2, number + 1, *piece.where, _KEPT)
            kept = [kept[0] - 1, *kept[1:-1], kept[-1] - 1]  # a text may begin and end with a span, and no two meet
        read: list[Sequence | int] = [self.end_of_text, *([self.modes[mode]] if self.modes else [])]
        written: list[Sequence | int] = []
        at = 0
        for number, (shown, hidden) in enumerate(zip(kept, [*spans, 0], strict=True)):
            read.append(Sequence(ids[at : at + shown], np.zeros(shown, dtype=np.bool_)))
            at += shown
            if number == len(spans):
                break
            sentinel = self.first + number
            read.append(sentinel)
            written.append(Sequence(np.array([sentinel]), np.array([number > 0])))
            written.append(Sequence(ids[at : at + hidden], learn[at : at + hidden]))
            at += hidden
        return join(*read, *written, self.closing(piece))

    def _numbers(self, length: int, mean: float, rate: float) -> tuple[int, int]:
        """Return how many tokens are taken out of so many, and in how many spans."""
        taken = min(max(round(length * rate), 1), max(length - 1, 1))
        return taken, max(1, min(round(taken / mean), taken, self.options.sentinels, length - taken + 1))

    def gap_prompt(self, before: Integers, after: Integers) -> Integers:
        """Return the ids behind which the one span follows that stands between two texts."""
        before, after = around_gap(before, after, 3 * (self.context_length - 5) // 4)
        mode = [self.modes[R if len(after) else S]] if self.modes else []
        return np.concatenate([[self.end_of_text, *mode], before, [self.first], after, [self.first]]).astype(np.int64)


def _cut(total: int, parts: int, *where: int) -> list[int]:
    """Return so many lengths from 1 on that add up to a total, each way to do so equally likely."""
    if parts == 1:
        return [total]
    order = np.argsort(random_words(*where, np.arange(total - 1)), kind="stable")
    cuts = np.sort(order[: parts - 1]) + 1
    lengths: list[int] = np.diff(np.concatenate([[0], cuts, [total]])).tolist()
    return lengths

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
import numpy.typing as npt

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
        self._sizes = (2, len(lengths), len(lengths))  # random numbers for each of _FIRST, _SPANS and _KEPT

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

    def words(self, seed: int, *where: Integers) -> npt.NDArray[np.uint64]:
        """Draw those of the denoiser and an end, and one for each place where a cut may be."""
        kinds, places = np.repeat(np.arange(3), self._sizes), np.concatenate([np.arange(size) for size in self._sizes])
        return random_words(seed, *where, kinds, places)

    def rewrite(self, piece: Piece) -> Sequence:
        """Return the piece with a token in the place of each span, and then the spans."""
        ids, learn = piece.text
        if not len(ids):
            return piece.plain
        words = np.split(piece.words, np.cumsum(self._sizes[:-1]))
        kind, length = words[_FIRST].tolist()
        mode, mean, rate = self.denoisers[kind % len(self.denoisers)]
        if mode == S:
            taken = 1 + length % max(1, len(ids) // 2)
            spans, kept = np.array([taken]), np.array([len(ids) - taken, 0])
        else:
            taken, number = self._numbers(len(ids), mean, rate)
            spans = _cut(taken, number, words[_SPANS])
            kept = _cut(len(ids) - taken + 2, number + 1, words[_KEPT])
            kept[[0, -1]] -= 1  # a text may begin and end with a span, and no two meet
        lengths = np.zeros(2 * len(spans) + 1, dtype=np.int64)
        lengths[::2], lengths[1::2] = kept, spans
        hidden = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)  # (len(ids),)
        sentinels, starts = self.first + np.arange(len(spans)), np.cumsum(spans) - spans
        read = np.insert(ids[~hidden], np.cumsum(kept[:-1]), sentinels)
        written = np.insert(ids[hidden], starts, sentinels)
        learned = np.insert(learn[hidden], starts, np.arange(len(spans)) > 0)
        unlearned = Sequence(read, np.zeros(len(read), dtype=np.bool_))
        head = (self.end_of_text, *([self.modes[mode]] if self.modes else []))
        return join(*head, unlearned, Sequence(written, learned), self.closing(piece))

    def _numbers(self, length: int, mean: float, rate: float) -> tuple[int, int]:
        """Return how many tokens are taken out of so many, and in how many spans."""
        taken = min(max(round(length * rate), 1), max(length - 1, 1))
        return taken, max(1, min(round(taken / mean), taken, self.options.sentinels, length - taken + 1))

    def gap_prompt(self, before: Integers, after: Integers) -> Integers:
        """Return the ids behind which the one span follows that stands between two texts."""
        before, after = around_gap(before, after, 3 * (self.context_length - 5) // 4)
        mode = [self.modes[R if len(after) else S]] if self.modes else []
        return np.concatenate([[self.end_of_text, *mode], before, [self.first], after, [self.first]]).astype(np.int64)


def _cut(total: int, parts: int, words: npt.NDArray[np.uint64]) -> Integers:
    """Return so many lengths from 1 on that add up to a total, by random numbers; each way to do so is equally likely."""
    order = np.argsort(words[: total - 1], kind="stable")
    borders = np.concatenate([[0], np.sort(order[: parts - 1]) + 1, [total]])
    lengths: Integers = borders[1:] - borders[:-1]
    return lengths

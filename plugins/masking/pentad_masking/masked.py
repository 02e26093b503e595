"""Masked language modelling: a share of the tokens is hidden, and learned from what stands on both sides of them.

Devlin et al., BERT, 2019; whole spans after Joshi et al., SpanBERT, 2020.

- Windows of the text side by side, packed and moved from pass to pass as those of next-token are; documents are segments. What
  is hidden is drawn anew in each pass.
- Every token is hidden with the same probability, the rate, whatever stands around it. The end of text never is.
- Spans begin anywhere, are geometrically long, and may meet: then they make a longer one. SpanBERT draws spans one after the
  other until the rate is spent; here each place is drawn by itself, which gives any window without a look at the others. What
  becomes of a span (the mask, other tokens, or itself) is drawn for the span as a whole, as there.
- A row in which nothing is hidden by chance hides one token, as BERT does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pentad import IGNORED, Batch, ExampleBuilder, SpecialToken, Tokens, draw_below, random_words, segments_of, shuffled
from pentad_masking.options import MaskedOptions

_Integers = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]

_OFFSET, _START, _LENGTH, _HOW, _OTHER, _ONE = range(6)
"""Keep apart the random numbers of the window's place, of spans, of what becomes of them, and of the one that a row hides."""

_FINE = 1 << 32
"""Probabilities are compared with draws below this."""


class Masked(ExampleBuilder):
    """Windows side by side, some of their tokens hidden."""

    attention = "bidirectional"
    special_tokens = (SpecialToken(name="mask"),)
    evaluators = ("pseudo-likelihood",)

    def __init__(self, options: MaskedOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        self.options, self.mask, self.vocab_size = options, vocab_size, vocab_size
        self.context_length, self.end_of_text = context_length, end_of_text
        self._lengths = span_lengths(options.span_length)
        self._start = start_probability(options.rate, self._lengths)

    def count(self, tokens: Tokens) -> int:
        """Return the windows that cover the text once; 0 when it is shorter than one."""
        ring = len(tokens) - 1
        return 0 if ring < self.context_length else -(-ring // self.context_length)

    def describe(self, tokens: Tokens) -> str:
        """Say how much is hidden."""
        del tokens
        spans = "" if len(self._lengths) == 1 else f" in spans of {mean_length(self._lengths):.1f}"
        return f"{self.options.rate:.0%} of them hidden{spans}"

    def build(self, tokens: Tokens, indices: _Integers, seed: int | None) -> Batch:
        """Return windows with hidden tokens (B, T), and these tokens as targets (B, T)."""
        passes, windows = shuffled(indices, self.count(tokens), seed)
        starts, ring = windows * self.context_length, len(tokens) - 1  # the last end of text is the first one
        if seed is None:
            starts = np.minimum(starts, len(tokens) - self.context_length)
        else:
            starts = (starts + draw_below(ring, seed, _OFFSET, passes)) % ring
        at = starts[:, None] + np.arange(self.context_length)  # (B, T)
        at = at if seed is None else at % ring
        ids = np.asarray(tokens.ids)[at].astype(np.int64)
        may = ids != self.end_of_text
        if tokens.learn is not None:
            may &= np.asarray(tokens.learn)[at]
        key = seed or 0
        hidden, owners = self._spans(starts, passes, ring, key)
        hidden = _at_least_one(hidden & may, may, random_words(key, _ONE, passes[:, None], at))
        shown = self._shown(ids, owners, at, passes, key)
        return Batch(
            inputs=np.where(hidden, shown, ids),
            targets=np.where(hidden, ids, IGNORED),
            segments=segments_of(ids, self.end_of_text),
        )

    def _spans(self, starts: _Integers, passes: _Integers, ring: int, key: int) -> tuple[_Flags, _Integers]:
        """Return which positions (B, T) a span covers, and where in the text that span begins; the position itself if none."""
        longest = len(self._lengths)
        columns = np.arange(1 - longest, self.context_length)  # spans that begin before the window reach into it
        places = (starts[:, None] + columns) % ring  # (B, T + L - 1)
        begins = draw_below(_FINE, key, _START, passes[:, None], places) < self._start * _FINE
        drawn = draw_below(_FINE, key, _LENGTH, passes[:, None], places) / _FINE
        length = 1 + np.searchsorted(np.cumsum(self._lengths[:-1]), drawn, side="right")
        # The farthest end so far, with the column of the span that has it in the low digits.
        order = np.arange(places.shape[1])
        reach = np.maximum.accumulate(np.where(begins, (order + length) * len(order) + order, order), axis=1)
        inside = reach[:, longest - 1 :]
        covered = inside // len(order) > order[longest - 1 :]
        owners = np.where(covered, np.take_along_axis(places, inside % len(order), axis=1), places[:, longest - 1 :])
        return covered, owners

    def _shown(self, ids: _Integers, owners: _Integers, at: _Integers, passes: _Integers, key: int) -> _Integers:
        """Return what stands in the place of each token (B, T) if it is hidden."""
        how = draw_below(_FINE, key, _HOW, passes[:, None], owners) / _FINE
        other = draw_below(max(self.vocab_size - 1, 1), key, _OTHER, passes[:, None], at)
        other += other >= self.end_of_text  # any but the end of text
        masked = self.options.mask_share
        return np.select([how < masked, how < masked + self.options.random_share], [np.full_like(ids, self.mask), other], ids)


def span_lengths(mean: int) -> npt.NDArray[np.float64]:
    """Return the probability (L,) of each length from 1 on: geometric, without those above twice the mean.

    SpanBERT's has the mean 5, so lengths up to 10, of which the mean is 3.8.
    """
    weights = (1 - 1 / mean) ** np.arange(2 * mean if mean > 1 else 1)
    probabilities: npt.NDArray[np.float64] = weights / weights.sum()
    return probabilities


def mean_length(lengths: npt.NDArray[np.float64]) -> float:
    """Return the mean of lengths by their probabilities (L,)."""
    return float((lengths * np.arange(1, len(lengths) + 1)).sum())


def start_probability(rate: float, lengths: npt.NDArray[np.float64]) -> float:
    """Return how likely a span must begin at each place so that a position is covered at the rate.

    A position is covered unless no span begins at it, nor one that is long enough k places before it: the product over k of
    1 - s P(length > k) is 1 - rate, solved for s by bisection.
    """
    longer = lengths[::-1].cumsum()[::-1]  # P(length > k)
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - np.prod(1 - middle * longer) < rate else (low, middle)
    return high


def _at_least_one(hidden: _Flags, may: _Flags, words: npt.NDArray[np.uint64]) -> _Flags:
    """Return which positions (B, T) are hidden: in a row without any the one with the least word that may be."""
    rows = np.flatnonzero(~hidden.any(axis=1) & may.any(axis=1))
    least = np.where(may[rows], words[rows], np.iinfo(np.uint64).max).argmin(axis=1)
    hidden[rows, least] = True
    return hidden

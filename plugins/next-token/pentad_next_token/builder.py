"""Windows of the text in which every position learns the next token.

Bengio et al., A Neural Probabilistic Language Model, 2003; all positions of a window at once: Radford et al., Improving
Language Understanding by Generative Pre-Training, 2018. Documents behind each other with an end of text between them: Brown et
al., GPT-3, 2020; kept apart in attention: Krell et al., Efficient Sequence Packing without Cross-contamination, 2021.

- Documents are packed: a window holds the end of one and the beginning of the next, marked as segments.
- The end-of-text id after a document is learned from its last token; the first token of a document is predicted from the
  end-of-text before it and from nothing else.
- One pass learns every token of the text. The text is read as a ring, whose last end-of-text is its first one, in windows
  side by side from an offset that is drawn anew for each pass, so that window borders move. Only where the ring closes do
  two windows overlap, by less than one window. Without a seed the last window ends with the text instead.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pentad import IGNORED, Batch, ExampleBuilder, Tokens, draw_below, segments_of, shuffled
from pentad_next_token.best_fit import BestFit
from pentad_next_token.options import NextTokenOptions

_OFFSET = 0x0FF5E7
"""Keeps the offset's random numbers apart from those of the order."""


def next_token(options: NextTokenOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> ExampleBuilder:
    """Return the builder of a kind of packing."""
    made = BestFit if options.packing == "best-fit" else NextToken
    return made(options, context_length=context_length, vocab_size=vocab_size, end_of_text=end_of_text)


class NextToken(ExampleBuilder):
    """Packed windows over documents."""

    def __init__(self, options: NextTokenOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        del options, vocab_size
        self.context_length = context_length
        self.end_of_text = end_of_text

    def count(self, tokens: Tokens) -> int:
        """Return the windows that cover the text once; 0 when it has no `context_length` tokens to predict."""
        ring = len(tokens) - 1
        return 0 if ring < self.context_length else -(-ring // self.context_length)

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return windows (B, T) and what comes next at each of their positions (B, T)."""
        return self.rows(tokens, self.places(tokens, indices, seed))

    def places(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> npt.NDArray[np.int64]:
        """Return where in the text each position of the windows stands (B, T)."""
        passes, windows = shuffled(indices, self.count(tokens), seed)
        starts, ring = windows * self.context_length, len(tokens) - 1  # (B,)
        if seed is None:
            np.minimum(starts, ring - self.context_length, out=starts)
        else:
            starts = (starts + draw_below(ring, seed, _OFFSET, passes)) % ring
        at = starts[:, None] + np.arange(self.context_length)  # (B, T), reaches at most once around the ring
        np.subtract(at, ring, out=at, where=at >= ring)
        return at

    def rows(self, tokens: Tokens, at: npt.NDArray[np.int64]) -> Batch:
        """Return what is read at these places (B, T), and what comes next."""
        plain = np.asarray(tokens.ids)  # indexing a memory map as a plain array is twice as fast
        inputs, targets = plain[at].astype(np.int64), plain[at + 1].astype(np.int64)
        if tokens.learn is not None:
            targets[~np.asarray(tokens.learn)[at + 1]] = IGNORED
        return Batch(inputs=inputs, targets=targets, segments=segments_of(inputs, self.end_of_text))

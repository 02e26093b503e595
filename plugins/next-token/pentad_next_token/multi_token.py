"""Windows of the text in which every position learns the next n tokens: multi-token prediction.

Gloeckle et al., Better & Faster Large Language Models via Multi-token Prediction, 2024. The rows, their order and the next
tokens are those of `next-token`; beside these stand the tokens behind them, each learned by a head of its own.

- Nothing beyond the end of a document is learned from it: behind the end-of-text come no further tokens.
- The next token is predicted as ever, by the model's own head, which alone is scored and generates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pentad import IGNORED, Batch, Tokens
from pentad_next_token.builder import NextToken
from pentad_next_token.options import MultiTokenOptions, NextTokenOptions

if TYPE_CHECKING:
    from pentad_next_token.objective import MultiTokenLoss

AHEAD = "ahead"
"""The name in `Batch.extra` of the tokens beyond the next: (B, T, n - 1) ids, or `IGNORED`."""


class MultiToken(NextToken):
    """Packed windows over documents, with the next n tokens of each position."""

    def __init__(self, options: MultiTokenOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        rows = NextTokenOptions()
        super().__init__(rows, context_length=context_length, vocab_size=vocab_size, end_of_text=end_of_text)
        self.options = options
        self.tokens_ahead = options.n - 1

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return windows (B, T) with what comes next, and in `extra` what comes after it (B, T, n - 1)."""
        at = self.places(tokens, indices, seed)
        batch = self.rows(tokens, at)
        ahead = self.further(tokens, at)
        return Batch(inputs=batch.inputs, targets=batch.targets, segments=batch.segments, extra={AHEAD: ahead})

    def further(self, tokens: Tokens, at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the tokens 2 to n behind each place (B, T), `IGNORED` beyond the end of its document: (B, T, n - 1)."""
        ids, last = np.asarray(tokens.ids), len(tokens) - 1  # the last id ends the last document
        ahead = np.full((*at.shape, self.tokens_ahead), IGNORED, dtype=np.int64)
        going_on = np.ones(at.shape, dtype=np.bool_)  # (B, T), whether the document has not ended yet
        for number in range(self.tokens_ahead):
            before, place = np.minimum(at + number + 1, last), np.minimum(at + number + 2, last)
            going_on &= ids[before] != self.end_of_text
            learned = going_on if tokens.learn is None else going_on & np.asarray(tokens.learn)[place]
            ahead[..., number] = np.where(learned, ids[place].astype(np.int64), IGNORED)
        return ahead

    def objective(self) -> MultiTokenLoss:
        """Return the cross-entropy of all n tokens."""
        from pentad_next_token.objective import MultiTokenLoss

        return MultiTokenLoss(self.options)

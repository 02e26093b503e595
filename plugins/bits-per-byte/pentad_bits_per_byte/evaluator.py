"""Bits per byte: the negative log2-likelihood of the held-out text, every byte scored once, divided by its UTF-8 bytes.

The text is scored in windows of the context length, side by side (`pentad.tools.score_windows`): a token sees what stands
before it in its window and document, half a context on average. A scoring by sliding windows gives lower figures; compare
only scores of the same context.

Where the tokenizer is not lossless, each byte that it lost is charged with 8 bits. Such a score has two more names beside it:
`lost_bytes`, and `bits_per_byte_of_tokens`, what it would be without the charge.

`standard_error` is that of the bits per byte which comes from the held-out text: on another text of this kind
and length the same model would score about so much higher or lower. Models that are compared on one text
share most of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pentad import Evaluated, HeldOut, NoOptions, RunEvaluator, Session
from pentad.tools import bits_per_byte, score_windows


class BitsPerByte(RunEvaluator):
    """Bits per byte; mean loss in nats per token and its exponential, the perplexity, compare only within one tokenizer."""

    primary = "bits_per_byte"

    def __init__(self, options: NoOptions) -> None:
        del options

    def supports(self, run: Evaluated) -> str:
        """Ask for a causal model: a bidirectional one gives no probability of a text."""
        return "" if run.model.causal else "Bits per byte need a causal model; this one is bidirectional."

    def evaluate(self, session: Session, text: HeldOut) -> Mapping[str, float]:
        """Return the scores."""
        score = score_windows(session, text)
        loss = score.nats / max(score.n_tokens, 1)
        n_bytes, lost = max(score.n_bytes, 1), score.lost_bytes
        lossy = {"bits_per_byte_of_tokens": bits_per_byte(score.nats, n_bytes), "lost_bytes": lost}
        return {
            "bits_per_byte": bits_per_byte(score.nats, n_bytes, lost),
            **(lossy if lost or not session.tokenizer.lossless else {}),
            **({"standard_error": score.standard_error} if score.standard_error else {}),
            "loss": loss,
            "perplexity": math.exp(min(loss, 700.0)),
            "n_bytes": score.n_bytes,
            "n_tokens": score.n_tokens,
        }

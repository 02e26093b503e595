"""Bits per byte of spans: how likely a model that writes what was taken out of a text is to write it as it was.

Spans are taken out of the held-out text as T5 does it, the same for every model with the same tokenizer and context. Scored are
the tokens of the spans, given the text around them and the spans before; neither the tokens between them nor their ends. A byte
that was not taken out is not scored, so this is the score of a sample of the text: by default 15 % of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from pentad import IGNORED, Evaluated, HeldOut, RunEvaluator, Session
from pentad.tools import bits_per_byte, standard_error
from pentad_masking.options import SpanOptions, SpanScoreOptions
from pentad_masking.spans import MODES, R, SpanCorruption

TOKENS_AT_ONCE = 8192
STRETCHES = 32


class SpanLikelihood(RunEvaluator):
    """Bits per byte of the spans that are taken out of the text."""

    primary = "span_bits_per_byte"

    def __init__(self, options: SpanScoreOptions) -> None:
        self.options = options

    def supports(self, run: Evaluated) -> str:
        """Ask for a causal model that knows the tokens in the place of spans."""
        knows = "span_0" in [token.name for token in run.builder.special_tokens]
        return "" if knows and run.model.causal else "It needs a causal model of --builder span-corruption."

    def evaluate(self, session: Session, text: HeldOut) -> Mapping[str, float]:
        """Return the scores."""
        builder = self._builder(session, text.context_length)
        count = builder.count(text.tokens)
        rows = np.arange(count)
        if text.max_tokens is not None and count * text.context_length > text.max_tokens:
            number = max(1, text.max_tokens // text.context_length)
            rows = rows[np.linspace(0, count - 1, number).astype(np.int64)]
        sizes = np.array([len(session.tokenizer.token_bytes(token)) for token in range(session.vocabulary.tokenizer_size)])
        at_once = max(1, min(TOKENS_AT_ONCE // text.context_length, -(-count // STRETCHES)))
        stretches: list[tuple[float, int]] = []
        n_tokens = 0
        with torch.inference_mode():
            for start in range(0, len(rows), at_once):
                batch = builder.build(text.tokens, rows[start : start + at_once], None)
                plain = (batch.targets < session.vocabulary.tokenizer_size) & (batch.targets != session.vocabulary.end_of_text)
                targets = np.where(plain, batch.targets, IGNORED)
                inputs, wanted = (torch.from_numpy(array).to(session.device) for array in (batch.inputs, targets))
                segments = None if batch.segments is None else torch.from_numpy(batch.segments).to(session.device)
                nats = float(session.net.nll(session.net(inputs, segments).features, wanted))
                counted = targets[targets != IGNORED]
                stretches.append((nats, int(sizes[counted].sum())))
                n_tokens += len(counted)
                if text.progress is not None:
                    text.progress((start + at_once) / max(len(rows), 1))
        nats, n_bytes = sum(one for one, _ in stretches), sum(one for _, one in stretches)
        error = standard_error(stretches)
        return {
            "span_bits_per_byte": bits_per_byte(nats, max(n_bytes, 1)),
            **({"standard_error": error} if error else {}),
            "n_tokens": n_tokens,
            "n_bytes": n_bytes,
        }

    def _builder(self, session: Session, context_length: int) -> SpanCorruption:
        """Return the builder of the spans, with the tokens that the run knows."""
        names = [token.name for token in session.vocabulary.special]
        sentinels = sum(name.startswith("span_") for name in names)
        options = SpanOptions(rate=self.options.rate, span_length=self.options.span_length, sentinels=sentinels)
        sizes = {"vocab_size": session.vocabulary.tokenizer_size, "end_of_text": session.vocabulary.end_of_text}
        return SpanCorruption(options, context_length=context_length, **sizes, with_mode=MODES[R] in names)

"""Masked language modelling in a single file: proves the contracts of bidirectional example builders and of evaluators.

A share of the tokens is hidden and learned from both sides: Devlin et al., BERT, 2019. Such a model gives no probability of a
text, so the builder brings the score by which its runs are judged, and writes no texts.

engine run --plugin examples/contracts/masked.py --builder masked --model gpt --data my.txt
engine plugins check examples/contracts/masked.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pentad import (
    IGNORED,
    Batch,
    Evaluated,
    Evaluator,
    ExampleBuilder,
    HeldOut,
    Implementation,
    NoOptions,
    RunEvaluator,
    Session,
    SpecialToken,
    Tokens,
    draw_below,
    hookimpl,
    option,
    segments_of,
    shuffled,
)

_OFFSET, _HIDE, _HOW, _OTHER = range(4)
"""Keep the random numbers of the window's place, the hidden tokens and their replacements apart."""

_EVERY, _ROWS = 7, 64
"""The evaluator hides each so-many-th token, and reads so many windows at once."""


@dataclass(frozen=True, kw_only=True)
class MaskedOptions:
    """What is hidden."""

    share: float = option(0.15, "Share of the tokens that is hidden and learned.", gt=0, lt=1)


class Masked(ExampleBuilder):
    """Windows side by side. Of what is learned 80 % becomes the mask, 10 % another token, and 10 % is shown."""

    attention = "bidirectional"
    special_tokens = (SpecialToken(name="mask"),)
    evaluators = ("masked-accuracy",)

    def __init__(self, options: MaskedOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        self.share, self.vocab_size = options.share, vocab_size
        self.context_length, self.end_of_text = context_length, end_of_text

    def count(self, tokens: Tokens) -> int:
        """Return the windows that cover the text once; 0 when it is shorter than one."""
        ring = len(tokens) - 1
        return 0 if ring < self.context_length else -(-ring // self.context_length)

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return windows with hidden tokens (B, T), and these tokens as targets (B, T)."""
        passes, windows = shuffled(indices, self.count(tokens), seed)
        starts, ring = windows * self.context_length, len(tokens) - 1  # the last end of text is the first one
        if seed is None:
            starts = np.minimum(starts, len(tokens) - self.context_length)
        else:
            starts = (starts + draw_below(ring, seed, _OFFSET, passes)) % ring
        at = starts[:, None] + np.arange(self.context_length)
        at = at if seed is None else at % ring
        ids = np.asarray(tokens.ids)[at].astype(np.int64)
        # Drawn by the place in the text, so that where two windows overlap they hide the same.
        where, key = (passes[:, None], at), seed or 0
        learned = (draw_below(10_000, key, _HIDE, *where) < 10_000 * self.share) & (ids != self.end_of_text)
        if tokens.learn is not None:
            learned &= np.asarray(tokens.learn)[at]
        how, other = draw_below(10, key, _HOW, *where), draw_below(self.vocab_size, key, _OTHER, *where)
        shown = np.select([how < 8, how < 9], [np.full_like(ids, self.vocab_size), other], ids)
        return Batch(
            inputs=np.where(learned, shown, ids),
            targets=np.where(learned, ids, IGNORED),
            segments=segments_of(ids, self.end_of_text),
        )


class MaskedAccuracy(RunEvaluator):
    """The share of hidden tokens that the model finds: each seventh of the text is hidden, none of them twice."""

    primary = "masked_accuracy"
    lower_is_better = False

    def __init__(self, options: NoOptions) -> None:
        del options

    def supports(self, run: Evaluated) -> str:
        """Ask for a bidirectional model whose builder has a mask."""
        masks = "mask" in [token.name for token in run.builder.special_tokens]
        return "" if masks and not run.model.causal else "Masked accuracy needs a bidirectional model that knows a mask."

    def evaluate(self, session: Session, text: HeldOut) -> Mapping[str, float]:
        """Return the share that is found, and the tokens and bytes that were hidden."""
        end, width = session.vocabulary.end_of_text, min(text.context_length, len(text.tokens))
        firsts = np.arange(0, len(text.tokens), max(width, 1))
        if text.max_tokens is not None and text.max_tokens < len(text.tokens):
            firsts = firsts[np.linspace(0, len(firsts) - 1, max(1, text.max_tokens // width)).astype(np.int64)]
        found, hidden = 0, np.zeros(0, dtype=np.int64)
        for first in np.split(firsts, range(_ROWS, len(firsts), _ROWS)):
            at = np.minimum(first, len(text.tokens) - width)[:, None] + np.arange(width)  # the last ends with the text
            ids = np.asarray(text.tokens.ids)[at].astype(np.int64)
            asked = (at % _EVERY == _EVERY - 1) & (at >= first[:, None]) & (ids != end)
            if text.tokens.learn is not None:
                asked &= np.asarray(text.tokens.learn)[at]
            guesses = _fill_in(session, np.where(asked, session.vocabulary.id("mask"), ids), segments_of(ids, end))
            found += int((guesses == ids)[asked].sum())
            hidden = np.concatenate([hidden, ids[asked]])
        n_bytes = sum(len(session.tokenizer.token_bytes(int(token))) for token in hidden)
        return {self.primary: found / max(len(hidden), 1), "n_tokens": len(hidden), "n_bytes": n_bytes}


def _fill_in(session: Session, inputs: npt.NDArray[np.int64], segments: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int64]:
    """Return the likeliest id of the tokenizer (B, T) at each position."""
    with torch.inference_mode():
        documents = None if segments is None else torch.from_numpy(segments).to(session.device)
        features = session.net(torch.from_numpy(inputs).to(session.device), documents).features
        logits = session.net.logits(features)[..., : session.vocabulary.tokenizer_size]
        likeliest: npt.NDArray[np.int64] = logits.argmax(dim=-1).cpu().numpy()
    return likeliest


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    """Offer the builder."""
    return [
        Implementation(name="masked", summary="Hidden tokens, seen from both sides.", factory=Masked, options=MaskedOptions)
    ]


@hookimpl
def engine_evaluators() -> Sequence[Evaluator]:
    """Offer the evaluator."""
    return [Evaluator(name="masked-accuracy", summary="Share of the hidden tokens that are found.", factory=MaskedAccuracy)]

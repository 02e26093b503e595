"""How large a vocabulary of byte pairs a text is worth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pentad import Advice, Situation

if TYPE_CHECKING:
    from pentad_bpe.plugin import BPEOptions

SMALL = 512
"""Ids below 100 kB."""

MEDIUM = 1024
"""Ids up to 10 MB; from there on they double with every tenfold."""

LARGEST = 16_384


def advise(options: BPEOptions, situation: Situation) -> Advice:
    """Choose by the text, or by what of it the budget can read: the output head costs most of a small model's arithmetic."""
    del options
    n_bytes = max(1.0, min(situation.train_bytes, _readable(situation)))
    size = SMALL if n_bytes < 1e5 else min(LARGEST, MEDIUM * 2 ** max(0, math.floor(math.log10(n_bytes / 1e6))))
    return Advice(values={"vocab_size": size}, reason=f"{size:,} ids for {situation.in_words}")


def _readable(situation: Situation) -> float:
    """Return about how many bytes a model of a fitting size reads: of F operations, with 2 tokens a parameter, sqrt(F / 3)."""
    if situation.tokens is not None:
        return 3 * situation.tokens
    return 3 * math.sqrt(situation.flops / 3) if situation.flops else math.inf

"""How large a vocabulary of byte pairs a text is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pentad import Advice, Situation

if TYPE_CHECKING:
    from pentad_bpe.options import BPEOptions


def advise(options: BPEOptions, situation: Situation) -> Advice:
    """Choose as for any pieces of words."""
    del options
    size = situation.subword_vocab_size
    return Advice(values={"vocab_size": size}, reason=f"{size:,} ids for {situation.in_words}")

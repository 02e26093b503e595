"""How large a vocabulary of pieces a text is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pentad import Advice, Situation

if TYPE_CHECKING:
    from pentad_sentencepiece.options import SentencePieceOptions


def advise(options: SentencePieceOptions, situation: Situation) -> Advice:
    """Choose as for any pieces of words; a text whose characters alone need more ids gets more."""
    del options
    size = situation.subword_vocab_size
    return Advice(values={"vocab_size": size}, reason=f"{size:,} ids for {situation.in_words}")

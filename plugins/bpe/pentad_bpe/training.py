"""Learn byte pairs from text with Hugging Face's trainer (Sennrich et al., 2016; on bytes: Radford et al., 2019)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from pentad import END_OF_TEXT, OptionsDoNotFit, utf8
from pentad_bpe.plugin import BPEOptions
from pentad_bpe.vocabulary import pattern

LONGEST_WORD = 1024
"""In training, longer runs without a cut are cut every so many characters: the trainer's time is quadratic in them."""

_CHUNK = 64 * 1024
# Where a white-space character follows another character, the pattern always cuts, so words are counted as in one piece.
_CUT = re.compile(r"\S(?=[ \n])")


def train(texts: Iterable[str], options: BPEOptions) -> str:
    """Return the trained tokenizer as JSON in the format of Hugging Face's `tokenizer.json`.

    The trainer is deterministic: ties between pairs go to the lower ids.

    Raises:
        UsageError: the texts cannot give so many tokens, or hold a lone surrogate.
    """
    words = pre_tokenizers.Split(tokenizers.Regex(pattern(options.max_digits)), "isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.FixedLength(LONGEST_WORD), to_bytes])
    trainer = trainers.BpeTrainer(
        vocab_size=options.vocab_size - 1,  # the end of text comes on top
        min_frequency=options.min_frequency,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_chunks(texts, options.train_mb * 1_000_000), trainer=trainer)
    largest = tokenizer.get_vocab_size() + 1
    if largest < options.vocab_size:
        raise OptionsDoNotFit(
            f"A vocabulary of {options.vocab_size} was asked for; the training text gives at most {largest}.",
            f"Say --tokenizer.vocab-size {largest} or less, or train on more text.",
            code="vocabulary-too-large",
            fitting={"vocab_size": largest},
        )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_TEXT])
    return tokenizer.to_str()


def _chunks(texts: Iterable[str], most: int) -> Iterator[str]:
    """Yield the texts in short pieces, so that the trainer, which holds 256 of them, needs little memory."""
    left = most
    for text in texts:
        if not text.isascii():
            utf8(text[:left])
        start, end = 0, min(len(text), left)
        left -= end
        while end - start > _CHUNK:
            cut = _CUT.search(text, start + _CHUNK, end)
            if cut is None:
                break
            yield text[start : cut.end()]
            start = cut.end()
        yield text[start:end]
        if left <= 0:
            return

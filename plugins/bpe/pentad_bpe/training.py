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

RUN_CHARACTERS = 2_000_000
"""In training, the most characters of long runs without white space. 10 million took 76 s and 2.0 GB."""

_CHUNK = 64 * 1024
_PART = 64
# A run with the space in front of it, where the pattern takes the two together: cut out, it is counted as in its place.
_LONG_RUN = re.compile(r"(?:(?<!\s) |(?<!\S))\S{65,}")
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
            f"Use --tokenizer.vocab-size {largest} or less, or train on more text.",
            code="vocabulary-too-large",
            fitting={"vocab_size": largest},
        )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_TEXT])
    return tokenizer.to_str()


def _chunks(texts: Iterable[str], most: int) -> Iterator[str]:
    """Yield the texts in short pieces, so that the trainer, which holds 256 of them, needs little memory; long runs last."""
    runs = _Runs()
    left = most
    for text in texts:
        if not text.isascii():
            utf8(text[:left])
        start, end = 0, min(len(text), left)
        left -= end
        for run in _LONG_RUN.finditer(text, 0, end):
            yield from _short(text, start, run.start())
            runs.add(run.group())
            start = run.end()
        yield from _short(text, start, end)
        if left <= 0:
            break
    yield from runs.kept


def _short(text: str, start: int, end: int) -> Iterator[str]:
    while end - start > _CHUNK:
        cut = _CUT.search(text, start + _CHUNK, end)
        if cut is None:
            break
        yield text[start : cut.end()]
        start = cut.end()
    if start < end:
        yield text[start:end]


class _Runs:
    """Runs without white space, as scripts that use none have: all of them, or an even sample of `RUN_CHARACTERS`.

    In them hardly two words are the same, so that each one costs the trainer time and memory: 200 bytes for a character.
    Of parts side by side, every second is left out whenever there are too many: what stays depends on the text alone.
    """

    def __init__(self) -> None:
        self.kept: list[str] = []
        self._size = self._number = 0
        self._step = 1

    def add(self, run: str) -> None:
        """Take a run, a part of it, or nothing of it."""
        parts = [run] if len(run) <= LONGEST_WORD else (run[at : at + _PART] for at in range(0, len(run), _PART))
        for part in parts:
            if self._number % self._step == 0:
                self.kept.append(part)
                self._size += len(part)
            self._number += 1
            if self._size > RUN_CHARACTERS:
                self.kept = self.kept[::2]
                self._size = sum(map(len, self.kept))
                self._step *= 2

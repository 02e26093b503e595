"""Learn byte pairs from text with Hugging Face's trainer (Sennrich et al., 2016; on bytes: Radford et al., 2019)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from pentad import END_OF_TEXT, OptionsDoNotFit, UsageError, utf8
from pentad_bpe.options import BPEOptions
from pentad_bpe.splitting import SplitPattern, pattern_of
from pentad_bpe.superwords import MOST_TOKENS, Sample, learn
from pentad_bpe.vocabulary import alphabet

LONGEST_WORD = 1024
"""In training, longer runs without a cut are cut every so many characters: the trainer's time is quadratic in them."""

RUN_CHARACTERS = 2_000_000
"""In training, the most characters of long runs without white space. 10 million took 76 s and 2.0 GB."""

_CHUNK = 64 * 1024
_PART = 64
_LONG = 65


def train(texts: Iterable[str], options: BPEOptions) -> str:
    """Return the trained tokenizer as JSON in the format of Hugging Face's `tokenizer.json`.

    The trainer is deterministic: ties between pairs go to the lower ids.

    Raises:
        UsageError: the texts cannot give so many tokens, or hold a lone surrogate.
    """
    n_superwords = int((options.vocab_size - 257) * options.superwords)
    if not n_superwords:
        return _finished(_learned(texts, options, options.vocab_size), pattern_of(options.split_pattern, options.max_digits))
    sample = Sample()
    tokenizer = _learned(sample.passing(texts), options, options.vocab_size - n_superwords)
    return _finished(_with_superwords(tokenizer, sample.kept, n_superwords, options), pattern_of("none"))


def _learned(texts: Iterable[str], options: BPEOptions, vocab_size: int) -> tokenizers.Tokenizer:
    """Return so many ids, without the end of text, learned inside words."""
    pattern = pattern_of(options.split_pattern, options.max_digits)
    tokenizer = tokenizers.Tokenizer(models.BPE())
    long_words = pre_tokenizers.FixedLength(LONGEST_WORD)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*_words(pattern), long_words, _to_bytes()])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1,  # the end of text comes on top
        min_frequency=options.min_frequency,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_chunks(texts, options.train_mb * 1_000_000, pattern), trainer=trainer)
    found = tokenizer.get_vocab_size() + 1
    if found < vocab_size:
        # Of the merges that were asked for, this share is to be learned inside words.
        share = (vocab_size - 257) / (options.vocab_size - 257)
        raise _too_large(options.vocab_size, 257 + int((found - 257) / share))
    return tokenizer


def _with_superwords(
    tokenizer: tokenizers.Tokenizer, texts: Sequence[str], n_superwords: int, options: BPEOptions
) -> tokenizers.Tokenizer:
    """Return the tokenizer with so many merges more, learned over the borders of words."""
    content = json.loads(tokenizer.to_str())
    model = content["model"]
    spelled = sorted(model["vocab"], key=model["vocab"].get)
    if len(spelled) > MOST_TOKENS:
        raise UsageError(
            f"--tokenizer.superwords can add to {MOST_TOKENS:,} ids at most; found {len(spelled):,} learned inside words.",
            "Use a smaller --tokenizer.vocab-size, or a larger share.",
            code="too-many-before-superwords",
        )
    byte_of = alphabet()
    tokens = [b"".join(byte_of[character] for character in piece) for piece in spelled]
    merges = learn(tokens, texts, n_superwords, options.min_frequency)
    if len(merges) < n_superwords:
        raise _too_large(options.vocab_size, 257 + int(len(merges) / options.superwords))
    for left, right in merges:
        model["merges"].append([spelled[left], spelled[right]])
        model["vocab"][spelled[left] + spelled[right]] = len(spelled)
        spelled.append(spelled[left] + spelled[right])
    return tokenizers.Tokenizer.from_str(json.dumps(content))


def _finished(tokenizer: tokenizers.Tokenizer, pattern: SplitPattern) -> str:
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*_words(pattern), _to_bytes()])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_TEXT])
    return tokenizer.to_str()


def _words(pattern: SplitPattern) -> list[pre_tokenizers.PreTokenizer]:
    return [pre_tokenizers.Split(tokenizers.Regex(pattern.library), "isolated")] if pattern.library else []


def _to_bytes() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def _too_large(asked: int, largest: int) -> OptionsDoNotFit:
    return OptionsDoNotFit(
        f"A vocabulary of {asked} was asked for; the training text gives at most {largest}.",
        f"Use --tokenizer.vocab-size {largest} or less, or train on more text.",
        code="vocabulary-too-large",
        fitting={"vocab_size": largest},
    )


def _long_run(pattern: SplitPattern) -> re.Pattern[str]:
    """Return what finds a run with what stands in front of it in the same word: cut out, it is counted as in its place."""
    if not pattern.looks_ahead:
        return re.compile(rf"(?:(?<!\s) |(?<!\S))\S{{{_LONG},}}")
    space = r"[^\S\r\n]" if pattern.takes_line_ends else r"\s"
    return re.compile(rf"(?:{space}|(?<!\S))\S{{{_LONG},}}")


def _cut(pattern: SplitPattern) -> re.Pattern[str]:
    """Return what finds where the pattern always cuts: where this white space follows another character, at whose end."""
    return re.compile(r"\S(?= )" if pattern.takes_line_ends else r"\S(?=[ \n])")


def _chunks(texts: Iterable[str], most: int, pattern: SplitPattern) -> Iterator[str]:
    """Yield the texts in short pieces, so that the trainer, which holds 256 of them, needs little memory; long runs last.

    Without a pattern, all of a text is one long run.
    """
    runs, long_run = _Runs(), _long_run(pattern)
    left = most
    for text in texts:
        if not text.isascii():
            utf8(text[:left])
        end = min(len(text), left)
        left -= end
        if not pattern.library:
            runs.add(text[:end])
            end = 0
        for start, stop in _short(text, end, _cut(pattern)):
            piece = text[start:stop]
            # Hardly a text has such a run, and the expression takes four times as long to see that.
            if max(map(len, piece.split()), default=0) < _LONG:
                yield piece
                continue
            for run in long_run.finditer(text, start, stop):
                if start < run.start():
                    yield text[start : run.start()]
                runs.add(run.group())
                start = run.end()
            if start < stop:
                yield text[start:stop]
        if left <= 0:
            break
    yield from runs.kept


def _short(text: str, end: int, cut: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Yield where pieces of the text start and stop, each a little more than `_CHUNK` characters."""
    start = 0
    while end - start > _CHUNK:
        found = cut.search(text, start + _CHUNK, end)
        if found is None:
            break
        yield start, found.end()
        start = found.end()
    if start < end:
        yield start, end


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

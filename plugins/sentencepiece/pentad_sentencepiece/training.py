"""Learn pieces from text with sentencepiece's trainer (Kudo and Richardson, 2018; unigram: Kudo, 2018), losing none."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

import sentencepiece

from pentad import END_OF_TEXT, EngineError, OptionsDoNotFit, UsageError, utf8
from pentad_sentencepiece.cutting import Thinner, short_parts
from pentad_sentencepiece.options import SentencePieceOptions

# The trainer leaves out each document that holds its own marks; it needs them for spaces, for unknowns and for the end.
_RESERVED = re.compile("[\u2581\u2585\0]+")

_THREADS = 4  # a constant: unigram's sums, and so its pieces, depend on how many threads share the work

# What makes it lossless, beside bytes for unseen characters: no normalization, no space added in front, none removed.
_LOSSLESS: dict[str, Any] = {
    "normalization_rule_name": "identity",
    "add_dummy_prefix": False,
    "remove_extra_whitespaces": False,
    "allow_whitespace_only_pieces": True,
}


def train(texts: Iterable[str], options: SentencePieceOptions) -> bytes:
    """Return the trained model as sentencepiece's serialized proto.

    Raises:
        UsageError: the texts cannot give so many pieces, or need more, or hold a lone surrogate.
    """
    model, failures = io.BytesIO(), list[BaseException]()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_noting(_sentences(texts, options.train_mb * 1_000_000), failures),
            model_writer=model,
            model_type=options.model_type,
            vocab_size=options.vocab_size,
            character_coverage=options.character_coverage,
            byte_fallback=options.byte_fallback,
            split_digits=options.split_digits,
            split_by_whitespace=options.split_by_whitespace,
            split_by_number=options.split_by_number,
            split_by_unicode_script=options.split_by_unicode_script,
            max_sentencepiece_length=options.max_piece_length,
            max_sentence_length=2**30,  # in bytes; the default leaves out all but short documents
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            control_symbols=[END_OF_TEXT],
            num_threads=_THREADS,
            minloglevel=3,  # only what is fatal
            **_LOSSLESS,
        )
    except RuntimeError as error:
        if failures:
            raise failures[0] from None
        raise _explain(str(error), options.vocab_size) from None
    return model.getvalue()


def _explain(message: str, asked: int) -> EngineError:
    if found := re.search(r"too high.*<= (\d+)", message):
        return OptionsDoNotFit(
            f"A vocabulary of {asked} was asked for; the training text gives at most {found[1]}.",
            f"Use --tokenizer.vocab-size {found[1]} or less, or train on more text.",
            code="vocabulary-too-large",
            fitting={"vocab_size": int(found[1])},
        )
    if found := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return OptionsDoNotFit(
            f"A vocabulary of {asked} was asked for; the training text's characters alone need {found[1]}.",
            f"Use --tokenizer.vocab-size {found[1]} or more, or a smaller --tokenizer.character-coverage.",
            code="vocabulary-too-small",
            fitting={"vocab_size": int(found[1])},
        )
    if "sentences_.empty()" in message or "all_chars_count" in message:
        return UsageError("sentencepiece needs a text to train on; found none.", "Train on more text.", code="text-empty")
    return EngineError(
        f"sentencepiece could not be trained: {message.strip()}", "Try --tokenizer bpe.", code="tokenizer-not-trained"
    )


def _noting(texts: Iterator[str], failures: list[BaseException]) -> Iterator[str]:
    """Pass the texts on and keep what goes wrong in them, Ctrl-C too: the trainer turns it into a RuntimeError."""
    try:
        yield from texts
    except BaseException as error:
        failures.append(error)
        raise


def _sentences(texts: Iterable[str], most: int) -> Iterator[str]:
    left, thinner = most, Thinner()
    for text in texts:
        if not text.isascii():
            utf8(text)
        for passage in _RESERVED.split(text[:left]):
            yield from (part for part in short_parts(passage) if thinner.takes(part))
        left -= len(text)
        if left <= 0:
            return

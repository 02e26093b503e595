"""GPT-2's tokenizer through tiktoken, built from the merges in this package; its ids are those of tiktoken's `gpt2`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import tiktoken

from pentad import END_OF_TEXT, EngineError, NoOptions, TokenIds, Tokenizer, utf8
from pentad_gpt2.vocabulary import SHA256, ranks

# GPT-2's pattern as tiktoken spells it: the same pieces as the original, with possessive quantifiers, which are faster.
_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"

_SAFE_LENGTH = 512 * 1024
_SPACE = r"[^\S\x1c-\x1f]"  # Unicode's White_Space, as in tiktoken; Python's \s holds four control characters more
_LONG_SPACE = re.compile(f"(?<!{_SPACE}){_SPACE}{{{_SAFE_LENGTH // 2},}}")

_FILE = "gpt2.json"


class GPT2(Tokenizer):
    """GPT-2's 50,256 tokens and `<|endoftext|>` (Radford et al., Language Models are Unsupervised Multitask Learners, 2019)."""

    def __init__(self, options: NoOptions) -> None:
        del options
        ranked = ranks()
        self._end_of_text = len(ranked)
        self._tokens = [*ranked, b""]
        self._encoding = tiktoken.Encoding(
            "pentad-gpt2",
            pat_str=_PATTERN,
            mergeable_ranks=ranked,
            # Registered although text never reaches it: encode_to_numpy is fast only with a special token.
            special_tokens={END_OF_TEXT: self._end_of_text},
        )

    @property
    def vocab_size(self) -> int:
        """50,257."""
        return len(self._tokens)

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """The end of text, 50256."""
        return {END_OF_TEXT: self._end_of_text}

    def train(self, texts: Iterable[str]) -> None:
        """Do nothing: the vocabulary is fixed."""

    def encode(self, text: str) -> TokenIds:
        """Return the ids (T,) that tiktoken's `gpt2` gives, also for texts with a run of white space on which it fails."""
        pieces = [self._encode_piece(piece) for piece in _pieces(text)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _encode_piece(self, text: str) -> TokenIds:
        try:
            return self._encoding.encode_to_numpy(text, disallowed_special=()).copy()
        except UnicodeEncodeError:
            utf8(text)  # says where the lone surrogate is
            raise

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of an id; none for the end of text."""
        return self._tokens[token]

    def save(self, folder: Path) -> None:
        """Write the digest of the merges; the merges themselves are in this package."""
        (folder / _FILE).write_text(json.dumps({"format": 1, "merges_sha256": SHA256}) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Check that the folder was written by this tokenizer with the same merges.

        Raises:
            EngineError: it was not.
        """
        path = folder / _FILE
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise EngineError(
                f"Expected a saved gpt2 tokenizer at {path}: {error.strerror}.",
                "Check the folder.",
                code="saved-file-unreadable",
            ) from None
        except (ValueError, RecursionError):
            found = None
        if found != {"format": 1, "merges_sha256": SHA256}:
            raise EngineError(
                f"The saved gpt2 tokenizer at {path} is damaged or from a newer version.",
                "Make the run again.",
                code="tokenizer-damaged",
            )


def _pieces(text: str) -> Iterator[str]:
    """Cut a long text where no id changes, so that no run of white space overflows the stack of tiktoken's matcher.

    The pattern takes a run of white space but its last character when a word follows, and the whole run at the end of
    a text. So a cut right before the run's last character leaves the ids as they were.
    """
    start = 0
    if len(text) > _SAFE_LENGTH:
        for run in _LONG_SPACE.finditer(text):
            if run.end() < len(text):
                yield text[start : run.end() - 1]
                start = run.end() - 1
    yield text[start:]

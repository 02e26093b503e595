"""A vocabulary of byte pairs that others trained, in the format of tiktoken (OpenAI, 2022), which encodes by it.

A token of a line, in base64, and its rank, which is its id: the order in which Sennrich et al., 2016, would have merged it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pentad import END_OF_TEXT, EngineError, TokenIds, Tokenizer, UsageError
from pentad_bpe.encoder import Encoder
from pentad_bpe.options import TiktokenOptions
from pentad_bpe.ranks import NoVocabulary, encoding, parse, read
from pentad_bpe.splitting import pattern_of

_FILE = "vocabulary.tiktoken"
_DESCRIPTION = "tiktoken.json"


class Tiktoken(Tokenizer):
    """Byte pairs by published ranks; ids are those of tiktoken. Text never becomes a special token."""

    def __init__(self, options: TiktokenOptions) -> None:
        self._options = options
        self._content = b""
        self._encoder: Encoder | None = None
        self._tokens: list[bytes] = []
        self._special: Mapping[str, int] = {}

    @property
    def vocab_size(self) -> int:
        """The highest id and one; ids between that the encoding leaves out stand for nothing."""
        self._loaded()
        return len(self._tokens)

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """Those of the encoding; of a file alone the end of text, behind its ids."""
        self._loaded()
        return self._special

    def source_fingerprint(self) -> str:
        """Return the digest of the file.

        Raises:
            UsageError: it is missing.
        """
        return hashlib.sha256(read(self._options.path, self._options.encoding)).hexdigest()

    def train(self, texts: Iterable[str]) -> None:
        """Read the file; the vocabulary is fixed, and no text is looked at.

        Raises:
            UsageError: the file is missing, no vocabulary, or not that of the encoding.
        """
        del texts
        content = read(self._options.path, self._options.encoding)
        try:
            self._become(content)
        except NoVocabulary as error:
            raise UsageError(
                f"Expected a vocabulary in tiktoken's format at {self._options.path or 'the cache of tiktoken'}: {error}.",
                "Give another file; for a tokenizer.json use --tokenizer huggingface.",
                code="tokenizer-file-invalid",
            ) from None

    def encode(self, text: str) -> TokenIds:
        """Return the ids (T,) that tiktoken gives. Threads run side by side in here.

        Raises:
            UsageError: the text holds a lone surrogate.
        """
        return self._loaded().encode(text)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of an id; none for special tokens and for ids that are left out."""
        return self._tokens[token]

    def save(self, folder: Path) -> None:
        """Write a copy of the file, and its digest."""
        self._loaded()
        (folder / _FILE).write_bytes(self._content)
        description = {"format": 1, "sha256": hashlib.sha256(self._content).hexdigest()}
        (folder / _DESCRIPTION).write_text(json.dumps(description) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Read the copy.

        Raises:
            EngineError: a file is missing or damaged.
        """
        try:
            content = read(str(folder / _FILE), None)
            found = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        except (OSError, UsageError):
            raise EngineError(
                f"Expected a saved tiktoken tokenizer in {folder}: {_FILE} or {_DESCRIPTION} cannot be read.",
                "Check the folder.",
                code="saved-file-unreadable",
            ) from None
        except (ValueError, RecursionError):
            found = None
        try:
            if found != {"format": 1, "sha256": hashlib.sha256(content).hexdigest()}:
                raise NoVocabulary("its digest is another")
            self._become(content)
        except NoVocabulary as error:
            raise EngineError(
                f"The saved tiktoken tokenizer in {folder} is damaged or from a newer version: {error}.",
                "Make the run again.",
                code="tokenizer-damaged",
            ) from None

    def _become(self, content: bytes) -> None:
        named = encoding(self._options.encoding) if self._options.encoding else None
        if named and hashlib.sha256(content).hexdigest() != named.sha256:
            raise NoVocabulary(f"it is not the file of {self._options.encoding}, whose SHA-256 is {named.sha256}")
        ranks = parse(content)
        pattern = named.pattern if named else pattern_of(self._options.split_pattern, self._options.max_digits)
        self._special = named.special if named else {END_OF_TEXT: max(ranks.values()) + 1}
        self._encoder = Encoder(pattern, ranks, self._special[END_OF_TEXT])
        self._tokens = [b""] * (max(*ranks.values(), *self._special.values()) + 1)
        for token, rank in ranks.items():
            self._tokens[rank] = token
        self._content = content

    def _loaded(self) -> Encoder:
        if self._encoder is None:
            raise EngineError(
                "The tiktoken tokenizer has no vocabulary yet.",
                "Read a .tiktoken file with train, or load a saved one.",
                code="tokenizer-untrained",
            )
        return self._encoder

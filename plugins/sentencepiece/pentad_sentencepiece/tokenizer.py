"""SentencePiece (Kudo and Richardson, 2018) as a lossless tokenizer: each text comes back, unless bytes are off."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece

from pentad import END_OF_TEXT, EngineError, Segmentation, TokenIds, Tokenizer, utf8
from pentad_sentencepiece.cutting import chunks
from pentad_sentencepiece.options import SentencePieceOptions

_MODEL = "sentencepiece.model"
_DESCRIPTION = "sentencepiece.json"

LONGEST_WORD = 256
"""Characters of a text whose best ways are looked for: the lattice of a long one has many that hardly differ."""

_SEEDED = threading.Lock()  # sentencepiece has one seed for all of the process

_UNKNOWN = 0
_SPACE = "\u2581"  # sentencepiece writes a space so, and would give a space back for this character itself


class SentencePiece(Tokenizer):
    """Pieces of words by unigram language model or byte-pair encoding, with bytes for characters never seen.

    Id 0 is sentencepiece's unknown piece, which comes up only without bytes, 1 is the end of text, then come 256 bytes and the
    pieces. A text longer than `cutting.CHUNK` characters is cut before spaces; pieces that hold spaces (`split_by_whitespace`
    false) do not go over a cut.
    """

    def __init__(self, options: SentencePieceOptions) -> None:
        self.lossless = options.byte_fallback
        self.sample_bytes = options.train_mb * 1_000_000
        self._alpha = options.dropout or None if options.model_type == "bpe" else options.alpha
        self.random_cuts = self._alpha is not None
        self._options = options
        self._model = b""
        self._tokens: list[bytes] = []
        self._processor: sentencepiece.SentencePieceProcessor | None = None

    @property
    def vocab_size(self) -> int:
        """The number of ids, the end of text included."""
        self._trained()
        return len(self._tokens)

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """The end of text."""
        return {END_OF_TEXT: self._trained().piece_to_id(END_OF_TEXT)}

    def train(self, texts: Iterable[str]) -> None:
        """Learn the pieces from texts.

        Raises:
            UsageError: the texts cannot give so many pieces, or need more, or hold a lone surrogate.
        """
        from pentad_sentencepiece.training import train

        self._become(train(texts, self._options))

    def encode(self, text: str) -> TokenIds:
        """Return the ids (T,). Threads run side by side in here."""
        return self._encode(text)

    def encode_randomly(self, text: str, source: np.random.Generator) -> TokenIds:
        """Return the ids (T,) of a training text by sentencepiece's own sampling.

        Of unigram all ways by their probability (Kudo, 2018); of bpe merges left out (Provilkov et al., 2020), each for good.
        """
        if self._alpha is None:
            return self._encode(text)
        with _SEEDED:
            sentencepiece.set_random_generator_seed(int(source.integers((1 << 32) - 1)))
            return self._encode(text, enable_sampling=True, nbest_size=-1, alpha=self._alpha)

    def _encode(self, text: str, **sampling: Any) -> TokenIds:
        if not text.isascii():
            utf8(text)
        processor, parts = self._trained(), []
        for number, part in enumerate(text.split(_SPACE)):
            if number:
                parts.append(self._underline)
            # One by one: for a list sentencepiece starts a thread, which costs more than a short text.
            parts.extend(processor.encode(chunk, return_type="numpy", **sampling) for chunk in chunks(part))
        return np.concatenate(parts).astype(np.uint32)

    def segmentations(self, text: str, most: int) -> Sequence[Segmentation]:
        """Return the best paths through unigram's lattice (Kudo, 2018); none of a bpe model, nor where bytes are needed."""
        processor = self._trained()
        if not text or len(text) > LONGEST_WORD or _SPACE in text:
            return ()
        utf8(text)
        try:
            paths = processor.nbest_encode_as_ids(text, most)
        except RuntimeError:  # how sentencepiece says that it merges
            return ()
        if any(processor.is_byte(token) or processor.is_unknown(token) for path in paths for token in path):
            return ()  # these have no probability of their own
        return [Segmentation(tuple(path), tuple(map(processor.get_score, path))) for path in paths]

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of an id; none for the end of text and the unknown piece."""
        return self._tokens[token]

    def save(self, folder: Path) -> None:
        """Write sentencepiece's own model file, and its digest."""
        self._trained()
        (folder / _MODEL).write_bytes(self._model)
        description = {"format": 1, "model_sha256": hashlib.sha256(self._model).hexdigest()}
        (folder / _DESCRIPTION).write_text(json.dumps(description) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Read the model file.

        Raises:
            EngineError: a file is missing or damaged.
        """
        try:
            model = (folder / _MODEL).read_bytes()
            description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        except OSError as error:
            raise EngineError(
                f"Expected a saved sentencepiece tokenizer in {folder}: {error.strerror}.",
                "Check the folder.",
                code="saved-file-unreadable",
            ) from None
        except (ValueError, RecursionError):
            description = None
        if description != {"format": 1, "model_sha256": hashlib.sha256(model).hexdigest()}:
            raise _damaged(folder)
        try:
            self._become(model)
        except (RuntimeError, ValueError):
            raise _damaged(folder) from None

    def _become(self, model: bytes) -> None:
        processor = sentencepiece.SentencePieceProcessor()
        processor.load_from_serialized_proto(model)
        special = processor.piece_to_id(END_OF_TEXT)
        if not processor.is_control(special):
            raise ValueError(f"the model has no {END_OF_TEXT}")
        tokens = [_bytes_of(processor, token) for token in range(processor.get_piece_size())]
        spelled = [processor.piece_to_id(f"<0x{byte:02X}>") for byte in _SPACE.encode()] if self.lossless else [_UNKNOWN]
        if self.lossless and not all(map(processor.is_byte, spelled)):
            raise ValueError("the model has no bytes")
        self._underline = np.array(spelled, dtype=np.uint32)
        self._processor, self._tokens, self._model = processor, tokens, model

    def _trained(self) -> sentencepiece.SentencePieceProcessor:
        if self._processor is None:
            raise EngineError(
                "The sentencepiece tokenizer has no vocabulary yet.",
                "Train it on text, or load a saved one.",
                code="tokenizer-untrained",
            )
        return self._processor


def _bytes_of(processor: sentencepiece.SentencePieceProcessor, token: int) -> bytes:
    if processor.is_control(token) or processor.is_unknown(token):
        return b""
    piece: str = processor.id_to_piece(token)
    if processor.is_byte(token):
        return bytes.fromhex(piece[3:5])  # <0x41>
    return piece.replace(_SPACE, " ").encode()


def _damaged(folder: Path) -> EngineError:
    return EngineError(
        f"The saved sentencepiece tokenizer in {folder} is damaged or from a newer version.",
        "Train it again.",
        code="tokenizer-damaged",
    )

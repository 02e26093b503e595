"""Token shards: a text as ids on disk, memory-mapped, kept in the cache and used by every run with the same text and tokenizer.

A shard is one end-of-text id, then every document followed by one, in uint16 where the vocabulary allows, else uint32, little
endian. It is keyed by the fingerprints of text and tokenizer, and its digest is checked before each use.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pentad.config.options import to_dict
from pentad.contracts.tokenizer import TokenIds, Tokenizer
from pentad.data.pieces import Piece, Pieces
from pentad.data.split import Part, Split
from pentad.registry.catalogue import Offer
from pentad.system.cache import cache_directory, cached, folder_fingerprint
from pentad.system.errors import EngineError

__all__ = [
    "TokenShard",
    "cache_directory",
    "folder_fingerprint",
    "sample",
    "tokenize_split",
    "tokenizer_fingerprint",
    "trained_tokenizer",
]

FORMAT = 1
BATCH_CHARACTERS = 8 << 20
"""Text handed to the tokenizer at once: enough pieces for many cores, few enough to keep memory bounded."""

BATCH_PIECES = 1 << 15
"""Short documents cost more memory as objects than as text."""

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes of the whole part."""


@dataclass(frozen=True, eq=False)
class TokenShard:
    """A part of the text as token ids.

    Args:
        tokens: (n_tokens,) uint16 or uint32, memory-mapped and read-only.
        n_bytes: UTF-8 bytes of the text that the ids stand for.
        n_documents: documents in it.
        fingerprint: of text and tokenizer together.
    """

    tokens: npt.NDArray[np.unsignedinteger[Any]]
    n_bytes: int
    n_documents: int
    fingerprint: str

    @property
    def n_tokens(self) -> int:
        """Ids in the shard, end-of-text ids included."""
        return int(self.tokens.shape[0])


def tokenize_split(
    part: Part, tokenizer: Tokenizer, tokenizer_fingerprint: str, cache: Path, progress: Progress | None = None
) -> TokenShard:
    """Encode a part of the text, or take the shard that an earlier run made of it.

    Args:
        part: the text.
        tokenizer: trained.
        tokenizer_fingerprint: tells this trained tokenizer from any other.
        cache: where shards are kept, from `cache_directory`.
        progress: told how far the encoding is.

    Raises:
        EngineError: the disk is full, the cache cannot be written, the text changed while it was read, or the tokenizer
            gives an id that its vocabulary does not have. Nothing half is left.
    """
    key = _key("shard", str(FORMAT), part.fingerprint, tokenizer_fingerprint)
    folder = cached(cache / "shards" / key, lambda folder: _write(folder, part, tokenizer, progress))
    facts = json.loads((folder / "shard.json").read_text())
    tokens = np.memmap(folder / "tokens.bin", dtype=facts["dtype"], mode="r")
    return TokenShard(tokens, facts["n_bytes"], facts["n_documents"], key)


def _write(folder: Path, part: Part, tokenizer: Tokenizer, progress: Progress | None) -> None:
    dtype = np.dtype("<u2" if tokenizer.vocab_size <= 1 << 16 else "<u4")
    n_bytes = n_documents = 0
    total = part.n_bytes
    with (folder / "tokens.bin").open("wb") as file:
        _append(file, _end(tokenizer), dtype, tokenizer)
        for batch in _ahead(_batches(part)):
            _append(file, _encoded(batch, tokenizer), dtype, tokenizer)
            n_documents += sum(piece.ends_document for piece in batch)
            n_bytes += sum(_utf8_size(piece.text) for piece in batch)
            if progress is not None:
                progress(n_bytes, total)
    facts = {"format": FORMAT, "dtype": dtype.str, "n_bytes": n_bytes, "n_documents": n_documents}
    (folder / "shard.json").write_text(json.dumps(facts))


def _end(tokenizer: Tokenizer) -> TokenIds:
    return np.array([tokenizer.end_of_text], dtype=np.uint32)


def _encoded(batch: list[Piece], tokenizer: Tokenizer) -> TokenIds:
    """Return the ids of the pieces, one after the other, with an end of text after each document."""
    end = _end(tokenizer)
    ids: list[TokenIds] = []
    for piece, found in zip(batch, tokenizer.encode_batch([piece.text for piece in batch]), strict=True):
        ids += (found, end) if piece.ends_document else (found,)
    return np.concatenate(ids)


def _append(file: BinaryIO, ids: TokenIds, dtype: np.dtype[Any], tokenizer: Tokenizer) -> None:
    if not ids.size:
        return
    lowest, highest = int(ids.min()), int(ids.max())
    if lowest < 0 or highest >= tokenizer.vocab_size:
        found = lowest if lowest < 0 else highest
        message = f"A tokenizer must give ids from 0 to below its vocab_size of {tokenizer.vocab_size}; found {found}."
        raise EngineError(
            message, "Report it to the tokenizer's author (engine plugins check shows more).", code="plugin-contract"
        )
    file.write(ids.astype(dtype, copy=False).data)


def _utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _batches(part: Pieces) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    size = 0
    for piece in part.pieces():
        batch.append(piece)
        size += len(piece.text)
        if size >= BATCH_CHARACTERS or len(batch) >= BATCH_PIECES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _ahead(batches: Iterator[list[Piece]]) -> Iterator[list[Piece]]:
    """Read the next batch while the tokenizer is busy with this one."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def tokenizer_fingerprint(offer: Offer[Any], options: Any, folder: Path) -> str:
    """Return what tells a trained tokenizer from any other: who made it, with which options, and the files that it saved."""
    return _key("tokenizer", *_identity(offer, options), folder_fingerprint(folder))


def trained_tokenizer(offer: Offer[Any], options: Any, split: Split, cache: Path) -> tuple[Tokenizer, Path, str]:
    """Train a tokenizer on the training part, of which it gets `sample_bytes`, or load the one that an earlier run trained.

    Args:
        offer: the implementation.
        options: its options.
        split: the text; the held-out part is not read.
        cache: where trained tokenizers are kept, from `cache_directory`.

    Returns:
        The tokenizer, the folder that it was saved into, and its fingerprint.

    Raises:
        UsageError: the text cannot give the vocabulary that the options ask for.
        EngineError: the disk is full or the cache cannot be written.
    """
    tokenizer: Tokenizer = offer.make(options)
    sample_bytes = tokenizer.sample_bytes

    def build(folder: Path) -> None:
        untrained: Tokenizer = offer.make(options)
        untrained.train(sample(split.train, sample_bytes))
        untrained.save(folder)

    key = _key("trained", *_identity(offer, options), split.train.fingerprint, str(sample_bytes))
    folder = cached(cache / "tokenizers" / key, build)
    tokenizer.load(folder)
    return tokenizer, folder, tokenizer_fingerprint(offer, options, folder)


def sample(part: Part, n_bytes: int | None) -> Iterator[str]:
    """Yield pieces of about `n_bytes` in all, spread evenly over the text; the whole text when it is no longer, or for None."""
    share = 1.0 if n_bytes is None else min(1.0, n_bytes / max(part.n_bytes, 1))
    seen = taken = 0
    for piece in part.pieces():
        size = _utf8_size(piece.text)
        seen += size
        if share == 1.0 or taken + size <= seen * share:
            taken += size
            yield piece.text


def _identity(offer: Offer[Any], options: Any) -> tuple[str, ...]:
    values: Mapping[str, Any] = to_dict(options)
    return offer.fingerprint, offer.name, json.dumps(values, sort_keys=True)


def _key(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]

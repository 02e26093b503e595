"""Token shards: a text as ids on disk, memory-mapped, kept in the cache and used by every run with the same text and tokenizer.

A shard is one end-of-text id, then every document followed by one: `ids.bin`, uint16 where the vocabulary allows, else uint32,
little endian. Beside it stand the place of each end-of-text id (`starts.bin`, int64), which ids are learned (`learn.bin`, one
byte each, only where something is masked) and the number of each document's source (`sources.bin`, int64, only where there
are several). It is keyed by the fingerprints of text, tokenizer and rendering, and by the seed where training text is cut
at random; its digests are checked before each use.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pentad.config.options import to_dict
from pentad.contracts.batch import Tokens
from pentad.contracts.tokenizer import Tokenizer
from pentad.data.pieces import Piece, cut
from pentad.data.rendering import PLAIN, Encode, Encoded, Rendering, encode, encoder_of, utf8_size, whole_or_cut
from pentad.data.split import Part, Split
from pentad.registry.offers import Offer
from pentad.system.cache import CONTENT, cache_directory, folder_fingerprint, from_cache
from pentad.system.files import HeldFiles

__all__ = [
    "TokenShard",
    "cache_directory",
    "folder_fingerprint",
    "sample",
    "tokenize_split",
    "tokenizer_fingerprint",
    "trained_tokenizer",
]

FORMAT = 3
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
        tokens: the ids with their documents, memory-mapped and read-only.
        n_bytes: UTF-8 bytes of the text that is learned, and so judged: of all of it where nothing is masked. Special tokens
            and the ends of texts stand for none.
        n_documents: documents in it.
        fingerprint: of text, tokenizer and rendering together.
        lost_bytes: of `n_bytes`, those that cannot be had back from the ids: none where the tokenizer is lossless.
    """

    tokens: Tokens
    n_bytes: int
    n_documents: int
    fingerprint: str
    lost_bytes: int = 0

    @property
    def n_tokens(self) -> int:
        """Ids in the shard, end-of-text ids included."""
        return len(self.tokens)


def tokenize_split(
    part: Part,
    tokenizer: Tokenizer,
    tokenizer_fingerprint: str,
    cache: Path,
    progress: Progress | None = None,
    rendering: Rendering = PLAIN,
    seed: int | None = None,
) -> TokenShard:
    """Encode a part of the text, or take the shard that an earlier run made of it.

    Args:
        part: the text.
        tokenizer: trained.
        tokenizer_fingerprint: tells this trained tokenizer from any other.
        cache: where shards are kept, from `cache_directory`.
        progress: told how far the encoding is.
        rendering: how the builder makes documents of records.
        seed: of the random cuts of a tokenizer that has such, for training text; None for text that is judged.

    Raises:
        UsageError: the builder cannot use a record.
        EngineError: the disk is full, the cache cannot be written, the text changed while it was read, the tokenizer gives
            an id that its vocabulary does not have, or the builder cannot render. Nothing half is left.
    """
    cuts = () if seed is None or not tokenizer.random_cuts else (f"random cuts {seed}",)
    key = _key("shard", str(FORMAT), part.fingerprint, tokenizer_fingerprint, rendering.fingerprint, *cuts)

    def use(files: HeldFiles) -> TokenShard:
        facts = files.read_json(f"{CONTENT}/shard.json")

        def mapped(name: str, dtype: Any) -> Any:
            path = f"{CONTENT}/{name}.bin"
            return np.memmap(files.open(path), dtype=dtype, mode="r") if path in files else None

        tokens = Tokens(
            ids=mapped("ids", facts["dtype"]),
            starts=mapped("starts", "<i8"),
            learn=mapped("learn", np.bool_),
            sources=mapped("sources", "<i8"),
        )
        return TokenShard(tokens, facts["n_bytes"], facts["n_documents"], key, facts["lost_bytes"])

    def write(folder: Path) -> None:
        _write(folder, part, tokenizer, rendering, encoder_of(tokenizer, seed), progress)

    return from_cache(cache / "shards" / key, write, use)


def _write(folder: Path, part: Part, tokenizer: Tokenizer, rendering: Rendering, by: Encode, progress: Progress | None) -> None:
    dtype = np.dtype("<u2" if tokenizer.vocab_size + len(rendering.special) <= 1 << 16 else "<u4")
    n_bytes = read_bytes = lost_bytes = 0
    total = part.n_bytes
    with _Files(folder, dtype, tokenizer.end_of_text) as files:
        for batch in _ahead(_batches(whole_or_cut(part.pieces(), rendering))):
            encoded = encode(batch, tokenizer, rendering, by)
            files.append(encoded)
            n_bytes += encoded.n_bytes
            lost_bytes += encoded.lost_bytes
            read_bytes += encoded.read_bytes
            if progress is not None:
                progress(read_bytes, total)
    counted = {"n_bytes": n_bytes, "n_documents": files.n_documents, "lost_bytes": lost_bytes}
    facts = {"format": FORMAT, "dtype": dtype.str, **counted}
    (folder / "shard.json").write_text(json.dumps(facts))


class _Files:
    """The arrays of a shard while they are written; those that say nothing are not kept."""

    def __init__(self, folder: Path, dtype: np.dtype[Any], end_of_text: int) -> None:
        self._folder, self._dtype = folder, dtype
        self._open: dict[str, BinaryIO] = {}
        self.n_documents, self._place = 0, 1
        self._write("ids", np.array([end_of_text]), dtype)
        self._write("starts", np.zeros(1), np.dtype("<i8"))

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._open.values():
            file.close()

    def append(self, encoded: Encoded) -> None:
        """Write what follows."""
        if encoded.learn is not None or "learn" in self._open:
            self._fill("learn", self._place, np.dtype(np.bool_), 1)
            learn = np.ones(len(encoded.ids)) if encoded.learn is None else encoded.learn
            self._write("learn", learn, np.dtype(np.bool_))
        if encoded.sources.any() or "sources" in self._open:
            self._fill("sources", self.n_documents, np.dtype("<i8"), 0)
            self._write("sources", encoded.sources, np.dtype("<i8"))
        self._write("ids", encoded.ids, self._dtype)
        self._write("starts", encoded.ends + self._place, np.dtype("<i8"))
        self._place += len(encoded.ids)
        self.n_documents += len(encoded.ends)

    def _fill(self, name: str, count: int, dtype: np.dtype[Any], value: int) -> None:
        """Write what stands before the first value that says something."""
        if name not in self._open:
            for first in range(0, count, _FILL):
                self._write(name, np.full(min(_FILL, count - first), value), dtype)

    def _write(self, name: str, values: npt.NDArray[Any], dtype: np.dtype[Any]) -> None:
        if name not in self._open:
            self._open[name] = (self._folder / f"{name}.bin").open("wb")
        self._open[name].write(values.astype(dtype, copy=False).data)


_FILL = 1 << 20


def _batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    size = 0
    for piece in pieces:
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
        The tokenizer, a copy of the folder that it was saved into, which lasts as long as it does, and its fingerprint.

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

    source = tokenizer.source_fingerprint()
    key = _key("trained", *_identity(offer, options), split.train.fingerprint, str(sample_bytes), source)
    folder = from_cache(cache / "tokenizers" / key, build, _private_copy)
    weakref.finalize(tokenizer, shutil.rmtree, folder, ignore_errors=True)
    tokenizer.load(folder)
    return tokenizer, folder, tokenizer_fingerprint(offer, options, folder)


def _private_copy(files: HeldFiles) -> Path:
    """Copy an entry of the cache, which may be deleted before a run has its own copy, into a folder of this process."""
    folder = Path(tempfile.mkdtemp(prefix="pentad-"))
    for name in files:
        path = folder / Path(name).relative_to(CONTENT)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as copy:
            shutil.copyfileobj(files.open(name), copy)
    return folder


def sample(part: Part, n_bytes: int | None) -> Iterator[str]:
    """Yield pieces of about `n_bytes` in all, spread evenly over the text; the whole text when it is no longer, or for None."""
    share = 1.0 if n_bytes is None else min(1.0, n_bytes / max(part.n_bytes, 1))
    seen = taken = 0
    for piece in part.pieces():
        size = utf8_size(piece.text)
        seen += size
        if share == 1.0 or taken + size <= seen * share:
            taken += size
            # A record comes whole, however long, and tokenizers learn from pieces.
            yield from (part.text for part in cut([piece.text]))


def _identity(offer: Offer[Any], options: Any) -> tuple[str, ...]:
    values: Mapping[str, Any] = to_dict(options)
    return offer.fingerprint, offer.name, json.dumps(values, sort_keys=True)


def _key(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]

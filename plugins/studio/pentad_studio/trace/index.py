"""A suffix array of a run's training text (Manber and Myers, 1990), kept in the cache and memory-mapped.

The text is kept beside it, its documents with a byte 0xFF between them, which no UTF-8 text has: so no passage crosses from one
into the next. The array is built by libdivsufsort. Files are plain numbers: `text.bin`, `suffixes.npy`, `documents.npy`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from pentad import Catalogue, EngineError, RunObserver, UsageError
from pentad.tools import (
    UNFINISHED,
    Pieces,
    RunDirectory,
    Split,
    cache_directory,
    discard,
    is_stamped,
    locked,
    open_plain,
    open_split,
    read_json,
    stamped,
    write_atomically,
)

MOST_BYTES = 1 << 30
"""The longest training text that is indexed: its array takes four times its size, on disk and while it is built in memory."""

BETWEEN = b"\xff"

Kept = TypeVar("Kept")

Progress = Callable[[str], None]
"""Told what is being done."""


@dataclass(frozen=True, eq=False)
class Documents:
    """A text with its documents.

    Args:
        text: (N,) its bytes, memory-mapped.
        documents: (documents,) where each begins.
    """

    text: npt.NDArray[np.uint8]
    documents: npt.NDArray[np.int64]

    def span(self, number: int) -> tuple[int, int]:
        """Return where a document, counted from 0, begins and ends; what stands between documents is none of it."""
        last = number + 1 == len(self.documents)
        return int(self.documents[number]), (len(self.text) if last else int(self.documents[number + 1])) - 1

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """The bytes (documents,) of each document."""
        return np.diff(self.documents, append=len(self.text)) - 1

    def slice(self, start: int, end: int) -> bytes:
        """Return bytes of the text; what lies outside is left out."""
        return self.text[max(start, 0) : max(end, 0)].tobytes()


@dataclass(frozen=True, eq=False)
class Index(Documents):
    """A training text, to be searched.

    Args:
        suffixes: (N,) the places of its suffixes in the order of bytes, memory-mapped.
    """

    suffixes: npt.NDArray[np.signedinteger[Any]]


def open_index(path: Path, catalogue: Catalogue, progress: Progress | None = None) -> Index:
    """Return the index of a run's training text, built first where it is not in the cache.

    Args:
        path: the run's folder.
        catalogue: what is installed.
        progress: told what is being done.

    Raises:
        UsageError: there is no run, its text is gone, or it is too long.
        EngineError: the text has changed since the run was trained; the cache cannot be written.
    """
    run = RunDirectory.open(path)
    return keep(
        folder_of(run, "suffix-arrays"),
        _load,
        lambda part: _build(part, split_of(run, catalogue), progress or (lambda what: None)),
    )


def is_built(path: Path) -> bool:
    """Say whether the index of a run is in the cache.

    Raises:
        EngineError: the run is damaged.
    """
    return read_kept(folder_of(RunDirectory.open(path), "suffix-arrays"), _load) is not None


def keep(folder: Path, load: Callable[[Path], Kept | None], build: Callable[[Path], None]) -> Kept:
    """Return what is kept in a folder of the cache, built first by one process where it is not there.

    Args:
        folder: of the cache.
        load: reads it; None where it does not fit together.
        build: writes it into an empty folder.

    Raises:
        EngineError: the cache cannot be written, or what was written cannot be read.
    """
    found = read_kept(folder, load)
    if found is not None:
        return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f".{folder.name}.lock")):
        found = read_kept(folder, load)  # another process may have been first
        if found is None:
            _fill(folder, build)
            found = read_kept(folder, load)
    if found is None:
        raise EngineError(f"{folder} cannot be read.", "Remove it, and try again.", code="index-damaged")
    return found


def read_kept(folder: Path, load: Callable[[Path], Kept | None]) -> Kept | None:
    """Return what is in a folder; None where it is not there or is damaged."""
    with contextlib.suppress(EngineError, OSError, *_BAD):
        sealed = read_json(folder / _SEAL)
        small = sum(size for size, _ in _facts(folder, whole=False).values()) <= _MOST_CHECKED
        found = _facts(folder, whole=small)
        same = all(sealed[name][: 1 + small] == facts[: 1 + small] for name, facts in found.items())
        if is_stamped(sealed) and same and len(sealed) == len(found) + 1:
            return load(folder)
    return None


_SEAL = "digest.json"

_MOST_CHECKED = 256 << 20
"""Bytes up to which every byte is checked before use; of what is larger the sizes are, as reading it all takes seconds."""

_BAD = (ValueError, TypeError, KeyError, AttributeError, EOFError, SyntaxError, IndexError)
"""What reading a file raises that is not what it should be."""


def _facts(folder: Path, *, whole: bool) -> dict[str, list[Any]]:
    """Return size and, of the whole files, SHA-256 by name."""
    facts: dict[str, list[Any]] = {}
    for path in folder.iterdir():
        if path.name != _SEAL:
            with open_plain(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                digest = hashlib.file_digest(cast(io.BufferedReader, file), "sha256").hexdigest() if whole else ""
                facts[path.name] = [size, digest]
    return facts


def _fill(folder: Path, build: Callable[[Path], None]) -> None:
    """Build in a folder beside it, which takes its place when it is whole."""
    part = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    part.mkdir()
    try:
        build(part)
        write_atomically(part / _SEAL, json.dumps(stamped(_facts(part, whole=True))) + "\n")
        discard(folder)  # which is damaged
        os.replace(part, folder)
    except OSError as error:
        raise EngineError(
            f"{folder.parent} must be writable; found: {error.strerror or error}.",
            "Make room, or set PENTAD_CACHE to another folder.",
            code="not-writable",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def folder_of(run: RunDirectory, kind: str) -> Path:
    """Return the folder of the cache for what is kept of a run's text.

    Raises:
        EngineError: the run is damaged.
    """
    fingerprint = run.fact(str, "data", "fingerprint")
    if not fingerprint.isalnum():  # it comes from a file that may be a stranger's, and becomes a path
        raise EngineError(
            f"The fingerprint of a text has letters and digits; found {fingerprint!r}.",
            "Use a copy of the run.",
            code="run-damaged",
        )
    return cache_directory() / kind / fingerprint


def split_of(run: RunDirectory, catalogue: Catalogue) -> Split:
    """Return the text of a run, as it was trained on and judged on.

    Raises:
        UsageError: the text is gone.
        EngineError: it has changed since.
    """
    split = open_split(run.resolve(catalogue), catalogue, RunObserver())
    if split.fingerprint != run.fact(str, "data", "fingerprint"):
        raise EngineError(
            f"The text of {run.path} must be what it was trained on; it has changed.",
            "Put it back as it was: there is nothing else to look in.",
            code="text-changed",
        )
    return split


def write_text(folder: Path, text: Pieces, n_bytes: int) -> None:
    """Write a text and where its documents begin.

    Raises:
        UsageError: it is too long.
    """
    if n_bytes > MOST_BYTES:
        raise UsageError(
            f"A text of at most {MOST_BYTES:,} bytes is looked through; this one has {n_bytes:,}.",
            "Train on a part of it to trace what is written.",
            code="text-too-long",
        )
    starts, size, opens = [], 0, True
    with open(folder / "text.bin", "wb") as file:
        for piece in text.pieces():
            if opens:
                starts.append(size)
            data = piece.text.encode() + (BETWEEN if piece.ends_document else b"")
            size += file.write(data)
            opens = piece.ends_document
    np.save(folder / "documents.npy", np.array(starts, dtype=np.int64), allow_pickle=False)


def read_text(folder: Path) -> Documents | None:
    """Return a text that was written, memory-mapped; None where it is not there or is none."""
    try:
        size = os.path.getsize(folder / "text.bin")
        text = np.memmap(folder / "text.bin", dtype=np.uint8, mode="r") if size else np.empty(0, dtype=np.uint8)
        starts = np.load(folder / "documents.npy", allow_pickle=False)
    except (OSError, ValueError):
        return None
    sound = starts.dtype == np.int64 and starts.ndim == 1 and (not len(starts) or (starts[0] == 0 and starts[-1] < size))
    return Documents(text, starts) if sound else None


def _build(folder: Path, split: Split, progress: Progress) -> None:
    from pydivsufsort import divsufsort

    progress("Reading the training text")
    write_text(folder, split.train, split.train.n_bytes)
    progress("Sorting its suffixes")
    data = np.fromfile(folder / "text.bin", dtype=np.uint8)
    np.save(folder / "suffixes.npy", divsufsort(data) if len(data) else np.empty(0, dtype=np.int32), allow_pickle=False)


def _load(folder: Path) -> Index | None:
    """Return what is in a folder, memory-mapped; None where it is not there or does not fit together."""
    found = read_text(folder)
    if found is None:
        return None
    size = len(found.text)
    try:
        suffixes = np.load(folder / "suffixes.npy", mmap_mode="r" if size else None, allow_pickle=False)
    except (OSError, ValueError):
        return None
    fits = suffixes.shape == (size,) and suffixes.dtype in (np.int32, np.int64)
    return Index(found.text, found.documents, suffixes) if fits else None

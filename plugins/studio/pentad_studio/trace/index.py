"""A suffix array of a run's training text (Manber and Myers, 1990), kept in the cache and memory-mapped.

The text is kept beside it, its documents with a byte 0xFF between them, which no UTF-8 text has: so no passage crosses from one
into the next. The array is built by libdivsufsort. Files are plain numbers: `text.bin`, `suffixes.npy`, `documents.npy`.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pentad import Catalogue, EngineError, RunObserver, UsageError
from pentad.tools import UNFINISHED, RunDirectory, Split, cache_directory, locked, open_split

MOST_BYTES = 1 << 30
"""The longest training text that is indexed: its array takes four times its size, on disk and while it is built in memory."""

BETWEEN = b"\xff"

Progress = Callable[[str], None]
"""Told what is being done."""


@dataclass(frozen=True, eq=False)
class Index:
    """A training text, to be searched.

    Args:
        text: (N,) its bytes, memory-mapped.
        suffixes: (N,) the places of its suffixes in the order of bytes, memory-mapped.
        documents: (documents,) where each begins.
    """

    text: npt.NDArray[np.uint8]
    suffixes: npt.NDArray[np.signedinteger[Any]]
    documents: npt.NDArray[np.int64]

    def slice(self, start: int, end: int) -> bytes:
        """Return bytes of the text; what lies outside is left out."""
        return self.text[max(start, 0) : max(end, 0)].tobytes()


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
    folder = _folder(run.fact(str, "data", "fingerprint"))
    found = _load(folder)
    if found is not None:
        return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f".{folder.name}.lock")):
        found = _load(folder)  # another process may have been first
        if found is None:
            _build(folder, _text_of(run, catalogue), progress or (lambda what: None))
            found = _load(folder)
    if found is None:
        raise EngineError(f"{folder} cannot be read.", "Remove it, and try again.", code="index-damaged")
    return found


def is_built(path: Path) -> bool:
    """Say whether the index of a run is in the cache.

    Raises:
        EngineError: the run is damaged.
    """
    return _load(_folder(RunDirectory.open(path).fact(str, "data", "fingerprint"))) is not None


def _folder(fingerprint: str) -> Path:
    if not fingerprint.isalnum():  # it comes from a file that may be a stranger's, and becomes a path
        raise EngineError(
            f"The fingerprint of a text has letters and digits; found {fingerprint!r}.",
            "Use a copy of the run.",
            code="run-damaged",
        )
    return cache_directory() / "suffix-arrays" / fingerprint


def _text_of(run: RunDirectory, catalogue: Catalogue) -> Split:
    split = open_split(run.resolve(catalogue), catalogue, RunObserver())
    if split.fingerprint != run.fact(str, "data", "fingerprint"):
        raise EngineError(
            f"The text of {run.path} must be what it was trained on; it has changed.",
            "Put it back as it was: there is nothing else to look in.",
            code="text-changed",
        )
    if split.train.n_bytes > MOST_BYTES:
        raise UsageError(
            f"A training text of at most {MOST_BYTES:,} bytes is looked through; this one has {split.train.n_bytes:,}.",
            "Train on a part of it to trace what is written.",
            code="text-too-long",
        )
    return split


def _build(folder: Path, split: Split, progress: Progress) -> None:
    from pydivsufsort import divsufsort

    part = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    part.mkdir()
    try:
        progress("Reading the training text")
        starts, size, opens = [], 0, True
        with open(part / "text.bin", "wb") as file:
            for piece in split.train.pieces():
                if opens:
                    starts.append(size)
                data = piece.text.encode() + (BETWEEN if piece.ends_document else b"")
                size += file.write(data)
                opens = piece.ends_document
        progress("Sorting its suffixes")
        text = np.fromfile(part / "text.bin", dtype=np.uint8)
        np.save(part / "suffixes.npy", divsufsort(text) if len(text) else np.empty(0, dtype=np.int32), allow_pickle=False)
        np.save(part / "documents.npy", np.array(starts, dtype=np.int64), allow_pickle=False)
        os.replace(part, folder)
    except OSError as error:
        raise EngineError(
            f"{folder.parent} must be writable; found: {error.strerror or error}.",
            "Make room, or set PENTAD_CACHE to another folder.",
            code="not-writable",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _load(folder: Path) -> Index | None:
    """Return what is in a folder, memory-mapped; None where it is not there or does not fit together."""
    try:
        size = os.path.getsize(folder / "text.bin")
        text = np.memmap(folder / "text.bin", dtype=np.uint8, mode="r") if size else np.empty(0, dtype=np.uint8)
        suffixes = np.load(folder / "suffixes.npy", mmap_mode="r" if size else None, allow_pickle=False)
        documents = np.load(folder / "documents.npy", allow_pickle=False)
    except (OSError, ValueError):
        return None
    fits = suffixes.shape == (size,) and suffixes.dtype in (np.int32, np.int64) and documents.dtype == np.int64
    return Index(text, suffixes, documents) if fits else None

"""Folders that are made once and used again: whole or absent, checked before use, rebuilt when damaged.

A lock per entry lets several processes want the same one: the first makes it, the others wait and use it. What a killed
process leaves behind has another name and is swept away by the next one that writes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from pentad.system.errors import EngineError, UsageError
from pentad.system.files import UNFINISHED, is_whole, locked, write_whole

_CONTENT = "content"
"""The entry's own files lie one folder deeper, so that none of them can be taken for the seal."""


def cache_directory() -> Path:
    """Return the folder for what can be made again: PENTAD_CACHE, else XDG_CACHE_HOME/pentad, else ~/.cache/pentad.

    Raises:
        UsageError: it lies below a home folder that is not known.
        EngineError: it cannot be made or written.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    named = Path(os.environ.get("PENTAD_CACHE") or Path(base, "pentad"))
    try:
        folder = named.expanduser().absolute()
    except RuntimeError:
        raise UsageError(
            f"The cache {named} needs a home folder; found none.",
            "Set PENTAD_CACHE to a folder that can be written.",
            code="home-missing",
        ) from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return folder


def folder_fingerprint(folder: Path) -> str:
    """Return a digest of the files below a folder: their names and their bytes."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix().encode()
        digest.update(b"%d %s %d " % (len(name), name, path.stat().st_size))
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:32]


def cached(place: Path, build: Callable[[Path], None]) -> Path:
    """Return the folder of a whole entry, building it first when it is absent or damaged.

    Args:
        place: where the entry stands; its name is its key.
        build: writes the entry's files into an empty folder.

    Raises:
        EngineError: the disk is full or the cache cannot be written; nothing half is left.
    """

    def build_content(beside: Path) -> None:
        content = beside / _CONTENT
        content.mkdir()
        build(content)

    try:
        if not is_whole(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            with locked(_lock_of(place)):
                if not is_whole(place):
                    _sweep(place.parent)
                    write_whole(place, build_content)
    except OSError as error:
        raise _cannot_write(place.parent, error) from error
    return place / _CONTENT


PIPED = ".piped"
"""How the name of a kept pipe ends."""


def keep_pipe(stream: BinaryIO) -> Path:
    """Read all of a pipe into the cache and return the file, which is named after what it holds.

    A pipe can be read once, and a text is read several times, also by a run that is resumed.

    Raises:
        UsageError: nothing is piped in.
        EngineError: the disk is full or the cache cannot be written.
    """
    folder = cache_directory() / "pipes"
    digest = hashlib.sha256()
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            while block := stream.read(1 << 20):
                digest.update(block)
                file.write(block)
            empty = file.tell() == 0
        kept = folder / f"{digest.hexdigest()[:16]}{PIPED}"
        os.replace(file.name, kept)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    if empty:
        kept.unlink()
        raise UsageError(
            "--data - reads what is piped in; found nothing.", "For example: cat *.txt | engine run --data -", code="pipe-empty"
        )
    return kept


def is_kept_pipe(path: Path) -> bool:
    """Say whether a file is one that `keep_pipe` made, in the cache."""
    return path.suffix == PIPED and path.parent == cache_directory() / "pipes"


def _lock_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.lock")


def _sweep(folder: Path) -> None:
    """Remove what killed processes left: an unfinished entry whose lock nobody holds."""
    for left in folder.glob(f"*{UNFINISHED}"):
        place = left.with_name(left.name.split(".")[0])
        with contextlib.suppress(OSError), locked(_lock_of(place), wait=False) as held:
            if held:
                shutil.rmtree(left, ignore_errors=True)


def _cannot_write(folder: Path, error: OSError) -> EngineError:
    elsewhere = "set PENTAD_CACHE to a folder on another disk."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EngineError(
            f"The cache {folder} needs more space; the disk is full.", f"Free some space, or {elsewhere}", code="disk-full"
        )
    return EngineError(
        f"The cache {folder} must be writable; found: {error.strerror or error}.",
        f"Change its rights, or {elsewhere}",
        code="not-writable",
    )

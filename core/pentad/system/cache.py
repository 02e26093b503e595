"""Folders that are made once and used again: whole or absent, checked before use, rebuilt when damaged or deleted.

A lock per entry lets several processes want the same one: the first makes it, the others wait and use it. What a killed
process leaves behind has another name and is swept away by the next one that writes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from pentad.system.errors import EngineError, UsageError
from pentad.system.files import HeldFiles, hold_whole, locked, write_whole
from pentad.system.opening import UNFINISHED, discard

_ATTEMPTS = 5

Result = TypeVar("Result")

CONTENT = "content"
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
    for attempt in range(_ATTEMPTS):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError as error:
            if not isinstance(error, FileNotFoundError) or attempt == _ATTEMPTS - 1:  # deleted between the two
                raise _cannot_write(folder, error) from error
    raise AssertionError("unreachable")


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


def from_cache(place: Path, build: Callable[[Path], None], use: Callable[[HeldFiles], Result]) -> Result:
    """Take from a whole entry what is needed, building it first when it is absent or damaged.

    The cache may be deleted at any time. So the entry's files are opened before they are checked, and stay open while `use`
    reads them; where they are gone before that, the entry is built again.

    Args:
        place: where the entry stands; its name is its key.
        build: writes the entry's files into an empty folder.
        use: gets them open, by the names that `build` gave them below `content/`, and keeps nothing but what it read or mapped.

    Raises:
        EngineError: the disk is full, the cache cannot be written or is deleted again and again; nothing half is left.
    """
    for _ in range(_ATTEMPTS):
        try:
            with _hold(place, build) as held:
                return use(held)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _cannot_write(place.parent, error) from error
    raise EngineError(
        f"The cache {place.parent} must stay while it is read; it was deleted {_ATTEMPTS} times.",
        "Find out what deletes it, or set PENTAD_CACHE to another folder.",
        code="cache-deleted",
    )


def _hold(place: Path, build: Callable[[Path], None]) -> HeldFiles:
    """Open and check the files of an entry, building it first when it is absent or damaged.

    Raises:
        FileNotFoundError: it was deleted while it was made, or right after that.
    """

    def build_content(beside: Path) -> None:
        content = beside / CONTENT
        content.mkdir()
        build(content)

    with contextlib.suppress(EngineError):
        return hold_whole(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(_lock_of(place)):
        with contextlib.suppress(EngineError):
            return hold_whole(place)
        _sweep(place.parent)
        write_whole(place, build_content)
    try:
        return hold_whole(place)
    except EngineError:
        raise FileNotFoundError(errno.ENOENT, "deleted", str(place)) from None


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
                discard(left)


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

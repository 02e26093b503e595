"""Folders that are made once and used again: whole or absent, checked before use, rebuilt when damaged.

An entry is written beside its place, synced, given a digest of all its files, and renamed. A lock per entry lets several
processes want the same one: the first makes it, the others wait and use it. What a killed process leaves behind has another
name and is swept away by the next one that writes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from lm_engine.errors import EngineError

try:
    import fcntl
except ImportError:  # Windows: two processes may both make an entry; the second one's is thrown away.
    fcntl = None  # type: ignore[assignment]

_CONTENT = "content"
_DIGEST = "digest"


def cache_directory() -> Path:
    """Return the folder for what can be made again: LM_ENGINE_CACHE, else XDG_CACHE_HOME/lm-engine, else ~/.cache/lm-engine.

    Raises:
        EngineError: it cannot be made or written.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(os.environ.get("LM_ENGINE_CACHE") or Path(base, "lm-engine")).expanduser().absolute()
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
    try:
        if not _is_whole(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            with _lock(place):
                if not _is_whole(place):
                    _sweep(place.parent)
                    _make(place, build)
    except OSError as error:
        raise _cannot_write(place.parent, error) from error
    return place / _CONTENT


def _is_whole(place: Path) -> bool:
    try:
        return (place / _DIGEST).read_text() == folder_fingerprint(place / _CONTENT)
    except (OSError, UnicodeDecodeError):
        return False


def _make(place: Path, build: Callable[[Path], None]) -> None:
    beside = Path(tempfile.mkdtemp(prefix=f"{place.name}.", suffix=".part", dir=place.parent))
    try:
        content = beside / _CONTENT
        content.mkdir()
        build(content)
        (beside / _DIGEST).write_text(folder_fingerprint(content))
        _sync(beside)
        if place.exists() and not _is_whole(place):
            shutil.rmtree(place)
        if not place.exists():
            beside.rename(place)
            _sync_folder(place.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        else:
            _sync_folder(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _lock(place: Path, wait: bool = True) -> Iterator[None]:
    """Hold the entry's lock; it is let go when the process ends, however it ends.

    Raises:
        BlockingIOError: another process holds it, and `wait` is false.
    """
    with place.with_name(f"{place.name}.lock").open("wb") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                # Some network file systems have no locks: go on without, as on Windows.
                if isinstance(error, BlockingIOError) or not wait:
                    raise
        yield


def _sweep(folder: Path) -> None:
    """Remove what killed processes left: an unfinished entry whose lock nobody holds."""
    if fcntl is None:
        return
    for left in folder.glob("*.part"):
        place = left.with_name(left.name.split(".")[0])
        with contextlib.suppress(OSError), _lock(place, wait=False):
            shutil.rmtree(left, ignore_errors=True)


def _cannot_write(folder: Path, error: OSError) -> EngineError:
    elsewhere = "set LM_ENGINE_CACHE to a folder on another disk."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EngineError(f"The cache {folder} needs more space; the disk is full.", f"Free some space, or {elsewhere}")
    return EngineError(
        f"The cache {folder} must be writable; found: {error.strerror or error}.", f"Change its rights, or {elsewhere}"
    )

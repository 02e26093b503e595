"""Folders that are whole or absent: written beside their place, sealed with a digest, synced, and renamed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pentad.system.errors import EngineError

try:
    import fcntl
except ImportError:  # Windows: processes are not kept apart; what the second one makes is thrown away.
    fcntl = None  # type: ignore[assignment]

SEAL = "digest.json"
"""Name of the file that holds size and SHA-256 of every other file of the folder."""

UNFINISHED = ".part"
"""End of the name of a folder that is being written; what a killed process left behind has it too."""


def write_whole(place: Path, build: Callable[[Path], None]) -> None:
    """Make a folder that is complete or absent, whenever the process is killed.

    Args:
        place: where it will stand. A damaged folder there is replaced; a whole one stays, as its name is its key.
        build: writes files into an empty folder.

    Raises:
        OSError: the disk is full or not writable; nothing is left of the attempt.
    """
    beside = place.with_name(f"{place.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    beside.mkdir(parents=True)
    try:
        build(beside)
        (beside / SEAL).write_text(json.dumps({name: _facts(beside / name) for name in _files(beside)}, indent=1))
        sync_tree(beside)
        if place.exists() and not is_whole(place):
            shutil.rmtree(place)
        if not place.exists():
            beside.rename(place)
            sync_folder(place.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def check_whole(place: Path) -> None:
    """Compare every file of a folder with its seal, before any of it is used.

    Raises:
        EngineError: the seal or a file is missing, not sealed, or differs from what was written.
    """
    advice = "Use an earlier checkpoint or a copy."
    seal = read_json(place / SEAL)
    try:
        odd = set(seal) ^ set(_files(place))
        if odd:
            raise EngineError(
                f"{place} is damaged: {min(odd)} is {'missing' if min(odd) in seal else 'not sealed'}.",
                advice,
                code="file-damaged",
            )
        for name, facts in seal.items():
            path = place / name
            # The size first: it costs nothing, and most damage shows in it.
            if not isinstance(facts, dict) or path.stat().st_size != facts.get("size") or _facts(path) != facts:
                raise EngineError(f"{path} is damaged: it differs from what was written.", advice, code="file-damaged")
    except OSError as error:
        raise EngineError(f"{place} cannot be read: {error.strerror}.", advice, code="saved-file-unreadable") from None


def is_whole(place: Path) -> bool:
    """Say whether `check_whole` finds nothing wrong."""
    try:
        check_whole(place)
    except EngineError:
        return False
    return True


def _files(folder: Path) -> list[str]:
    """List the files below a folder, its seal left out, by their names relative to it."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [name for name in names if name != SEAL]


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


MOST_JSON = 16 << 20


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a bounded size.

    Raises:
        EngineError: it is missing, too large, no JSON, or no object.
    """
    try:
        if path.stat().st_size > MOST_JSON:
            raise EngineError(
                f"{path} must be smaller than 16 MB; found {path.stat().st_size} bytes.", "It is damaged.", code="file-damaged"
            )
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(
            f"{path} cannot be read: {error.strerror}.", "Check the folder, or use a copy of it.", code="saved-file-unreadable"
        ) from None
    except (ValueError, RecursionError):
        raise EngineError(
            f"{path} is damaged: it is not valid JSON.", "Use a copy of the folder.", code="file-damaged"
        ) from None
    if not isinstance(found, dict):
        raise EngineError(f"{path} is damaged: expected a JSON object.", "Use a copy of the folder.", code="file-damaged")
    return found


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that readers and crashes see the old or the new one, never a half."""
    beside = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock that a file stands for; it is let go when the process ends, however it ends.

    Yields:
        Whether it is held: False where the system or the file system has no locks.

    Raises:
        BlockingIOError: another process holds it, and `wait` is false.
    """
    with path.open("wb") as file:
        yield _lock(file.fileno(), wait)


def _lock(handle: int, wait: bool) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # some network file systems
        return False
    return True


def sync_tree(folder: Path) -> None:
    """Make a folder and all below it durable."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; Windows needs and has no such call."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

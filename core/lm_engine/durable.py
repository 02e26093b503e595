"""Folders that are whole or absent: written beside their place, synced, sealed with a digest, and renamed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lm_engine.errors import EngineError

SEAL = "digest.json"
"""Name of the file that holds size and SHA-256 of every other file of the folder."""


def write_whole(place: Path, build: Callable[[Path], None]) -> None:
    """Make a folder that is complete or absent, whenever the process is killed.

    Args:
        place: where it will stand; an older one of that name is replaced.
        build: writes files into an empty folder.

    Raises:
        OSError: the disk is full or not writable; nothing is left of the attempt.
    """
    beside = place.with_name(f".{place.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        build(beside)
        seal = {path.name: _facts(path) for path in sorted(beside.iterdir())}
        (beside / SEAL).write_text(json.dumps(seal, indent=1))
        for path in beside.iterdir():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        sync_folder(beside)
        if place.exists():
            shutil.rmtree(place)
        beside.rename(place)
        sync_folder(place.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def check_whole(place: Path) -> None:
    """Compare every file of a folder with its seal, before any of it is used.

    Raises:
        EngineError: the seal or a file is missing, or differs from what was written.
    """
    seal = read_json(place / SEAL)
    for name, facts in seal.items():
        path = place / name
        if Path(name).name != name or not path.is_file():
            raise EngineError(f"{place} is damaged: {name} is missing.", "Use an earlier checkpoint or a copy.")
        if not isinstance(facts, dict) or path.stat().st_size != facts.get("size") or _facts(path) != facts:
            raise EngineError(f"{path} is damaged: it differs from what was written.", "Use an earlier checkpoint or a copy.")


def _facts(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"size": path.stat().st_size, "sha256": digest.hexdigest()}


MOST_JSON = 16 << 20


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a bounded size.

    Raises:
        EngineError: it is missing, too large, no JSON, or no object.
    """
    try:
        if path.stat().st_size > MOST_JSON:
            raise EngineError(f"{path} must be smaller than 16 MB; found {path.stat().st_size} bytes.", "It is damaged.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror}.", "Check the folder, or use a copy of it.") from None
    except (ValueError, RecursionError):
        raise EngineError(f"{path} is damaged: it is not valid JSON.", "Use a copy of the folder.") from None
    if not isinstance(found, dict):
        raise EngineError(f"{path} is damaged: expected a JSON object.", "Use a copy of the folder.")
    return found


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that readers and crashes see the old or the new one, never a half."""
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; Windows needs and has no such call."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

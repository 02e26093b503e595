"""Folders copied between machines in pieces: a folder that arrives is complete or absent."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path, PurePosixPath, PureWindowsPath

from pentad import EngineError
from pentad.tools import UNFINISHED

PIECE = 8 << 20
"""Maximum bytes of one message: Ray keeps each in memory on both machines."""

PREFIX = ".ray-"
"""Prefix of the executor's own files, which are not copied."""


def listing(folder: Path) -> list[tuple[str, int]]:
    """Return name and size of the files below a folder; links are left out, as they may lead anywhere."""
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in files if not path.name.startswith(PREFIX)]


def offsets(size: int) -> range:
    """Return the offsets of a file's pieces; an empty file is one piece."""
    return range(0, max(size, 1), PIECE)


def read_piece(folder: Path, name: str, offset: int) -> bytes:
    """Read a part of a file, at most PIECE bytes.

    Raises:
        EngineError: the name leads out of the folder.
    """
    with inside(folder, name).open("rb") as file:
        file.seek(offset)
        return file.read(PIECE)


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file below a folder.

    Raises:
        EngineError: the name leads out of it.
    """
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    parts = {*posix.parts, *windows.parts}
    if not posix.parts or posix.is_absolute() or windows.anchor or ".." in parts or "\0" in name:
        raise EngineError(
            f"A file of a task must be in its folder; found {name!r}.",
            "Do not trust the machine that sent it.",
            code="path-outside",
        )
    return folder / posix


class Incoming:
    """A folder that arrives in pieces, beside its target until it is complete.

    Args:
        target: where it will be; what is there is replaced by `commit`, and not before.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._partial = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
        self._partial.mkdir(parents=True, mode=0o700)

    def write(self, name: str, content: bytes) -> None:
        """Append to a file.

        Raises:
            EngineError: the name leads out of the folder.
        """
        path = inside(self._partial, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def commit(self) -> None:
        """Move the folder to its target."""
        replaced = self._partial.with_suffix(".old" + UNFINISHED)
        if self._target.exists():
            self._partial.chmod(self._target.stat().st_mode)
            self._target.rename(replaced)
        self._partial.rename(self._target)
        shutil.rmtree(replaced, ignore_errors=True)

    def discard(self) -> None:
        """Remove what has arrived; does nothing after `commit`."""
        shutil.rmtree(self._partial, ignore_errors=True)

"""Folders on their way between machines: listed, read in pieces, and whole where they arrive or not there at all."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path, PurePosixPath, PureWindowsPath

from pentad import EngineError

UNFINISHED = ".part"
"""End of the name of a folder that is arriving."""

PIECE = 8 << 20
"""Most bytes of one message: Ray keeps each in memory on both machines."""

OURS = ".ray-"
"""How the names of the executor's own files begin; they stay where they are."""


def listing(folder: Path) -> list[tuple[str, int]]:
    """Return name and size of the files below a folder; links are left out, as they may lead anywhere."""
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in files if not path.name.startswith(OURS)]


def offsets(size: int) -> range:
    """Return where the pieces of a file begin; an empty file is one piece."""
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
            f"A file of a task must lie in its folder; found {name!r}.",
            "The worker that sent it is not to be trusted.",
            code="path-outside",
        )
    return folder / posix


class Incoming:
    """A folder that arrives in pieces.

    Args:
        place: where it will stand; what stands there is replaced in the end, and only then.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._beside = place.with_name(f"{place.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
        self._beside.mkdir(parents=True, mode=0o700)

    def write(self, name: str, content: bytes) -> None:
        """Add to the end of a file.

        Raises:
            EngineError: the name leads out of the folder.
        """
        path = inside(self._beside, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def done(self) -> None:
        """Put it in its place."""
        replaced = self._beside.with_suffix(".old" + UNFINISHED)
        if self._place.exists():
            self._beside.chmod(self._place.stat().st_mode)
            self._place.rename(replaced)
        self._beside.rename(self._place)
        shutil.rmtree(replaced, ignore_errors=True)

    def drop(self) -> None:
        """Forget what has arrived; nothing is lost after `done`."""
        shutil.rmtree(self._beside, ignore_errors=True)

"""Files and folders that may be a stranger's: no link is followed, and no pipe or device is waited for.

A folder that was downloaded or unpacked can hold links, pipes and devices in the place of files. Whoever writes through a link
writes somewhere else; whoever reads a pipe waits for ever. So what core opens in a run goes through `open_plain`, and a run is
looked through with `refuse_links` before anything in it is used.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pentad.system.errors import EngineError

UNFINISHED = ".part"
"""End of the name of what is being written or removed; what a killed process left behind has it too."""

_CAREFUL = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"))
"""Windows has none of them, and neither pipes nor devices among its files."""

_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_plain(path: Path, mode: str, **kwargs: Any) -> IO[Any]:
    """Open a file as `open` does, if it is a plain file or, for writing, not there yet.

    Raises:
        EngineError: it is a link, a folder, a pipe or a device.
        OSError: it cannot be opened.
    """
    return open(path, mode, opener=_open_plain, **kwargs)  # the returned file is the caller's to close


def open_to_append(path: Path) -> IO[str]:
    """Open a text file to add lines to it, if it has no second name: a hard link would be written to in both places.

    Raises:
        EngineError: it has, or it is no plain file.
        OSError: it cannot be opened.
    """
    file = open_plain(path, "a", encoding="utf-8")
    if os.fstat(file.fileno()).st_nlink > 1:
        file.close()
        raise EngineError(
            f"{path} must have one name; found hard links, through which another file would be written to.",
            "Copy the run without hard links: cp -r",
            code="not-a-plain-file",
        )
    return file


def _open_plain(path: str, flags: int) -> int:
    with contextlib.suppress(FileNotFoundError):
        _require_plain(Path(path), os.lstat(path).st_mode)  # first, as opening a device may already do something
    handle = os.open(path, flags | _CAREFUL, 0o666)
    try:
        _require_plain(Path(path), os.fstat(handle).st_mode)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _require_plain(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise _not_plain(path, mode, "file")


def _require_folder(path: Path) -> None:
    mode = os.lstat(path).st_mode
    if not stat.S_ISDIR(mode):
        raise _not_plain(path, mode, "folder")


def _not_plain(path: Path, mode: int, expected: str) -> EngineError:
    return EngineError(
        f"{path} must be a plain {expected}; found {_KINDS.get(stat.S_IFMT(mode), 'something else')}.",
        "Put the file or folder itself there, or remove it.",
        code="not-a-plain-file",
    )


def refuse_links(folder: Path, within: Path | None = None) -> None:
    """Make sure that a folder, which may be reached through a link itself, holds plain files and folders alone, however deep.

    Args:
        folder: to look through; within another one it need not be there yet.
        within: a folder above it; what leads from there to it must be plain folders too.

    Raises:
        EngineError: there is a link, a pipe or a device, or a folder cannot be looked into.
    """
    if within is not None:
        for path in (*reversed(folder.relative_to(within).parents[:-1]), folder.relative_to(within)):
            if not os.path.lexists(within / path):
                return
            _require_folder(within / path)
    try:
        for path, mode in _below(folder):
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise _not_plain(path, mode, "file or folder")
    except OSError as error:
        raise EngineError(
            f"{error.filename or folder} cannot be read: {error.strerror}.",
            "Check the folder's rights and its disk, or use a copy of it.",
            code="saved-file-unreadable",
        ) from None


def list_files(folder: Path) -> list[str]:
    """List what lies below a folder and is not a folder, by names relative to it; links are listed and not followed."""
    return sorted(path.relative_to(folder).as_posix() for path, mode in _below(folder) if not stat.S_ISDIR(mode))


def _below(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield everything below a folder with its mode; what another process removes meanwhile is left out."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        path = folder / name
        try:
            mode = os.lstat(path).st_mode
            yield path, mode
            if stat.S_ISDIR(mode):
                yield from _below(path)
        except FileNotFoundError:
            continue


def discard(path: Path) -> None:
    """Remove a file, a link or a folder as far as that is possible; a link's target stays."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def remove_at_once(path: Path) -> None:
    """Remove a file, a link or a folder so that it is there whole or not at all, whenever the process is killed.

    Raises:
        OSError: it cannot be renamed; it is still there, whole.
    """
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    path.rename(aside)
    discard(aside)

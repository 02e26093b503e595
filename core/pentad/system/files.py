"""Folders that are whole or absent: written beside their place, sealed with a digest, synced, and renamed."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pentad.system.errors import EngineError
from pentad.system.opening import UNFINISHED, discard, list_files, open_plain, remove_at_once

try:
    import fcntl
except ImportError:  # Windows: processes are not kept apart; what the second one makes is thrown away.
    fcntl = None  # type: ignore[assignment]

SEAL = "digest.json"
"""Name of the file that holds size and SHA-256 of every other file of the folder."""


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
        (beside / SEAL).write_text(json.dumps({name: facts_of_file(beside / name) for name in list_files(beside)}, indent=1))
        sync_tree(beside)
        if os.path.lexists(place) and not is_whole(place):
            remove_at_once(place)
        if not os.path.lexists(place):
            with _unless_there(place):
                beside.rename(place)
            sync_folder(place.parent)
    finally:
        discard(beside)


@contextlib.contextmanager
def _unless_there(place: Path) -> Iterator[None]:
    """Let another process be first: what it made under the same name is the same."""
    try:
        yield
    except OSError:
        if not os.path.lexists(place):
            raise


class HeldFiles:
    """Files of a sealed folder, open from their check to their use: what another process removes meanwhile can still be read.

    Args:
        place: the folder.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self._files: dict[str, IO[bytes]] = {}

    def __enter__(self) -> HeldFiles:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[str]:
        """Return the names of the files that are open, relative to the folder; the seal is none of them."""
        return iter(sorted(self._files.keys() - {SEAL}))

    def open(self, name: str) -> IO[bytes]:
        """Open a file of the folder, once, and stand at its start."""
        if name not in self._files:
            self._files[name] = open_plain(self.place / name, "rb")
        self._files[name].seek(0)
        return self._files[name]

    def path(self, name: str) -> Path:
        """Return a path under which other libraries can open the file, also when it has no name any more."""
        handle = str(self.open(name).fileno())
        paths = (Path(folder, handle) for folder in ("/proc/self/fd", "/dev/fd"))
        return next((path for path in paths if path.exists()), self.place / name)

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON object; errors as for `read_json`."""
        return _read_json(self.open(name), self.place / name)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()


def hold_whole(place: Path, names: Iterable[str] | None = None) -> HeldFiles:
    """Compare files of a folder with its seal, before any of it is used, and keep them open.

    Args:
        place: the folder.
        names: of the files that are needed; None for all, and then nothing else may lie there.

    Raises:
        EngineError: the seal or a file is missing, not sealed, or differs from what was written.
    """
    held = HeldFiles(place)
    try:
        _check(held, names)
    except OSError as error:
        held.close()
        path = error.filename or place
        raise EngineError(f"{path} cannot be read: {error.strerror}.", _ADVICE, code="saved-file-unreadable") from None
    except BaseException:
        held.close()
        raise
    return held


_ADVICE = "Use an earlier checkpoint or a copy."


def _check(held: HeldFiles, names: Iterable[str] | None) -> None:
    seal = held.read_json(SEAL)
    if names is None:
        odd = set(seal) ^ (set(list_files(held.place)) - {SEAL})
    else:
        names = set(names)
        odd = names - set(seal)
    if odd:
        state = "missing" if min(odd) in seal else "not sealed"
        raise EngineError(f"{held.place} is damaged: {min(odd)} is {state}.", _ADVICE, code="file-damaged")
    for name in sorted(seal if names is None else names):
        facts, file = seal[name], held.open(name)
        # The size first: it costs nothing, and most damage shows in it.
        size = os.fstat(file.fileno()).st_size
        if not isinstance(facts, dict) or facts.get("size") != size or _facts(file) != facts:
            path = held.place / name
            raise EngineError(f"{path} is damaged: it differs from what was written.", _ADVICE, code="file-damaged")


def check_whole(place: Path) -> None:
    """Compare every file of a folder with its seal; errors as for `hold_whole`."""
    hold_whole(place).close()


def is_whole(place: Path) -> bool:
    """Say whether `check_whole` finds nothing wrong."""
    try:
        check_whole(place)
    except EngineError:
        return False
    return True


def facts_of_file(path: Path) -> dict[str, Any]:
    """Return what a seal holds of a file: its size in bytes and its SHA-256."""
    with open_plain(path, "rb") as file:
        return _facts(file)


def _facts(file: IO[bytes]) -> dict[str, Any]:
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    return {"size": file.tell(), "sha256": digest}


MOST_JSON = 16 << 20


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a bounded size.

    Raises:
        EngineError: it is missing, too large, no JSON, no object, or no plain file.
    """
    try:
        with open_plain(path, "rb") as file:
            return _read_json(file, path)
    except OSError as error:
        raise EngineError(
            f"{path} cannot be read: {error.strerror}.", "Check the folder, or use a copy of it.", code="saved-file-unreadable"
        ) from None


def _read_json(file: IO[bytes], path: Path) -> dict[str, Any]:
    size = os.fstat(file.fileno()).st_size
    if size > MOST_JSON:
        raise EngineError(f"{path} must be smaller than 16 MB; found {size} bytes.", "It is damaged.", code="file-damaged")
    file.seek(0)
    try:
        found = json.loads(file.read(MOST_JSON).decode("utf-8"))
    except (ValueError, RecursionError):
        raise EngineError(
            f"{path} is damaged: it is not valid JSON.", "Use a copy of the folder.", code="file-damaged"
        ) from None
    if not isinstance(found, dict):
        raise EngineError(f"{path} is damaged: expected a JSON object.", "Use a copy of the folder.", code="file-damaged")
    return found


def stamped(values: Mapping[str, Any], about: str = "") -> dict[str, Any]:
    """Return a JSON object with the SHA-256 of what it says, as its entry `sha256`: an edit of a value is seen by `is_stamped`.

    It finds damage and edits, no forger, who can stamp it anew.

    Args:
        values: plain values of JSON.
        about: what it is about, as its reader knows it: a copy that stands in the place of another one is none.
    """
    said = {key: value for key, value in values.items() if key != _STAMP}
    return {**said, _STAMP: _digest_of(said, about)}


def is_stamped(values: Mapping[str, Any], about: str = "") -> bool:
    """Say whether a JSON object says what it did when it was `stamped`, and about the same."""
    return bool(values.get(_STAMP) == stamped(values, about)[_STAMP])


_STAMP = "sha256"


def _digest_of(values: Mapping[str, Any], about: str) -> str:
    read_back = json.loads(json.dumps(values))  # whose keys are text, and whose tuples are lists
    return hashlib.sha256(json.dumps([about, read_back], sort_keys=True).encode()).hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that readers and crashes see the old or the new one, never a half.

    Its half has a name of its own each time, so that nothing that lies there is written to; a process that is killed leaves
    it, and the next one that replaces the file sweeps it away.
    """
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    try:
        with open_plain(beside, "x", encoding="utf-8") as file:
            _lock(file.fileno(), wait=False)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            beside.replace(path)  # still locked, so that nobody takes it for a leftover
        sync_folder(path.parent)
    finally:
        discard(beside)
    _sweep(path)


def _sweep(path: Path) -> None:
    """Remove halves of a file that killed processes left: those that nobody has locked."""
    with contextlib.suppress(OSError):
        for left in path.parent.glob(f".{glob.escape(path.name)}.????????{UNFINISHED}"):
            with contextlib.suppress(OSError, EngineError), open_plain(left, "rb") as file:
                if _lock(file.fileno(), wait=False):
                    left.unlink()


def what_to_check(error: OSError) -> str:
    """Say what to look at where something could not be written: the disk itself, how it is mounted, or rights."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Make room"
    if error.errno == errno.EROFS:
        return "Mount the disk for writing"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "Change the folder's rights"
    return "Check the disk"


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock that a file stands for; it is let go when the process ends, however it ends.

    Yields:
        Whether it is held: False where the system or the file system has no locks.

    Raises:
        BlockingIOError: another process holds it, and `wait` is false.
        EngineError: it is a link, a pipe or a device.
    """
    with open_plain(path, "ab") as file:  # nothing is ever written to it, and what lies there is not cut
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


def read_packaged(package: str, name: str, *, size: int, sha256: str) -> bytes:
    """Return a file that a package ships compressed by xz, checked: a text, a vocabulary.

        text = read_packaged("pentad_shakespeare", "tinyshakespeare.txt.xz", size=1_115_394, sha256="86c4e6aa…")

    Args:
        package: the module's folder in which it lies.
        name: of the compressed file.
        size: bytes that it unpacks to; no more are unpacked.
        sha256: digest of what it unpacks to.

    Raises:
        EngineError: it is missing, damaged, or another one.
    """
    import importlib.resources
    import lzma

    hint = f"Reinstall it: pip install --force-reinstall {package.replace('_', '-')}"
    try:
        packed = importlib.resources.files(package).joinpath(name).read_bytes()
        data = lzma.LZMADecompressor(memlimit=64 * 1024**2).decompress(packed, max_length=size + 1)
    except (OSError, lzma.LZMAError) as error:
        raise EngineError(f"{name} cannot be read from {package}: {error}.", hint, code="package-damaged") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise EngineError(
            f"{name} in {package} is damaged: its SHA-256 is not that of the published file.", hint, code="package-damaged"
        )
    return data

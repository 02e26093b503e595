"""The files that folders and globs hold: listed once, in the order of their paths, in little memory.

A folder's files are kept as one string of names, some 20 bytes each, and a path is put together when its file is opened.
What was left out is counted by its ending. A file that cannot be read is skipped and noted, however many are good.
"""

from __future__ import annotations

import copy
import fnmatch
import glob
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pentad.config.tables import DataOptions
from pentad.data.pieces import Piece
from pentad.data.readers import Readers
from pentad.system.errors import UsageError, one_line

KEPT_CHARACTERS = 8 << 20
"""A file of a folder is read before a piece of it is used, to know that all of it can be; a longer one is read twice."""

_SHOWN = 3

_ENDINGS = """
7z a avi avif bin bmp bz2 class db dll dylib exe flac gif gz ico jar jpeg jpg lib mkv mov mp3 mp4 npy npz o obj ogg otf pickle
pkl png pt pyc rar safetensors so sqlite tar tgz tif tiff ttf wav webm webp whl woff woff2 xz zip zst
"""
_BINARY = frozenset(f".{ending}" for ending in _ENDINGS.split())
"""Endings that are counted together in messages, as no option makes text of them."""


@dataclass
class Skipped:
    """Files below folders that could not be read.

    Args:
        strict: whether the first one is an error.
        paths: of those that were skipped.
        checked: of long files that are known to be good.
        first: what was wrong with the first ones.
    """

    strict: bool = False
    paths: set[str] = field(default_factory=set)
    checked: set[str] = field(default_factory=set)
    first: list[UsageError] = field(default_factory=list)

    def note(self, path: str, error: UsageError) -> None:
        """Skip a file from now on.

        Raises:
            UsageError: none may be skipped.
        """
        if self.strict:
            raise error
        self.paths.add(path)
        if len(self.first) < _SHOWN:
            self.first.append(error)

    def notes(self) -> list[str]:
        """Say what was skipped, the first files by name."""
        said = [f"skipped: {one_line(error)} (--strict refuses it)" for error in self.first]
        more = len(self.paths) - len(self.first)
        return [*said, f"skipped: {more} more files that cannot be read"] if more else said


@dataclass(frozen=True)
class Files:
    """Files of one folder.

    Args:
        folder: where they are.
        names: theirs, in order, joined by slashes.
        number: of the argument of `--data` that brought them.
        readers: read them.
        skipped: notes those that cannot be read.
    """

    folder: str
    names: str
    number: int
    readers: Readers
    skipped: Skipped

    def read(self) -> Iterator[Piece]:
        """Stream their documents."""
        for name in self.names.split("/"):
            path = os.path.join(self.folder, name)
            if path not in self.skipped.paths:
                yield from self._whole_or_nothing(path)

    def _whole_or_nothing(self, path: str) -> Iterator[Piece]:
        if path not in self.skipped.checked:
            kept: list[Piece] = []
            length = 0
            try:
                for piece in self.readers.read(path):
                    length += len(piece.text)
                    if length <= KEPT_CHARACTERS:
                        kept.append(piece)
            except UsageError as error:
                self.skipped.note(path, error)
                return
            if length <= KEPT_CHARACTERS:
                yield from kept
                return
            self.skipped.checked.add(path)
            kept.clear()
        yield from self.readers.read(path)


class Lister:
    """Lists folders and globs, each file once however many arguments name it.

    Args:
        readers: say what is known.
        options: say what is taken and left out besides.
    """

    def __init__(self, readers: Readers, options: DataOptions) -> None:
        self.readers = readers
        self.skipped = Skipped(options.strict)
        self._include, self._exclude = _pattern(options.include), _pattern(options.exclude)
        self._folders: dict[str, list[str]] = {}  # real folder to names that were taken of it, joined
        self._single: dict[str, set[str]] = {}  # the same of files that were named, or that links lead to
        self._left_out: Counter[str] = Counter()
        self.wanted = 0  # files that are to be read, those that were taken before included

    def with_reader_options(self, given: Mapping[str, str]) -> Lister:
        """Return a lister of the same folders whose files are read with these options of their readers."""
        other = copy.copy(self)
        other.readers = Readers(self.readers.catalogue, self.readers.options, given)
        return other

    def single(self, path: str) -> bool:
        """Take one file, and say whether it is new."""
        folder, name = os.path.split(os.path.realpath(path))
        if name in self._single.get(folder, ()) or any(name in names.split("/") for names in self._folders.get(folder, ())):
            return False
        self._single.setdefault(folder, set()).add(name)
        return True

    def folder(self, root: str, number: int) -> Iterator[Files]:
        """Yield the files below a folder, hidden ones left out; links to folders are not followed, as they may be circles."""
        waiting = [root]
        while waiting:
            place = waiting.pop()
            names, below = self._scan(place, os.path.relpath(place, root) if place != root else "")
            if names:
                yield Files(place, "/".join(names), number, self.readers, self.skipped)
            waiting += [os.path.join(place, name) for name in reversed(below)]

    def _scan(self, place: str, relative: str) -> tuple[list[str], list[str]]:
        """Return the names of files to read and of folders to look into, each sorted."""
        names: list[str] = []
        below: list[str] = []
        links: list[str] = []
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    name = entry.name
                    if name.startswith(".") or self._matches(self._exclude, name, relative):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        below.append(name)
                    elif entry.is_file() and self._wanted(name, relative):
                        (links if entry.is_symlink() else names).append(name)
        except OSError as error:
            problem = f"--data {place} cannot be opened: {error.strerror}."
            self.skipped.note(place, UsageError(problem, "Check the folder's rights.", code="file-unreadable"))
        real = os.path.realpath(place)
        taken = self._single.get(real, set()).union(*(names.split("/") for names in self._folders.get(real, ())))
        new = sorted(name for name in names if name not in taken) if taken else sorted(names)
        if new:
            self._folders.setdefault(real, []).append("/".join(new))
        links = [name for name in sorted(links) if self.single(os.path.join(place, name))]
        return (sorted([*new, *links]) if links else new), sorted(below)

    def _wanted(self, name: str, relative: str, named: bool = False) -> bool:
        if named or self.readers.knows(name) or self._matches(self._include, name, relative):
            self.wanted += 1
            return True
        self._left_out[_ending(name)] += 1
        return False

    def _matches(self, pattern: re.Pattern[str] | None, name: str, relative: str) -> bool:
        if pattern is None:
            return False
        return bool(pattern.match(name) or (relative and pattern.match(os.path.join(relative, name))))

    def matching(self, argument: str, number: int) -> Iterator[Files]:
        """Yield the files that match a glob, and those below matching folders.

        A pattern that spells its ending takes what ends so; another takes what is known to be text.
        """
        ending = os.path.splitext(argument)[1]
        named = bool(ending) and not glob.has_magic(ending)
        paths = sorted(glob.iglob(argument, recursive=True), key=lambda path: path.replace(os.sep, "\0"))
        for is_folder, group in itertools.groupby(paths, os.path.isdir):
            if is_folder:
                for path in group:
                    if not self._matches(self._exclude, os.path.basename(path), ""):
                        yield from self.folder(path, number)
                continue
            for folder, files in itertools.groupby(group, os.path.dirname):
                found = (os.path.basename(path) for path in files if os.path.isfile(path))
                names = [
                    name
                    for name in found
                    if not self._matches(self._exclude, name, "")
                    and self._wanted(name, "", named)
                    and self.single(os.path.join(folder, name))
                ]
                if names:
                    yield Files(folder, "/".join(names), number, self.readers, self.skipped)

    def notes(self) -> list[str]:
        """Say what was left out, and how to take it."""
        if not self._left_out:
            return []
        other = [ending for ending, _ in self._counted() if ending.startswith(".")]
        advice = f'--include "*{other[0]}" takes more' if other else '--include "*" takes all'
        if list(self._left_out) == [_BINARY_FILES]:
            return [f"left out: {self.left_out()}"]
        return [f"left out: {self.left_out()}; {advice}"]

    def left_out(self) -> str:
        """Return the commonest endings of what was left out, with their numbers."""
        counted = self._counted()
        said = [f"{count:,} {ending}" for ending, count in counted[:6]]
        more = sum(count for _, count in counted[6:])
        return ", ".join([*said, f"{more:,} others"] if more else said)

    def _counted(self) -> list[tuple[str, int]]:
        return sorted(self._left_out.items(), key=lambda item: (-item[1], item[0]))


_BINARY_FILES = "binary"


def _ending(name: str) -> str:
    ending = os.path.splitext(name)[1].lower()
    if ending in _BINARY:
        return _BINARY_FILES
    return ending if len(ending) > 1 else "without an ending"


def _pattern(globs: Sequence[str]) -> re.Pattern[str] | None:
    words = [word for pattern in globs for word in pattern.split(",") if word]
    return re.compile("|".join(fnmatch.translate(word.rstrip("/")) for word in words)) if words else None

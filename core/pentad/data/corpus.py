"""The text of a run: what `--data` names, opened as one stream of documents.

An argument is the name of a corpus that a plugin offers, a file, a folder (everything below it that can be read, in the order
of the paths, hidden files left out) or a glob. An argument that is both a corpus and a path is refused, so that a folder of
the same name never changes what a recipe means: `./python-docs` is always the path, `pentad-python-docs:python-docs`
always the corpus. A file that several arguments name is read once. Options of a corpus, or of what reads a file, stand behind
the name: `words,documents=5`, `table.csv,column=text`.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pentad.config.options import parse_named, split_options
from pentad.data.pieces import PIECE_CHARACTERS, Piece, Pieces
from pentad.data.readers import Readers, install_advice, whole_documents
from pentad.registry.catalogue import Catalogue, Offer
from pentad.registry.failures import check_command, module_of
from pentad.system.errors import EngineError, UsageError, did_you_mean, one_line
from pentad.system.frames import raised_in

__all__ = ["PIECE_CHARACTERS", "OpenCorpus", "Piece", "Pieces", "Source", "open_corpus"]


@dataclass(frozen=True)
class Source:
    """One file or one named corpus.

    Args:
        name: the path or the corpus's full name, for messages and records.
        read: streams its documents from the start.
        size: bytes on disk, compressed as they are; None when unknown.
        number: of the argument of `--data` that names it, from 0; builders tell the parts of a mixture by it.
    """

    name: str
    read: Callable[[], Iterator[Piece]]
    size: int | None = None
    number: int = 0


@dataclass(frozen=True)
class OpenCorpus:
    """Sources, one after the other; reading starts over with each call of `pieces`."""

    sources: tuple[Source, ...]

    def pieces(self) -> Iterator[Piece]:
        """Stream the documents, piece by piece, in bounded memory.

        Raises:
            UsageError: a file cannot be read; names the file and the place in it.
        """
        for source in self.sources:
            if source.number == 0:
                yield from source.read()
            else:
                yield from (piece._replace(source=source.number) for piece in source.read())


def open_corpus(data: Sequence[str], catalogue: Catalogue) -> OpenCorpus:
    """Find what `--data` names; nothing is read yet.

    Args:
        data: corpus names, files, folders and globs, in the order in which they are read.
        catalogue: offers the corpora and the readers.

    Raises:
        UsageError: an argument names nothing, names two things, or nothing that can be read.
    """
    if not data:
        raise UsageError(
            "--data expects a file, a folder or a corpus; found nothing.", _known_corpora(catalogue), code="data-missing"
        )
    readers = Readers(catalogue)
    sources: dict[str, Source] = {}
    for number, argument in enumerate(data):
        for source in _sources(argument, catalogue, readers):
            sources.setdefault(source.name, dataclasses.replace(source, number=number))
    return OpenCorpus(tuple(sources.values()))


def named_from_anywhere(data: Sequence[str]) -> tuple[str, ...]:
    """Return what `--data` names so that it means the same in another folder: paths and globs absolute, corpora as they are.

    Call it once `open_corpus` has taken them: then what is there as a path is no corpus.
    """
    return tuple(_from_anywhere(argument) for argument in data)


def _from_anywhere(argument: str) -> str:
    name, options = _split(argument)
    expanded = os.path.expanduser(name)
    if os.path.lexists(expanded):
        place = str(Path(os.getcwd(), expanded))
    elif glob.has_magic(name) and any(glob.iglob(expanded, recursive=True)):
        place = str(Path(glob.escape(os.getcwd()), expanded))
    else:
        return argument
    try:
        place.encode()
    except UnicodeEncodeError:  # below a folder whose name is no UTF-8; a recipe can only hold what the user wrote
        return argument
    return place + argument.removeprefix(name) if options else place


def _split(argument: str) -> tuple[str, dict[str, str]]:
    """Split the options off; what is there as a path is one, whatever its name looks like."""
    if _is_there(Path(os.path.expanduser(argument))):
        return argument, {}
    return split_options(argument)


def _sources(argument: str, catalogue: Catalogue, readers: Readers) -> list[Source]:
    if not argument:
        raise UsageError(
            "--data expects a file, a folder, a glob or a corpus; found an empty word.", _EMPTY_HINT, code="empty-word"
        )
    name, options = _split(argument)
    path = Path(os.path.expanduser(name))
    exists = _is_there(path)
    offers = [offer for offer in catalogue.offers("corpus") if name in (offer.name, offer.full_name)]
    if offers and exists:
        raise UsageError(
            f"--data {name} is a path here and a corpus of {offers[0].distribution}.",
            f"Say ./{name} or {offers[0].full_name}.",
            code="ambiguous-name",
        )
    if offers:
        return [_named(catalogue.find("corpus", name), options)]
    readers = dataclasses.replace(readers, options=options)
    if exists:
        return _at_path(path, readers)
    if glob.has_magic(name):
        return _matching(name, readers)
    known = [offer.name for offer in catalogue.offers("corpus")]
    siblings = [str(path.parent / sibling) for sibling in _names_in(path.parent)]
    advice = install_advice(catalogue, "corpus", name) or did_you_mean(name, known) or did_you_mean(str(path), siblings)
    raise UsageError(
        f"--data expects a file, a folder, a glob or a corpus; found nothing named {name!r}.",
        advice or _known_corpora(catalogue),
        code="data-not-found",
    )


def _is_there(path: Path) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:  # a recipe names it, which another locale wrote
        raise UsageError(
            f"--data {path} needs names of files in UTF-8; found that they are {sys.getfilesystemencoding()} here.",
            "Set PYTHONUTF8=1 in the environment.",
            code="path-not-utf8",
        ) from None
    return os.path.lexists(path)


_EMPTY_HINT = "Is a variable of the shell empty? The folder where you are is --data . with a dot."


def _known_corpora(catalogue: Catalogue) -> str:
    names = ", ".join(offer.name for offer in catalogue.offers("corpus"))
    return f"Check the path, or use a corpus: {names or 'none is installed'}."


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _named(offer: Offer[Any], given: Mapping[str, str]) -> Source:
    maker = f"The corpus {offer.name} of {offer.distribution} {offer.version}"
    options = parse_named(offer.options, given, offer.name)

    def read() -> Iterator[Piece]:
        try:
            documents = offer.resolve()(*((options,) if offer.record.takes_options else ()))
            yield from whole_documents(iter(documents), maker)
        except EngineError:
            raise
        except Exception as error:
            hint = f"{check_command(offer.distribution, offer.name)} tells more; or give --data a file."
            place = raised_in(error, module_of(offer.record.factory))
            where = f" ({place})" if place else ""
            raise EngineError(f"{maker} cannot be read{where}: {one_line(error)}", hint, code="corpus-unreadable") from error

    return Source(_with_options(offer.full_name, given), read)


def _with_options(name: str, given: Mapping[str, str]) -> str:
    return ",".join([name, *(f"{option}={value}" for option, value in sorted(given.items()))])


def _at_path(path: Path, readers: Readers) -> list[Source]:
    if path.is_dir():
        return _in_folder(path, readers)
    if not path.is_file():
        found = "a broken link" if path.is_symlink() else "something else (a pipe or a device)"
        raise UsageError(
            f"--data {path}: expected a file or a folder; found {found}.",
            "Save the text to a file first.",
            code="data-not-a-file",
        )
    readers.require(path)
    return [_file(path, readers)]


def _file(path: Path, readers: Readers) -> Source:
    resolved = path.resolve()
    return Source(_with_options(str(resolved), readers.options), lambda: readers.read(path), resolved.stat().st_size)


def _in_folder(folder: Path, readers: Readers) -> list[Source]:
    files = list(_walk(folder))
    readable = [path for path in files if readers.knows(path)]
    if not readable:
        counts = Counter("".join(path.suffixes[-2:]) or path.name for path in files).most_common(5)
        found = ", ".join(f"{count} {suffix}" for suffix, count in counts) or "no file"
        known = ", ".join(readers.known(decompressor=False))
        raise UsageError(
            f"--data {folder}: expected files that end in one of {known}; found {found}.",
            _INSTALL_HINT,
            code="data-without-files",
        )
    return [_file(path, readers) for path in readable]


_INSTALL_HINT = "Rename plain texts to .txt, or install the plugin for the format (engine plugins lists readers)."


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the regular files below a folder in a stable order; links to folders are not followed, as they may be circles."""

    def refuse(error: OSError) -> None:
        raise UsageError(
            f"--data {error.filename} cannot be opened: {error.strerror}.", "Check the folder's rights.", code="file-unreadable"
        )

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _matching(pattern: str, readers: Readers) -> list[Source]:
    paths = sorted(Path(match) for match in glob.glob(os.path.expanduser(pattern), recursive=True))
    sources = [source for path in paths for source in _matched(path, readers)]
    if not sources:
        found = f"{len(paths)} that cannot be read" if paths else "no match"
        known = ", ".join(readers.known(decompressor=False))
        raise UsageError(
            f"--data {pattern}: expected matches that end in one of {known}; found {found}.",
            _INSTALL_HINT,
            code="data-without-files",
        )
    return sources


def _matched(path: Path, readers: Readers) -> list[Source]:
    if path.is_dir():
        return [_file(below, readers) for below in _walk(path) if readers.knows(below)]
    return [_file(path, readers)] if path.is_file() and readers.knows(path) else []

"""The text of a run: what `--data` names, opened as one stream of documents.

An argument is the name of a corpus that a plugin offers, a file, a folder (everything below it that is known to be text, in
the order of the paths, hidden files left out), a glob, or several of these with commas between them. An argument that is both
a corpus and a path is refused, so that a folder of the same name never changes what a recipe means: `./python-docs` is always
the path, `pentad-python-docs:python-docs` always the corpus. A file that several arguments name is read once. Options of a
corpus, or of what reads a file, stand behind the name: `words,documents=5`, `table.csv,column=text`.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pentad.config.options import parse_named, split_options
from pentad.config.tables import DataOptions
from pentad.data.formats import codec_of
from pentad.data.listing import Files, Lister, Skipped
from pentad.data.pieces import PIECE_CHARACTERS, Piece, Pieces
from pentad.data.readers import Readers, install_advice, whole_documents
from pentad.registry.catalogue import Catalogue
from pentad.registry.failures import check_command, module_of
from pentad.registry.offers import Offer
from pentad.system.cache import keep_pipe
from pentad.system.errors import EngineError, UsageError, did_you_mean, one_line
from pentad.system.frames import raised_in

__all__ = ["PIECE_CHARACTERS", "OpenCorpus", "Piece", "Pieces", "Source", "open_corpus"]


@dataclass(frozen=True)
class Source:
    """One file that the user named, or one named corpus.

    Args:
        name: the path or the corpus's full name, for messages and records.
        read: streams its documents from the start.
        number: of the argument of `--data` that names it, from 0; builders tell the parts of a mixture by it.
    """

    name: str
    read: Callable[[], Iterator[Piece]]
    number: int = 0


@dataclass(frozen=True)
class OpenCorpus:
    """Sources, one after the other; reading starts over with each call of `pieces`.

    Args:
        sources: named corpora and files, and the files of folders.
        left_out: what is said of files that are not read.
        skipped: files that turned out to be unreadable.
    """

    sources: tuple[Source | Files, ...]
    left_out: tuple[str, ...]
    skipped: Skipped

    def pieces(self) -> Iterator[Piece]:
        """Stream the documents, piece by piece, in bounded memory.

        Raises:
            UsageError: a file cannot be read; names the file and the place in it.
        """
        found = False
        for source in self.sources:
            for piece in source.read():
                found = True
                yield piece if source.number == 0 else piece._replace(source=source.number)
        if not found and self.skipped.first:
            raise self.skipped.first[0]

    def notes(self) -> tuple[str, ...]:
        """Say what was left out and skipped; complete once all of it was read."""
        return (*self.left_out, *self.skipped.notes())


def open_corpus(data: Sequence[str], catalogue: Catalogue, options: DataOptions | None = None) -> OpenCorpus:
    """Find what `--data` names; nothing is read yet.

    Args:
        data: corpus names, files, folders and globs, in the order in which they are read.
        catalogue: offers the corpora and the readers.
        options: how files are chosen and read; None for the defaults. Its `sources` are not looked at.

    Raises:
        UsageError: an argument names nothing, names two things, or nothing that can be read.
    """
    if not data:
        raise UsageError(
            "--data expects a file, a folder or a corpus; found nothing.", _known_corpora(catalogue), code="data-missing"
        )
    options = options or DataOptions()
    codec_of(options.encoding)
    lister = Lister(Readers(catalogue, options), options)
    words = [word for argument in data for word in _parts(argument, catalogue)]
    sources = [source for number, word in enumerate(words) for source in _sources(word, number, catalogue, lister)]
    named = [source.name if isinstance(source, Source) else None for source in sources]
    once = [source for place, source in enumerate(sources) if named[place] is None or named.index(named[place]) == place]
    return OpenCorpus(tuple(once), tuple(lister.notes()), lister.skipped)


def _parts(argument: str, catalogue: Catalogue) -> list[str]:
    """Split an argument at commas where it is no name by itself and each part of it is one; its options are those of each."""
    name, given = _split(argument)
    parts = [part.strip() for part in name.split(",")]
    if len(parts) == 1 or _is_name(name, catalogue) or not all(_is_name(part, catalogue) for part in parts):
        return [argument]
    return [_with_options(part, given) for part in parts]


def _split(argument: str) -> tuple[str, dict[str, str]]:
    """Split the options off; what is there as a path is one, whatever its name looks like."""
    return (argument, {}) if _is_at_path(argument) else split_options(argument)


def _with_options(name: str, given: Mapping[str, str]) -> str:
    return ",".join([name, *(f"{option}={value}" for option, value in sorted(given.items()))])


def _is_at_path(word: str) -> bool:
    path = os.path.expanduser(word)
    return os.path.lexists(path) or (glob.has_magic(path) and any(glob.iglob(path, recursive=True)))


def _is_name(word: str, catalogue: Catalogue) -> bool:
    return bool(word) and (
        (_is_there(Path(os.path.expanduser(word))) or _is_at_path(word))
        or any(word in (offer.name, offer.full_name) for offer in catalogue.offers("corpus"))
    )


def named_from_anywhere(data: Sequence[str]) -> tuple[str, ...]:
    """Return what `--data` names so that it means the same in another folder: paths and globs absolute, corpora as they are.

    Call it once `open_corpus` has taken them: then what is there as a path is no corpus, and what is not there by itself but
    has commas in it is a list.
    """
    words: list[str] = []
    for argument in data:
        name, given = _split(argument)
        parts = [name] if _is_at_path(name) else name.split(",")
        words += [_with_options(_from_anywhere(part.strip() if len(parts) > 1 else part), given) for part in parts]
    return tuple(words)


def keep_pipes(data: Sequence[str]) -> tuple[str, ...]:
    """Return what `--data` names, with a file of the cache that holds what is piped in for `-`.

    Raises:
        UsageError: nothing is piped in, or a terminal is, or several processes would read it.
        EngineError: the cache cannot be written.
    """
    if "-" not in data:
        return tuple(data)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "--data - reads what is piped in; found a terminal.",
            "For example: cat *.txt | engine run --data -",
            code="pipe-empty",
        )
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise UsageError(
            "--data - is read by one process; found several.", "Save the text to a file first.", code="pipe-in-processes"
        )
    kept = str(keep_pipe(sys.stdin.buffer))
    return tuple(kept if argument == "-" else argument for argument in data)


def _from_anywhere(argument: str) -> str:
    expanded = os.path.expanduser(argument)
    if os.path.lexists(expanded):
        place = str(Path(os.getcwd(), expanded))
    elif glob.has_magic(argument) and any(glob.iglob(expanded, recursive=True)):
        place = str(Path(glob.escape(os.getcwd()), expanded))
    else:
        return argument
    try:
        place.encode()
    except UnicodeEncodeError:  # below a folder whose name is no UTF-8; a recipe can only hold what the user wrote
        return argument
    return place


def _sources(argument: str, number: int, catalogue: Catalogue, lister: Lister) -> list[Source] | list[Files]:
    if not argument:
        raise UsageError(
            "--data expects a file, a folder, a glob or a corpus; found an empty word.", _EMPTY_HINT, code="empty-word"
        )
    name, given = _split(argument)
    path = Path(os.path.expanduser(name))
    exists = _is_there(path)
    offers = [offer for offer in catalogue.offers("corpus") if name in (offer.name, offer.full_name)]
    if offers and exists:
        raise UsageError(
            f"--data {name} is a path here and a corpus of {offers[0].distribution}.",
            f"Use ./{name} or {offers[0].full_name}.",
            code="ambiguous-name",
        )
    if offers:
        return [_named(catalogue.find("corpus", name), number, given)]
    lister = lister.with_reader_options(given) if given else lister
    if exists:
        return _at_path(path, number, lister)
    if glob.has_magic(name):
        return _matching(name, number, lister)
    missing = [part for part in map(str.strip, name.split(",")) if not _is_name(part, catalogue)]
    if len(missing) <= name.count(","):  # some of a list are there
        raise UsageError(
            f"--data expects a file, a folder, a glob or a corpus; found nothing named {' or '.join(map(repr, missing))}.",
            "Correct that part of the list, or repeat the flag: --data ONE --data OTHER.",
            code="data-not-found",
        )
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


def _named(offer: Offer[Any], number: int, given: Mapping[str, str]) -> Source:
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

    return Source(_with_options(offer.full_name, given), read, number)


def _at_path(path: Path, number: int, lister: Lister) -> list[Source] | list[Files]:
    if path.is_dir():
        return _in_folder(path, number, lister)
    if not path.is_file():
        is_pipe = path.is_fifo()
        found = "a broken link" if path.is_symlink() and not is_pipe else "something else (a pipe or a device)"
        raise UsageError(
            f"--data {path}: expected a file or a folder; found {found}.",
            "Pipe the text in: COMMAND | engine run --data -" if is_pipe else "Save the text to a file first.",
            code="data-not-a-file",
        )
    name, readers = str(path), lister.readers
    readers.require(name)
    source = Source(_with_options(str(path.resolve()), readers.given), lambda: readers.read(name), number)
    return [source] if lister.single(name) else []


def _in_folder(folder: Path, number: int, lister: Lister) -> list[Files]:
    before = lister.wanted
    files = list(lister.folder(str(folder), number))
    if lister.wanted == before and not lister.skipped.first:
        raise UsageError(
            f"--data {folder}: expected files that are known to be text; found {lister.left_out() or 'no file'}.",
            _INCLUDE_HINT,
            code="data-without-files",
        )
    return files


_INCLUDE_HINT = (
    'Name the file itself, or use --include "*.ENDING" to read files of a folder as plain text. '
    "engine plugins lists the formats that are read."
)


def _matching(pattern: str, number: int, lister: Lister) -> list[Files]:
    before = lister.wanted
    files = list(lister.matching(os.path.expanduser(pattern), number))
    if lister.wanted == before and not lister.skipped.first:
        raise UsageError(
            f"--data {pattern}: expected matches that are known to be text; found {lister.left_out() or 'no match'}.",
            _INCLUDE_HINT,
            code="data-without-files",
        )
    return files

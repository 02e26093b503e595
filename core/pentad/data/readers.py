"""Which reader reads which file: by the ends of names, `.jsonl`, `.gz`.

Built in are plain text, `.jsonl` (a line is a record), the columns of `.csv` and `.tsv` where `--text-key` names one, and the
compression `.gz`; plugins add others through the hook `engine_readers`. A file that the user names is plain text whatever its
name, unless a reader is there for it; of folders, what is known to be text is read: `TEXT_ENDINGS` and `TEXT_NAMES`.
"""

from __future__ import annotations

import functools
import gzip
import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, cast

from pentad.config.options import NoOptions, describe, parse_named
from pentad.config.tables import DataOptions
from pentad.data.formats import ReadFormat, read_csv, read_jsonl, read_piped, read_text, read_tsv
from pentad.data.pieces import Piece, clean, cut
from pentad.data.records import record_pieces
from pentad.registry.catalogue import Catalogue
from pentad.registry.offers import Offer
from pentad.system.cache import PIPED
from pentad.system.errors import EngineError, UsageError, one_line

Decompress = Callable[[BinaryIO], BinaryIO]

_TEXT = """
adoc asciidoc asm bash bat bib c cc cfg clj cljs cmake conf cpp cs css cxx d dart diff el elm erl ex exs f f90 fish fs fsx go
gradle graphql groovy h hh hpp hs htm html hxx ini ipp java jl js jsx kt kts latex less lisp lua m markdown md mdx mjs mk ml
mli mm nim org pas patch php pl pm po proto ps1 py pyi pyx r rb rs rst s sass scala scm scss sh sol sql srt sv svelte swift
tcl tex text textile tf toml ts tsx txt v vb vhd vim vtt vue wiki xhtml yaml yml zig zsh
"""
TEXT_ENDINGS = frozenset(f".{ending}" for ending in _TEXT.split())
"""Ends of names that are read as plain text below folders; logs and tables are data and are left out."""

TEXT_NAMES = frozenset(("authors", "changelog", "changes", "copying", "dockerfile", "license", "makefile", "news", "readme"))
"""Names without an ending that are read as plain text below folders."""


def _open_gzip(file: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=file))


FORMATS: dict[str, ReadFormat] = {".jsonl": read_jsonl, PIPED: read_piped}
COLUMNS: dict[str, ReadFormat] = {".csv": read_csv, ".tsv": read_tsv}
"""Formats of which one column is read, where it is named."""

DECOMPRESSORS: dict[str, Decompress] = {".gz": _open_gzip}


def install_advice(catalogue: Catalogue, kind: str, name: str) -> str:
    """Say which distribution to install or to mend for something that is not there; empty when nothing is known of it."""
    try:
        catalogue.find(kind, name)
    except UsageError as error:
        if "pip install" in error.hint or "is installed but broken" in error.hint:
            return error.hint
    return ""


class Readers:
    """The formats and compressions of core and of the installed plugins; core's own come first.

    Args:
        catalogue: offers the readers.
        options: how files are read.
        given: what the user said behind the name of the file, for its format or its compression.
    """

    def __init__(
        self, catalogue: Catalogue, options: DataOptions | None = None, given: Mapping[str, str] | None = None
    ) -> None:
        self.catalogue = catalogue
        self.given = given or {}
        self.options = options or DataOptions()
        self._own = FORMATS | (COLUMNS if self.options.text_key else {})
        self._offered: dict[bool, set[str]] = {True: set(), False: set()}
        for offer in catalogue.offers("reader"):
            self._offered[offer.record.decompressor].add(offer.name)
        self._packed = tuple(self.known(decompressor=True))
        self._formats = frozenset(self.known(decompressor=False))
        self._reading = functools.cache(self._find)

    def known(self, decompressor: bool) -> list[str]:
        """List the suffixes of formats that are more than plain text, or of compressions."""
        return sorted(self._offered[decompressor] | set(DECOMPRESSORS if decompressor else self._own))

    def suffixes(self, name: str) -> tuple[str, str]:
        """Split a file's name into (format, compression), each a suffix in lower case or empty: `.jsonl`, `.gz`."""
        name = os.path.basename(name).lower()
        compression = ""
        if name.endswith(self._packed):
            compression = next(suffix for suffix in self._packed if name.endswith(suffix))
            name = name.removesuffix(compression)
        return os.path.splitext(name)[1], compression

    def knows(self, name: str) -> bool:
        """Whether a file of this name is read where only its folder is named."""
        suffix, compression = self.suffixes(name)
        if suffix:
            return suffix in TEXT_ENDINGS or suffix in self._formats
        return os.path.basename(name).lower().removesuffix(compression) in TEXT_NAMES

    def require(self, path: str) -> None:
        """Check that a file which the user names can be read, before any file is.

        Raises:
            UsageError: its reader is not installed, or two plugins offer one.
        """
        suffix, _ = self._reading_of(path)
        advice = "" if suffix in self._formats or suffix in TEXT_ENDINGS else self._advice(suffix)
        if advice:
            raise UsageError(
                f"--data {path}: no reader for {suffix} is installed.",
                advice,
                code="unknown-suffix",
            )

    def _advice(self, suffix: str) -> str:
        return install_advice(self.catalogue, "reader", suffix) if suffix else ""

    def _reading_of(self, path: str) -> tuple[str, str]:
        suffix, compression = self.suffixes(path)
        self._reading(suffix, compression)
        return suffix, compression

    def read(self, path: str) -> Iterator[Piece]:
        """Stream a file's documents.

        Raises:
            UsageError: the file cannot be opened, is damaged or truncated, or is not what its suffix says.
        """
        suffix, compression = self.suffixes(path)
        format, decompress = self._reading(suffix, compression)
        try:
            with open(path, "rb", buffering=0 if format is read_text and not compression else -1) as raw:
                yield from format(decompress(raw), path, self.options)
        except EngineError:
            raise
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            raise UsageError(
                f"--data {path} cannot be opened: {error.strerror}.", "Check the path and its rights.", code="file-unreadable"
            ) from error
        except Exception as error:
            hint = (
                f"The file is truncated, damaged, or no {suffix}{compression} file: fetch it again, or leave it out of --data."
            )
            raise UsageError(f"--data {path} cannot be read: {one_line(error)}", hint, code="file-unreadable") from error

    def _find(self, suffix: str, compression: str) -> tuple[ReadFormat, Decompress]:
        decompress = DECOMPRESSORS.get(compression) or (lambda file: file)
        if compression in self._offered[True]:
            decompress = self._decompressor(compression)
        own = self._own_options(compression)
        given = {name: value for name, value in self.given.items() if name.replace("-", "_") not in own}
        if suffix in self._own or suffix not in self._offered[False]:
            parse_named(NoOptions, given, suffix or "plain text")
            return self._own.get(suffix, read_text), decompress
        offer = self.catalogue.find("reader", suffix)
        options_of_reader = _options(offer, given)
        documents, maker = offer.resolve(), f"The reader {suffix} of {offer.distribution}"
        named = {"text_key": self.options.text_key, "encoding": self.options.encoding}
        named = {name: value for name, value in named.items() if name in inspect.signature(documents).parameters}
        return (lambda file, name, options: whole_documents(documents(file, *options_of_reader, **named), maker)), decompress

    def _own_options(self, compression: str) -> frozenset[str]:
        """Return the names of a compression's options: those are not the format's."""
        if compression not in self._offered[True]:
            return frozenset()
        return frozenset(spec.name for spec in describe(self.catalogue.find("reader", compression).options))

    def _decompressor(self, compression: str) -> Decompress:
        offer, own = self.catalogue.find("reader", compression), self._own_options(compression)
        options = _options(offer, {name: value for name, value in self.given.items() if name.replace("-", "_") in own})
        decompress = offer.resolve()
        return lambda file: cast(BinaryIO, decompress(file, *options))


def _options(offer: Offer[Any], given: Mapping[str, str]) -> tuple[Any, ...]:
    """Return what stands behind the file in a call of a reader: its options, where it has any."""
    options = parse_named(offer.options, given, offer.name)
    return (options,) if offer.record.takes_options else ()


def whole_documents(documents: Iterator[Any], maker: str) -> Iterator[Piece]:
    """Cut what a plugin yields, a string or a record with keys for each document, into pieces.

    Raises:
        EngineError: the plugin yields something else.
    """
    for document in documents:
        if isinstance(document, str):
            yield from cut([clean(document)])
        elif isinstance(document, Mapping):
            yield from _record_of_plugin(document, maker)
        else:
            raise EngineError(
                f"{maker} must yield one str a document; found {document!r:.80}.",
                "Report it to its author.",
                code="plugin-contract",
            )


def _record_of_plugin(record: Mapping[str, Any], maker: str) -> Iterator[Piece]:
    try:
        values = json.loads(json.dumps(dict(record)))
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"{maker} must yield records of JSON values: {one_line(error)}"
        raise EngineError(problem, "Report it to its author.", code="plugin-contract") from error
    yield from record_pieces(values, f"A record of {maker[0].lower()}{maker[1:]}")

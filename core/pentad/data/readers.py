"""File formats and compressions: bytes on disk to pieces of text.

Built in are `.txt` and `.md` (a file is a document), `.jsonl` (a line is a record: its text under the key "text", or one of
the sets of keys that `pentad.data.records` knows) and the compression `.gz`; plugins add others through the hook
`engine_readers`. Text is UTF-8, newlines are kept as they are, a byte order mark at the start of a file is dropped (it marks
the encoding and is no text), and an empty document or a null text is skipped. A lone surrogate, which
JSON can spell and UTF-8 cannot, becomes U+FFFD.
"""

from __future__ import annotations

import codecs
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from pentad.config.options import NoOptions, describe, parse_named
from pentad.data.pieces import Piece, clean, cut
from pentad.data.records import RECORD_HINT, kind_of, record_pieces
from pentad.registry.catalogue import Catalogue, Offer
from pentad.system.errors import EngineError, UsageError, one_line

BLOCK_BYTES = 1 << 20
LONGEST_LINE = 1 << 27
"""The most bytes of one JSON line; a document in a line must fit into memory."""

ReadFormat = Callable[[BinaryIO, str], Iterator[Piece]]
"""An open binary file and its name for messages, to pieces."""

Decompress = Callable[[BinaryIO], BinaryIO]


def read_text(file: BinaryIO, name: str) -> Iterator[Piece]:
    """Yield a text file as one document.

    Raises:
        UsageError: a byte is not UTF-8, or is NUL; names the file and the offset.
    """
    return cut(_decoded(file, name))


def _decoded(file: BinaryIO, name: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    while block := file.read(BLOCK_BYTES):
        data = _without_mark(block, name) if offset == 0 else block
        waiting = len(decoder.getstate()[0])
        offset += len(block)
        yield _decode(data, name, offset - len(data), decoder.decode, waiting)
    _decode(b"", name, offset, lambda data: decoder.decode(data, True), len(decoder.getstate()[0]))


def _without_mark(block: bytes, name: str) -> bytes:
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _not_text(name, 0, "a UTF-16 byte order mark", "UTF-16")
    return block.removeprefix(codecs.BOM_UTF8)


def _decode(data: bytes, name: str, offset: int, decode: Callable[[bytes], str], waiting: int = 0) -> str:
    """Decode bytes that stand at an offset of a file, of which `waiting` bytes before them are not yet decoded."""
    nul = data.find(0)
    if nul >= 0:
        raise _not_text(name, offset + nul, "a NUL byte")
    try:
        return decode(data)
    except UnicodeDecodeError as error:
        at = offset - waiting + error.start
        raise _not_text(name, at, f"the byte 0x{error.object[error.start]:02x}", "ISO-8859-1") from None


def _not_text(name: str, offset: int, found: str, encoding: str = "") -> UsageError:
    hint = "It looks like a binary or damaged file: leave it out of --data, or fetch it again."
    if encoding:
        hint = f"Convert it (if it is {encoding}: iconv -f {encoding} -t UTF-8 OLD > NEW), or leave it out of --data."
    return UsageError(f"{name} must be UTF-8 text; found {found} at byte {offset}.", hint, code="text-not-utf8")


def read_jsonl(file: BinaryIO, name: str) -> Iterator[Piece]:
    """Yield one record a line; blank lines are passed over.

    Raises:
        UsageError: a line is no JSON object, or has neither a string or null under "text" nor a known set of keys; names the
            file and the line.
    """
    offset, number = 0, 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        where = f"{name}, line {number},"
        if len(line) == LONGEST_LINE:
            raise UsageError(
                f"{where} must be shorter than {LONGEST_LINE >> 20} MiB; found no end of the line.",
                "Split long documents, or save the file as .txt.",
                code="line-too-long",
            )
        data = _without_mark(line, name) if number == 1 else line
        offset += len(line)
        text = _decode(data, name, offset - len(data), bytes.decode).strip()
        if text:
            yield from record_pieces(_object(text, where), where)


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{where} is not JSON: {one_line(error)}.", 'Each line holds one object, {"text": …}.', code="document-format"
        ) from None
    if not isinstance(record, dict):
        raise UsageError(
            f'{where} must be an object with the key "text"; found {kind_of(record)}.', RECORD_HINT, code="document-format"
        )
    return record


def _open_gzip(file: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=file))


FORMATS: dict[str, ReadFormat] = {".txt": read_text, ".md": read_text, ".jsonl": read_jsonl}
DECOMPRESSORS: dict[str, Decompress] = {".gz": _open_gzip}


_UNKNOWN_HINT = "Rename a plain text to .txt, or install a plugin that reads this format."


def install_advice(catalogue: Catalogue, kind: str, name: str) -> str:
    """Say which distribution to install or to mend for something that is not there; empty when nothing is known of it."""
    try:
        catalogue.find(kind, name)
    except UsageError as error:
        if "pip install" in error.hint or "is installed but broken" in error.hint:
            return error.hint
    return ""


@dataclass(frozen=True)
class Readers:
    """The formats and compressions of core and of the installed plugins; core's own come first."""

    catalogue: Catalogue
    options: Mapping[str, str] = field(default_factory=dict)
    """What the user said behind the name of the file, for the format or the compression."""

    def known(self, decompressor: bool) -> list[str]:
        """List the suffixes of formats, or of compressions."""
        offered = {offer.name for offer in self.catalogue.offers("reader") if offer.record.decompressor is decompressor}
        return sorted(offered | set(DECOMPRESSORS if decompressor else FORMATS))

    def suffixes(self, path: Path) -> tuple[str, str]:
        """Split a file's name into (format, compression), each a suffix in lower case or empty: `.jsonl`, `.gz`."""
        name = path.name.lower()
        compression = next((suffix for suffix in self.known(decompressor=True) if name.endswith(suffix)), "")
        return Path(name.removesuffix(compression)).suffix, compression

    def knows(self, path: Path) -> bool:
        """Whether the file's name has the suffix of a format that can be read."""
        return self.suffixes(path)[0] in self.known(decompressor=False)

    def require(self, path: Path) -> None:
        """Check that a file can be read, before any file is.

        Raises:
            UsageError: no reader for the suffix is installed, or two plugins offer one.
        """
        suffix, compression = self.suffixes(path)
        self._decompressor(compression)
        if suffix in FORMATS:
            self._format(suffix, compression)
            return
        known = ", ".join(self.known(decompressor=False))
        if not self.knows(path):
            packed = ", ".join(self.known(decompressor=True))
            expected = f"expected a name that ends in one of {known} (each also with {packed})"
            raise UsageError(
                f"--data {path}: {expected}; found {suffix or 'no suffix'}.",
                install_advice(self.catalogue, "reader", suffix) or _UNKNOWN_HINT,
                code="unknown-suffix",
            )
        self._format(suffix, compression)

    def read(self, path: Path) -> Iterator[Piece]:
        """Stream a file's documents.

        Raises:
            UsageError: the file cannot be opened, is damaged or truncated, or is not what its suffix says.
        """
        suffix, compression = self.suffixes(path)
        try:
            with path.open("rb") as raw:
                yield from self._format(suffix, compression)(self._decompressor(compression)(raw), str(path))
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

    def _format(self, suffix: str, compression: str) -> ReadFormat:
        given = {name: value for name, value in self.options.items() if name.replace("-", "_") not in self._own(compression)}
        if suffix in FORMATS:
            parse_named(NoOptions, given, suffix)
            return FORMATS[suffix]
        offer = self.catalogue.find("reader", suffix)
        options = _options(offer, given)
        documents = offer.resolve()
        return lambda file, name: whole_documents(documents(file, *options), f"The reader {suffix} of {offer.distribution}")

    def _own(self, compression: str) -> frozenset[str]:
        """Return the names of a compression's options: those are not the format's."""
        if not compression or compression in DECOMPRESSORS:
            return frozenset()
        return frozenset(spec.name for spec in describe(self.catalogue.find("reader", compression).options))

    def _decompressor(self, suffix: str) -> Decompress:
        if not suffix:
            return lambda file: file
        if suffix in DECOMPRESSORS:
            return DECOMPRESSORS[suffix]
        offer = self.catalogue.find("reader", suffix)
        own = self._own(suffix)
        options = _options(offer, {name: value for name, value in self.options.items() if name.replace("-", "_") in own})
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

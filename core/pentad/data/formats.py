"""What core reads itself: plain text, JSON lines, and the columns of .csv and .tsv files.

Text is UTF-8, or UTF-16 and UTF-32 where a byte order mark says so, or what `--encoding` names. Newlines are kept as they
are, a byte order mark at the start of a file is dropped (it marks the encoding and is no text), and an empty document or a
null text is skipped. A lone surrogate, which JSON can spell and UTF-8 cannot, becomes U+FFFD.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from pentad.config.tables import DataOptions
from pentad.data.pieces import Piece, cut
from pentad.data.records import RECORD_HINT, kind_of, record_pieces
from pentad.system.errors import UsageError, one_line

BLOCK_BYTES = 1 << 20
LONGEST_LINE = 1 << 27
"""The most characters of one JSON line or one cell; a document in a line must fit into memory."""

ReadFormat = Callable[[BinaryIO, str, DataOptions], Iterator[Piece]]
"""An open binary file, its name for messages, and how to read it, to pieces."""

_MARKS = {  # the longer ones first: that of UTF-16 begins that of UTF-32
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_MARKED = tuple({mark[:1] for mark in _MARKS})
_UTF8 = ("auto", "utf-8")
_PLAIN = DataOptions()


def codec_of(encoding: str) -> str:
    """Return Python's name of an encoding, or `auto`.

    Raises:
        UsageError: there is no such encoding of text.
    """
    if encoding == "auto":
        return encoding
    try:
        b"four".decode(encoding, "replace")  # says of what is no encoding of text that it is none
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise UsageError(
            f"--encoding expects the name of an encoding, found {encoding!r}.",
            "For example latin-1, cp1252, utf-16 or shift_jis; auto is UTF-8, or what a byte order mark says.",
            code="unknown-encoding",
        ) from None


def read_text(file: BinaryIO, name: str, options: DataOptions = _PLAIN) -> Iterator[Piece]:
    """Yield a text file as one document.

    Raises:
        UsageError: a byte does not fit the encoding, or is NUL; names the file and the offset.
    """
    return cut(decoded(file, name, options.encoding))


def decoded(file: BinaryIO, name: str, encoding: str = "auto") -> Iterator[str]:
    """Yield the characters of a file block by block, without its byte order mark.

    Raises:
        UsageError: a byte does not fit the encoding, or is NUL; names the file and the offset.
    """
    codec = codec_of(encoding)
    block = _beginning(file)
    if codec == "auto" and block[:1] in _MARKED:
        codec = next((found for mark, found in _MARKS.items() if block.startswith(mark)), codec)
    decoder = codecs.getincrementaldecoder("utf-8" if codec in _UTF8 else codec)()
    offset = 0
    while block:
        data = block.removeprefix(codecs.BOM_UTF8) if offset == 0 and codec in _UTF8 else block
        offset += len(block)
        yield _decode(decoder, data, name, offset - len(data), codec)
        block = file.read(BLOCK_BYTES)
    _decode(decoder, b"", name, offset, codec, final=True)


def _beginning(file: BinaryIO) -> bytes:
    """Return the first block, which holds the whole byte order mark."""
    block = file.read(BLOCK_BYTES)
    while len(block) < 4 and (more := file.read(BLOCK_BYTES)):
        block += more
    return block


def _decode(decoder: codecs.IncrementalDecoder, data: bytes, name: str, offset: int, codec: str, *, final: bool = False) -> str:
    """Decode bytes that stand at an offset of a file."""
    waiting = len(decoder.getstate()[0])  # bytes before them that are not decoded yet
    nul = data.find(0) if codec in _UTF8 else -1
    if nul >= 0:
        raise _not_text(name, offset + nul, "a NUL byte", codec, _nul_hint(data))
    try:
        text = decoder.decode(data, final)
    except UnicodeDecodeError as error:
        at = offset - waiting + error.start
        raise _not_text(name, at, f"the byte 0x{error.object[error.start]:02x}", codec, _OTHER_ENCODING) from None
    nul = text.find("\0")
    if nul >= 0:
        raise _not_text(name, offset - waiting + len(text[:nul].encode(codec)), "a NUL character", codec, _BINARY)
    return text


_BINARY = "It looks like a binary or damaged file: leave it out of --data, or fetch it again."
_OTHER_ENCODING = (
    "If it is in another encoding, name it: --encoding latin-1 (Western European), cp1252 (Windows) or utf-16. "
    "Else leave it out of --data."
)


def _nul_hint(data: bytes) -> str:
    start = data[:1000]
    if start.count(0) * 5 < 2 * len(start) or not any(start):
        return _BINARY
    order = "le" if start[1::2].count(0) > start[::2].count(0) else "be"
    return f"If it is UTF-16, use --encoding utf-16-{order}. Else it is a binary file: leave it out of --data."


def _not_text(name: str, offset: int, found: str, codec: str, hint: str) -> UsageError:
    expected = "UTF-8" if codec in _UTF8 else codec
    return UsageError(f"{name} must be {expected} text; found {found} at byte {offset}.", hint, code="text-not-utf8")


def _lines(blocks: Iterable[str], name: str) -> Iterator[str]:
    """Yield lines with their ends."""
    rest, number = "", 0
    for block in blocks:
        *whole, rest = (rest + block).split("\n")
        for line in whole:
            number += 1
            yield line + "\n"
        if len(rest) >= LONGEST_LINE:
            raise UsageError(
                f"{name}, line {number + 1}, must be shorter than {LONGEST_LINE >> 20} MiB; found no end of the line.",
                "Split long documents, or save the file as .txt.",
                code="line-too-long",
            )
    if rest:
        yield rest


def read_jsonl(file: BinaryIO, name: str, options: DataOptions = _PLAIN) -> Iterator[Piece]:
    """Yield one record a line; blank lines are skipped.

    Raises:
        UsageError: a line is not a JSON object, or has neither a string or null under "text" nor a known set of keys, or not
            the key that `options.text_key` names; names the file and the line.
    """
    for number, line in enumerate(_lines(decoded(file, name, options.encoding), name), 1):
        text = line.strip()
        if text:
            where = f"{name}, line {number},"
            yield from record_pieces(_object(text, where), where, options.text_key)


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


def read_piped(file: BinaryIO, name: str, options: DataOptions = _PLAIN) -> Iterator[Piece]:
    """Yield what was piped in: JSON lines where a key of them is named, else one text."""
    return read_jsonl(file, name, options) if options.text_key else read_text(file, name, options)


def read_csv(file: BinaryIO, name: str, options: DataOptions) -> Iterator[Piece]:
    """Yield each cell of the column `options.text_key` of a comma-separated file as a document; empty ones are skipped.

    Raises:
        UsageError: the first line does not name the column, or a line cannot be split into cells.
    """
    return _cells(file, name, options, ",")


def read_tsv(file: BinaryIO, name: str, options: DataOptions) -> Iterator[Piece]:
    """Yield each cell of a column of a tab-separated file, as `read_csv` does."""
    return _cells(file, name, options, "\t")


def _cells(file: BinaryIO, name: str, options: DataOptions, delimiter: str) -> Iterator[Piece]:
    csv.field_size_limit(LONGEST_LINE)
    rows = csv.reader(_lines(decoded(file, name, options.encoding), name), delimiter=delimiter)
    column = -1
    try:
        for row in rows:
            if column < 0:
                column = _column(row, name, options.text_key)
            elif column < len(row):
                yield from cut([row[column]])
    except csv.Error as error:
        raise UsageError(
            f"{name}, line {rows.line_num}, is no row of cells: {error}.",
            "Quote cells that hold quotes or line breaks, or leave out --text-key to read the file as plain text.",
            code="document-format",
        ) from None


def _column(header: list[str], name: str, wanted: str) -> int:
    if wanted not in header:
        raise UsageError(
            f"{name} must name the column {wanted!r} in its first line; found {', '.join(header[:20]) or 'nothing'}.",
            f"Use --text-key {header[0] if header else 'COLUMN'}, or another column of it.",
            code="document-format",
        )
    return header.index(wanted)

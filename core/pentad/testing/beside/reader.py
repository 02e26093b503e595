"""The contract of readers, as checks on an example file and on damaged copies of it.

from pentad.testing import ReaderConformance

class TestTable(ReaderConformance):
    name = ".table"
    example = b"text\none line\n"

Without an example, here or in the record (`Reader(example=…)`), only damaged files can be tried.
"""

from __future__ import annotations

import io
import itertools
from typing import Any, BinaryIO, ClassVar

from pentad.registry.records import Reader, resolve
from pentad.testing.beside.corpus import require_documents
from pentad.testing.conformance import Conformance, NotChecked, require

_RUBBISH = bytes(range(256)) * 4
_MOST = 10_000
"""Documents, or pieces of plain bytes, at which a check stops reading."""


class ReaderConformance(Conformance):
    """Checks of a file format, or of a compression.

    Attributes:
        example: the bytes of a small file; those of the record unless given.
    """

    kind = "reader"
    example: ClassVar[bytes] = b""

    def reader(self) -> Reader:
        """Return the record under test."""
        record = self.record()
        assert isinstance(record, Reader)
        return record

    def content(self) -> bytes:
        """Return the example's bytes.

        Raises:
            NotChecked: there is no example.
        """
        if self.example:
            return self.example
        record = self.reader()
        if not record.example:
            raise NotChecked("it needs a small file: give the record an example=, a function that returns its bytes")
        made = resolve(record.example)
        found = made() if callable(made) else made
        require(isinstance(found, bytes) and bool(found), f"example must return the bytes of a file, found {found!r:.40}")
        return bytes(found)

    def read(self, content: bytes) -> list[Any]:
        """Return the documents of a file with this content; of a compression, its plain bytes in one piece."""
        return self.read_from(io.BytesIO(content))

    def read_from(self, file: BinaryIO) -> list[Any]:
        """Return the documents, or the plain bytes, of an open file."""
        options = (self.parsed_options(),) if self.reader().takes_options else ()
        found = self.factory()(file, *options)
        if not self.reader().decompressor:
            return list(itertools.islice(iter(found), _MOST))
        require(hasattr(found, "read"), f"a decompressor must return an open file, found a {type(found).__name__}")
        data = found.read()
        require(
            isinstance(data, bytes), f"the file that a decompressor returns must be binary, it read a {type(data).__name__}"
        )
        return [data]

    def check_reads_its_example(self) -> None:
        """The example gives documents: each a `str` or a record with keys; a compression gives UTF-8 text."""
        found = self.read(self.content())
        if self.reader().decompressor:
            try:
                text = found[0].decode("utf-8")
            except UnicodeDecodeError:
                raise AssertionError("the plain bytes of the example are no UTF-8 text") from None
            require(bool(text.strip()), "the example gives no text")
            return
        require(bool(found), "the example gives no document")
        require_documents(found, "the reader")

    def check_reads_the_same_again(self) -> None:
        """Reading the example twice gives the same."""
        content = self.content()
        require(
            self.read(content) == self.read(content), "the second reading gives other documents; keep nothing between files"
        )

    def check_decompresses_in_pieces(self) -> None:
        """A compression can be read a few bytes at a time, and line by line."""
        if not self.reader().decompressor:
            return
        content = self.content()
        (whole,) = self.read(content)
        options = (self.parsed_options(),) if self.reader().takes_options else ()
        file, pieces = self.factory()(io.BytesIO(content), *options), []
        while piece := file.read(7):
            pieces.append(piece)
        require(b"".join(pieces) == whole, "read(7), again and again, gives other bytes than read()")

    def check_damage_is_not_text(self) -> None:
        """A file that is cut off, or made of other bytes, raises an ordinary exception or gives proper documents."""
        contents = [b"", _RUBBISH]
        try:
            example = self.content()
            contents += [example[: len(example) // 2], example[:-1], example + _RUBBISH]
        except NotChecked:
            pass
        for content in contents:
            try:
                found = self.read(content)
            except Exception:  # core says which file it is, and that it cannot be read
                continue
            if not self.reader().decompressor:
                require_documents(found, "the reader")

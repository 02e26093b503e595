"""Each wrong reader is caught by the check meant for it, and by no other."""

from __future__ import annotations

import bz2
import io
from dataclasses import dataclass

import pytest

from pentad import NoOptions, Reader, option
from pentad.testing import ReaderConformance

TABLE = b"id|text\n1|one line\n2|another line\n"


@dataclass(frozen=True, kw_only=True)
class Options:
    column: str = option("text", "The column of the text.")


def right(file):
    head, *rows = file.read().decode("ascii").splitlines()
    place = head.split("|").index("text")
    for row in rows:
        yield row.split("|")[place]


def by_column(file, options):
    head, *rows = file.read().decode("ascii").splitlines()
    return [row.split("|")[head.split("|").index(options.column)] for row in rows]


def yields_lists(file):
    for line in right(file):
        yield line.split()


def numbers_its_documents(file, seen=[]):  # noqa: B006
    for line in right(file):
        seen.append(line)
        yield f"{len(seen)} {line}"


def reads_nothing(file):
    return [line for line in right(file) if "whale" in line]


def yields_bytes_of_rubbish(file):
    data = file.read()
    yield data if data[:2] != b"id" else data.decode("ascii", errors="replace")


def decompress(file):
    return bz2.open(file)


def as_text(file):
    return io.TextIOWrapper(bz2.open(file))


class Restarts(io.BytesIO):
    def read(self, size=-1):
        return super().read(size) if size < 0 else super().read(size)[:3]


def loses_bytes(file):
    return Restarts(bz2.open(file).read())


def failures(reader, options=NoOptions, **more):
    record = Reader(suffix=".table", summary="", factory=reader, options=options, **{"example": lambda: TABLE, **more})
    kit = type("Kit", (ReaderConformance,), {"implementation": record})()
    return {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}


def test_right_readers_pass():
    assert failures(right) == failures(by_column, Options) == {}
    assert failures(decompress, decompressor=True, example=lambda: bz2.compress(TABLE)) == {}


@pytest.mark.parametrize(
    ("reader", "check"),
    [
        (reads_nothing, "reads_its_example"),
        (numbers_its_documents, "reads_the_same_again"),
        (yields_bytes_of_rubbish, "damage_is_not_text"),
    ],
)
def test_a_wrong_reader_is_caught_by_the_check_meant_for_it(reader, check):
    found = failures(reader)
    assert list(found) == [check], found


def test_documents_that_are_no_text_are_caught():
    assert "must yield one str a document" in failures(yields_lists)["reads_its_example"]


def failures_of_compression(reader):
    return failures(reader, decompressor=True, example=lambda: bz2.compress(TABLE * 9))


def test_a_wrong_compression_is_caught_by_the_check_meant_for_it():
    assert list(failures_of_compression(loses_bytes)) == ["decompresses_in_pieces"]
    assert "must be binary" in failures_of_compression(as_text)["reads_its_example"]


def test_without_an_example_only_damage_is_tried():
    found = failures(right, example="")
    assert set(found) == {"reads_its_example", "reads_the_same_again"}
    assert all("example=" in note for note in found.values())

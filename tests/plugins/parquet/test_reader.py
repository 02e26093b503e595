"""Parquet files, read through `--data`."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pentad.data.corpus import open_corpus
from pentad.registry.catalogue import Catalogue
from pentad.testing import ReaderConformance, raises_code

TEXTS = ["eins", "zwei\r\n", "", None, "größer", "😀" * 10]


def read(path) -> list[str]:
    return [piece.text for piece in open_corpus([str(path)], Catalogue()).pieces()]


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary"])
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_rows_are_documents(tmp_path, kind, compression):
    column = pa.array(TEXTS).dictionary_encode() if kind == "dictionary" else pa.array(TEXTS, getattr(pa, kind)())
    table = pa.table({"id": range(len(TEXTS)), "text": column})
    pq.write_table(table, tmp_path / "a.parquet", compression=compression, row_group_size=2)
    assert read(tmp_path / "a.parquet") == [text for text in TEXTS if text]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"content": ["a"], "id": [1]}, 'has no column "text"; found the columns content, id'),
        ({"text": [1]}, "found int64"),
        ({"text": [b"a"]}, "found binary"),
    ],
)
def test_a_file_without_a_text_column(tmp_path, columns, found):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with raises_code("document-format") as caught:
        read(tmp_path / "a.parquet")
    assert found in caught.value.message and "a.parquet" in caught.value.message and caught.value.hint


def test_what_is_no_parquet_file(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and then nothing")
    with raises_code("file-unreadable"):
        read(tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "whole.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "whole.parquet").read_bytes()[:-20])
    with raises_code("file-unreadable"):
        read(tmp_path / "a.parquet")
    (tmp_path / "b.parquet.gz").write_bytes(gzip.compress((tmp_path / "whole.parquet").read_bytes()))
    with raises_code("document-format") as caught:
        read(tmp_path / "b.parquet.gz")
    assert caught.value.hint == "Unpack it first."


def test_another_column(tmp_path):
    pq.write_table(pa.table({"content": ["eins"], "text": [1]}), tmp_path / "a.parquet")
    path = tmp_path / "a.parquet"
    assert [piece.text for piece in open_corpus([f"{path},column=content"], Catalogue()).pieces()] == ["eins"]
    with raises_code("unknown-option"):
        open_corpus([f"{path},colour=red"], Catalogue())


class TestParquet(ReaderConformance):
    name = ".parquet"

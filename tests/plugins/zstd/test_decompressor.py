"""Texts compressed with Zstandard, read through `--data`."""

from __future__ import annotations

import sys

import pytest

from pentad.data.corpus import open_corpus
from pentad.registry.catalogue import Catalogue
from pentad.testing import ReaderConformance, raises_code

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = "Größe matters.\r\n" * 5000


def read(path) -> str:
    return "".join(piece.text for piece in open_corpus([str(path)], Catalogue()).pieces())


def test_one_frame_and_many(tmp_path):
    data = TEXT.encode()
    (tmp_path / "a.txt.zst").write_bytes(zstd.compress(data))
    (tmp_path / "b.txt.zst").write_bytes(zstd.compress(data[:1001]) + zstd.compress(data[1001:]))
    assert read(tmp_path / "a.txt.zst") == read(tmp_path / "b.txt.zst") == TEXT


def test_a_window_beyond_the_default_limit(tmp_path):
    options = {zstd.CompressionParameter.window_log: 28, zstd.CompressionParameter.enable_long_distance_matching: 1}
    # The window is at most as large as the text where its size is known, so it is streamed.
    with zstd.open(tmp_path / "a.txt.zst", "wb", options=options) as file:
        file.write(TEXT.encode())
    assert read(tmp_path / "a.txt.zst") == TEXT


def test_json_lines_inside(tmp_path):
    (tmp_path / "a.jsonl.zst").write_bytes(zstd.compress(b'{"text": "one"}\n{"text": "two"}\n'))
    pieces = list(open_corpus([str(tmp_path)], Catalogue()).pieces())
    assert [piece.text for piece in pieces] == ["one", "two"]


@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: b"text", lambda data: data[:30] + b"????" + data[34:]])
def test_damage_is_an_error_with_a_way_out(tmp_path, damage):
    (tmp_path / "a.txt.zst").write_bytes(
        damage(zstd.compress(TEXT.encode(), options={zstd.CompressionParameter.checksum_flag: 1}))
    )
    with raises_code("file-unreadable") as caught:
        read(tmp_path / "a.txt.zst")
    assert "truncated, damaged, or no .txt.zst file" in caught.value.hint


class TestZstd(ReaderConformance):
    name = ".zst"

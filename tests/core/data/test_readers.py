"""Formats: what is read, byte for byte, and what is said about bytes that are no text."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad.data import readers
from pentad.data.pieces import PIECE_CHARACTERS, Piece, cut
from pentad.data.readers import read_jsonl, read_text
from pentad.testing import raises_code


def text(data: bytes) -> str:
    return "".join(piece.text for piece in read_text(io.BytesIO(data), "a.txt"))


def lines(data: bytes | str) -> list[str]:
    data = data.encode() if isinstance(data, str) else data
    return [piece.text for piece in read_jsonl(io.BytesIO(data), "a.jsonl")]


def message(read, data, code) -> str:
    with raises_code(code) as caught:
        read(data)
    assert caught.value.hint
    return caught.value.message


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.integers(1, 7))
def test_text_is_kept_whatever_the_blocks(written, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "BLOCK_BYTES", block)
        if not written.startswith("\ufeff"):
            assert text(written.encode()) == written


def test_newlines_stay_and_the_byte_order_mark_goes():
    assert text(b"\xef\xbb\xbfone\r\ntwo\rthree\n") == "one\r\ntwo\rthree\n"
    assert text("one\ufefftwo".encode()) == "one\ufefftwo"
    assert lines(b'\xef\xbb\xbf{"text": "a"}\r\n') == ["a"]


@pytest.mark.parametrize("block", [1, 2, 3, 1 << 20])
@pytest.mark.parametrize(
    ("data", "offset", "found"),
    [
        (b"abc\xe9 latin", 3, "the byte 0xe9"),
        (b"\xef\xbb\xbfabc\xff", 6, "the byte 0xff"),
        ("é".encode() + b"\xc3", 2, "the byte 0xc3"),
        (b"abc\xed\xa0\x80", 3, "the byte 0xed"),
        (b"\0" * 20, 0, "a NUL byte"),
        (b"text\0", 4, "a NUL byte"),
    ],
)
def test_what_is_no_text_is_found_at_its_byte(data, offset, found, block, monkeypatch):
    if data.startswith(b"\xef") and block < 3:
        pytest.skip("a mark is looked for in the first block, which is never so short on disk")
    monkeypatch.setattr(readers, "BLOCK_BYTES", block)
    assert f"{found} at byte {offset}." in message(text, data, "text-not-utf8")


def test_utf_16_is_named():
    assert "UTF-16" in message(text, "abc".encode("utf-16"), "text-not-utf8")


def test_jsonl_documents():
    data = '{"text": "one\\r\\n", "id": 1}\n\n   \n{"text": ""}\n{"text": null}\n{"text": "\\ud800x\\ud83d\\ude00"}'
    assert lines(data) == ["one\r\n", "\ufffdx😀"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("{", "JSONDecodeError"),
        ("[" * 100_000, "RecursionError"),
        ('{"text": 1' + "0" * 5000 + "}", "ValueError"),
        ('["a"]', "found an array"),
        ('"a"', "found a string"),
        ('{"content": "a", "id": 1}', '"content", "id"'),
        ("{}", "none"),
        ('{"text": 3}', "found a number"),
        ('{"text": true}', "found true or false"),
    ],
)
def test_a_malformed_line_is_named(line, found):
    said = message(lines, '{"text": "fine"}\n' + line + "\n", "document-format")
    assert said.startswith("a.jsonl, line 2, ")
    assert found in said


def test_bytes_of_jsonl_that_are_no_text():
    good = b'{"text": "fine"}\n'
    assert f"found the byte 0xe9 at byte {len(good) + 10}" in message(lines, good + b'{"text": "\xe9"}\n', "text-not-utf8")
    assert f"found a NUL byte at byte {len(good)}" in message(lines, good + b"\0" * 100, "text-not-utf8")


def test_an_endless_line_is_refused(monkeypatch):
    monkeypatch.setattr(readers, "LONGEST_LINE", 50)
    assert "line 1, " in message(lines, json.dumps({"text": "a" * 100}), "line-too-long")


@given(st.lists(st.text("ab \n\u2003")), st.integers(1, 12))
def test_cut_pieces_joined_are_the_text(blocks, size):
    pieces = list(cut(blocks, size))
    whole = "".join(blocks)
    assert "".join(piece.text for piece in pieces) == whole
    assert all(0 < len(piece.text) <= size for piece in pieces)
    assert [piece.ends_document for piece in pieces] == [False] * (len(pieces) - 1) + [True] * bool(pieces)
    assert pieces == list(cut([whole], size))


@pytest.mark.parametrize(
    ("whole", "pieces"),
    [
        ("aa bb cc", ["aa bb", " cc"]),  # right before a space between non-spaces
        ("a b  cd ef", ["a", " b  cd", " ef"]),  # never beside another space
        ("aa\nbbb\nccc", ["aa\n", "bbb\n", "ccc"]),  # else at a line start
        ("aaaaaaaaaaaaaa", ["aaaaaa", "aaaaaa", "aa"]),  # else hard
        ("aaaaaa b", ["aaaaaa", " b"]),
    ],
)
def test_where_pieces_are_cut(whole, pieces):
    assert [piece.text for piece in cut([whole], 6)] == pieces


def test_long_runs_are_cut_in_linear_time():
    whole = "\n" + " " * (3 * PIECE_CHARACTERS) + "a" * PIECE_CHARACTERS
    assert "".join(piece.text for piece in cut([whole])) == whole


def test_ids_of_gpt2_do_not_change_at_a_cut():
    tiktoken = pytest.importorskip("pentad_gpt2.tokenizer")
    from pentad import NoOptions

    tokenizer = tiktoken.GPT2(NoOptions())
    whole = "One fish,  two fish\n\n red  fish 3 4 blue fish's \u2003 tail\r\n" * 20
    for size in (16, 40, 101):
        ids = [int(token) for piece in cut([whole], size) for token in tokenizer.encode(piece.text)]
        assert ids == tokenizer.encode(whole).tolist()


def test_a_piece_of_plain_text_has_no_record():
    assert Piece("a", True) == ("a", True, None, 0)

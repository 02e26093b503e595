"""Formats: what is read, byte for byte, and what is said about bytes that are no text."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad.config.tables import DataOptions
from pentad.data import formats
from pentad.data.formats import read_csv, read_jsonl, read_piped, read_text, read_tsv
from pentad.data.pieces import PIECE_CHARACTERS, Piece, cut
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
        patch.setattr(formats, "BLOCK_BYTES", block)
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
    monkeypatch.setattr(formats, "BLOCK_BYTES", block)
    assert f"{found} at byte {offset}." in message(text, data, "text-not-utf8")


@pytest.mark.parametrize("block", [1, 3, 1 << 20])
@pytest.mark.parametrize("mark", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_says_the_encoding(mark, block, monkeypatch):
    monkeypatch.setattr(formats, "BLOCK_BYTES", block)
    assert text("é 😀\r\n".encode(mark)) == "é 😀\r\n"
    assert lines('{"text": "é 😀"}\n'.encode(mark)) == ["é 😀"]
    big = ({"utf-16": b"\xfe\xff", "utf-32": b"\0\0\xfe\xff"}.get(mark, b"")) + "ab".encode(
        mark.replace("-sig", "") + "-be" * (mark != "utf-8-sig")
    )
    assert text(big) == "ab"


def in_encoding(data: bytes, encoding: str) -> str:
    return "".join(piece.text for piece in read_text(io.BytesIO(data), "a.txt", DataOptions(encoding=encoding)))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8", "shift_jis"])
def test_an_encoding_that_is_named(encoding):
    written = "naïve café\n" if encoding != "shift_jis" else "こんにちは\n"
    assert in_encoding(written.encode(encoding), encoding) == written


def test_what_does_not_fit_a_named_encoding_is_found_at_its_byte():
    assert "cp1252 text; found the byte 0x81 at byte 2." in message(
        lambda data: in_encoding(data, "cp1252"), b"ab\x81", "text-not-utf8"
    )
    assert "at byte 3." in message(lambda data: in_encoding(data, "latin-1"), b"abc\0", "text-not-utf8")
    for name in ("klingon", "rot13", "a\0b", ""):
        message(lambda data, name=name: in_encoding(data, name), b"a", "unknown-encoding")


def test_what_is_not_utf_8_says_which_flag_to_give():
    def hint(data):
        with raises_code("text-not-utf8") as caught:
            text(data)
        return caught.value.hint

    assert "--encoding latin-1" in hint(b"caf\xe9")
    assert "--encoding utf-16-le" in hint("some text".encode("utf-16-le"))
    assert "--encoding utf-16-be" in hint("some text".encode("utf-16-be"))
    assert "--encoding" not in hint(b"PK\3\4 and more bytes of a zip\0")


def cells(data: str, key: str, read=read_csv) -> list[str]:
    return [piece.text for piece in read(io.BytesIO(data.encode()), "a.csv", DataOptions(text_key=key))]


def test_the_cells_of_a_column_are_documents():
    table = 'id,text\r\n1,one\r\n2,"two, and\nhalf ""quoted"""\r\n3,\r\n4\r\n5,five'
    assert cells(table, "text") == ["one", 'two, and\nhalf "quoted"', "five"]
    assert cells("a\tb\nx, y\tz\n", "a", read_tsv) == ["x, y"]
    assert cells("\ufefftext\nwith a mark", "text") == ["with a mark"]


def test_tables_without_the_column_and_damaged_ones(monkeypatch):
    assert "found id, body" in message(lambda table: cells(table, "text"), "id,body\n1,a\n", "document-format")
    monkeypatch.setattr(formats, "LONGEST_LINE", 20)
    assert "a.csv, line " in message(lambda table: cells(table, "b"), 'a,b\n1,"' + "never ends\n" * 9, "document-format")


def test_a_key_of_json_lines():
    def read(line, key="body"):
        return [piece.text for piece in read_jsonl(io.BytesIO(line.encode()), "a.jsonl", DataOptions(text_key=key))]

    assert read('{"body": "a", "text": "b"}\n{"body": null}\n{"body": "c"}') == ["a", "c"]
    assert '"body"' in message(read, '{"text": "b"}', "document-format")
    with raises_code("document-format") as caught:
        read('{"id": "7", "content": "a long text"}', "")
    assert "--text-key content" in caught.value.hint


def test_what_is_piped_in_is_text_or_json_lines():
    data = b'{"a": "one"}\n{"a": "two"}\n'
    assert [piece.text for piece in read_piped(io.BytesIO(data), "x")] == [data.decode()]
    assert [piece.text for piece in read_piped(io.BytesIO(data), "x", DataOptions(text_key="a"))] == ["one", "two"]


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
    monkeypatch.setattr(formats, "LONGEST_LINE", 50)
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

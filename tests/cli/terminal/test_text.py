from __future__ import annotations

import doctest

import pytest

from pentad_cli.terminal import output, text


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(text).failed == 0


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\r", "\u202e", "\u2066", "\u2028", "\ud800"])
def test_what_a_terminal_would_obey_is_spelled(character: str) -> None:
    shown = text.visible(f"a{character}b")
    assert character not in shown
    assert shown.startswith("a\\")


@pytest.mark.parametrize("ordinary", ["tab\tand\nnewline", "café 日本語 🙂", "👨‍👩‍👧", "e\u0301"])
def test_ordinary_text_stays(ordinary: str) -> None:
    assert text.visible(ordinary) == ordinary


def test_half_a_character_is_spelled_as_bytes() -> None:
    assert text.visible_bytes("é".encode()[:1]) == "\\xc3"
    assert text.visible_bytes("é\n".encode()) == "é\\n"


@pytest.mark.parametrize(
    ("piece", "shown"),
    [
        ("\N{NO-BREAK SPACE}b", "\\xa0b"),
        ("\N{IDEOGRAPHIC SPACE}", "\\u3000"),
        ("\N{ZERO WIDTH JOINER}👧", "\\u200d👧"),
        ("x\N{ZERO WIDTH NO-BREAK SPACE}\N{SOFT HYPHEN}", "x\\ufeff\\xad"),
        ("\N{TAG LATIN CAPITAL LETTER A}", "\\U000e0041"),
        ("\N{COMBINING ACUTE ACCENT}", "◌\u0301"),
        ("\N{DEVANAGARI VOWEL SIGN I}न", "◌िन"),
        *((whole, whole) for whole in ("👨‍👩‍👧", "e\u0301", "हिन्दी", "مرحبا", "한", " a b")),
    ],
)
def test_a_token_is_seen_by_itself(piece: str, shown: str) -> None:
    assert text.visible_bytes(piece.encode()) == shown


@pytest.mark.parametrize(("shown", "columns"), [("नं", 1), ("e\u0301", 1), ("日本", 4), ("a\u200db", 2), ("\\u200d", 6)])
def test_columns_are_those_of_a_terminal(shown: str, columns: int) -> None:
    assert output.cells(shown) == columns


@pytest.mark.parametrize("width", [1, 7, 40])
def test_wrapped_and_folded_lines_fit(width: int) -> None:
    words = "a bb ccc dddd eeeee\N{NO-BREAK SPACE}f"
    assert "".join(output.wrap(words, width)).replace(" ", "") == words.replace(" ", "")
    assert all(output.cells(line) <= max(width, 7) for line in output.wrap(words, width))
    wide = "日本語 text  with   spaces"
    assert "".join(output.fold(wide, max(2, width))) == wide
    assert all(output.cells(line) <= max(2, width) for line in output.fold(wide, max(2, width)))

"""Text on a terminal breaks between words, and loses none of its characters; into a pipe it goes as it is."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad_cli.terminal.output import cells
from pentad_cli.terminal.writing import TextWriter


class Terminal(io.StringIO):
    def isatty(self):
        return True


def written(pieces, width="20", monkeypatch=None, stream=None):
    stream = stream or Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", width)
        patch.setenv("TERM", "xterm")
        writer = TextWriter(stream)
        for piece in pieces:
            writer.write(piece)
        writer.close()
    return stream.getvalue()


def test_words_stay_whole():
    text = "one two three four five six seven eight"
    lines = written(text[start : start + 3] for start in range(0, len(text), 3)).splitlines()
    assert " ".join(line.strip() for line in lines) == text
    assert all(len(line) <= 20 for line in lines)


@given(st.lists(st.text("ab \n日", max_size=8), max_size=12))
def test_only_line_breaks_are_added(pieces):
    lines = written(pieces).removesuffix("\n").split("\n")
    assert all(cells(line) <= 20 for line in lines)
    squeezed = "".join(pieces).replace("\n", "").replace(" ", "")
    assert "".join(lines).replace(" ", "") == squeezed


def test_what_a_terminal_would_obey_is_spelled():
    assert written(["a\x1b[2J", "b\tc"]) == "a\\x1b[2Jb    c\n"


def test_a_pipe_gets_it_raw_and_at_once():
    stream = io.StringIO()
    writer = TextWriter(stream)
    writer.write("a\x1b\tb" * 10)
    assert stream.getvalue() == "a\x1b\tb" * 10


def test_a_word_of_two_styles_stays_whole(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    writer = TextWriter(stream)
    for piece, style in (("seven", ""), (" eig", "red"), ("ht", "green")):
        writer.write(piece, style)
    writer.close()
    assert stream.getvalue() == "seven \n\x1b[31meig\x1b[0m\x1b[32mht\x1b[0m\n"

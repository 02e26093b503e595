"""Text as it comes, piece by piece: as it is into a pipe or a file, wrapped at words on a terminal."""

from __future__ import annotations

from typing import TextIO

from pentad_cli.terminal.output import cells, is_terminal, paint, terminal_width
from pentad_cli.terminal.text import visible

TAB = 4


class TextWriter:
    """Writes pieces at once. On a terminal a word that does not fit goes to the next line, and control characters are spelled.

    Args:
        stream: where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._wraps = is_terminal(stream)
        self._width = terminal_width(limit=1000)
        self._word: list[tuple[str, str]] = []  # pieces of the word that waits, each with its style
        self._wide = self._column = 0

    def write(self, piece: str, style: str = "") -> None:
        """Write a piece; on a terminal its last word waits until it is known to be whole."""
        if not self._wraps:
            self._stream.write(paint(piece, style, self._stream) if style and piece.strip() else piece)
        else:
            for character in visible(piece).replace("\t", " " * TAB):
                self._add(character, style)
        self._stream.flush()

    def close(self) -> None:
        """Write what still waits, and end the line."""
        self._end_word()
        self._stream.write("\n")
        self._stream.flush()

    def _add(self, character: str, style: str) -> None:
        if character in "\n ":
            self._end_word()
            if character == "\n" or self._column >= self._width:
                self._stream.write("\n")
                self._column = 0
            else:
                self._stream.write(" ")
                self._column += 1
            return
        # Scripts without spaces, whose characters are two columns wide, may be broken anywhere; so must a word of a whole line.
        wide = cells(character)
        if self._word and (wide == 2 or self._wide + wide > self._width):
            self._end_word()
        if self._word and self._word[-1][1] == style:
            self._word[-1] = (self._word[-1][0] + character, style)
        else:
            self._word.append((character, style))
        self._wide += wide

    def _end_word(self) -> None:
        if not self._word:
            return
        if self._column and self._column + self._wide > self._width:
            self._stream.write("\n")
            self._column = 0
        for piece, style in self._word:
            self._stream.write(paint(piece, style, self._stream) if style else piece)
        self._column += self._wide
        self._word, self._wide = [], 0

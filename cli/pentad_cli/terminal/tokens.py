"""Tokens as people read them: one tokenizer's ids and pieces, or several tokenizers side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pentad_cli.terminal.output import cells, has_colour, paint, say, table, terminal_width
from pentad_cli.terminal.text import count, plural, visible_bytes

if TYPE_CHECKING:
    from pentad.contracts.tokenizer import Tokenizer

_BACKGROUNDS = ("48;5;24", "48;5;54")
"""Two dark backgrounds of the 256-colour palette on which white text reads well."""

_SPACE = "·"
_NOTHING = "∅"  # an id that stands for no text, such as an unknown one


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A text as a tokenizer cut it.

    Args:
        name: of the tokenizer, as the user named it.
        tokenizer: ready to use.
        text, ids: the text, and its ids.
    """

    name: str
    tokenizer: Tokenizer
    text: str
    ids: Sequence[int]

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the text."""
        return len(self.text.encode("utf-8", errors="replace"))

    @property
    def bytes_per_token(self) -> float | None:
        """Mean bytes of the text for a token; None without tokens."""
        return self.n_bytes / len(self.ids) if len(self.ids) else None

    @property
    def lost_bytes(self) -> int:
        """Bytes of the text that do not come back from the ids."""
        from pentad.contracts.tokenizer import count_lost_bytes

        return count_lost_bytes(self.tokenizer, self.text, self.ids)

    def pieces(self) -> list[str]:
        """Return each token as one word on one line; a special one by its spelling."""
        spellings = {number: word for word, number in self.tokenizer.special_tokens.items()}
        return [spellings.get(token) or visible_bytes(self.tokenizer.token_bytes(token)) for token in self.ids]

    def facts(self) -> dict[str, Any]:
        """Return all of it for machines."""
        return {
            "tokenizer": self.name,
            "vocab_size": self.tokenizer.vocab_size,
            "ids": list(self.ids),
            "pieces": self.pieces(),
            "n_tokens": len(self.ids),
            "n_bytes": self.n_bytes,
            "bytes_per_token": self.bytes_per_token,
            "lossless": self.tokenizer.lossless,
            "lost_bytes": self.lost_bytes,
        }


def show_one(cut: Cut) -> None:
    """Write the ids, the pieces and a summary."""
    if cut.ids:
        say(" ".join(map(str, cut.ids)))
        say(_coloured(cut) if has_colour(sys.stdout) else "|".join(cut.pieces()))
    rate = f", {cut.bytes_per_token:.2f} bytes per token" if cut.ids else ""
    used = f"{count(len(set(cut.ids)))} of {count(cut.tokenizer.vocab_size)} ids used"
    say(paint(f"{plural(len(cut.ids), 'token')} for {plural(cut.n_bytes, 'byte')}{rate}; {used}", "dim"))


def _coloured(cut: Cut) -> str:
    pieces = []
    for number, (token, shown) in enumerate(zip(cut.ids, cut.pieces(), strict=True)):
        # A newline is spelled and also obeyed: the spelling shows the token, the break keeps the text's shape.
        newlines = cut.tokenizer.token_bytes(token).count(b"\n")
        pieces.append(_on_background(shown, number) + ("\n" if newlines else ""))
    return "".join(pieces).removesuffix("\n")


def _on_background(text: str, number: int) -> str:
    return f"\x1b[97;{_BACKGROUNDS[number % 2]}m{text}\x1b[0m"


def show_side_by_side(cuts: Sequence[Cut], with_ids: bool) -> None:
    """Write a table of counts, and below it each tokenizer's pieces, spaces made visible; for a pipe, one line for each.

    Args:
        cuts: of one text.
        with_ids: whether the ids stand below the pieces.
    """
    say(table([_counts(cut) for cut in cuts], header=_HEADER[: len(_counts(cuts[0]))], styles=["bold"], indent=0))
    say()
    width = max(cells(cut.name) for cut in cuts)
    # A pipe gets every piece of a tokenizer on one line.
    room = max(20, terminal_width() - width - 2) if has_colour(sys.stdout) else sys.maxsize
    for cut in cuts:
        margin = paint(cut.name, "bold") + " " * (width - cells(cut.name) + 2)
        for line in _lines(cut, with_ids, room):
            say((margin + line).rstrip())
            margin = " " * (width + 2)


_HEADER = ("tokenizer", "ids", "tokens", "bytes/token", "lost bytes")


def _counts(cut: Cut) -> list[str]:
    rate = f"{cut.bytes_per_token:.2f}" if cut.bytes_per_token else "-"
    return [cut.name, count(cut.tokenizer.vocab_size), count(len(cut.ids)), rate, count(cut.lost_bytes)]


def _lines(cut: Cut, with_ids: bool, room: int) -> Iterator[str]:
    """Yield the lines of a tokenizer: pieces, and the ids below them."""
    shown = [piece.replace(" ", _SPACE) or _NOTHING for piece in cut.pieces()]
    gap = " " if has_colour(sys.stdout) else ""  # in a pipe the bar between pieces keeps ids apart
    names = [f"{token}{gap}" for token in cut.ids] if with_ids else [""] * len(shown)
    widths = [max(cells(piece), len(name)) for piece, name in zip(shown, names, strict=True)]
    start = taken = 0
    for place, width in enumerate([*widths, room]):
        if (taken and taken + width > room) or place == len(widths):
            row = range(start, place)
            yield _row([shown[at] for at in row], widths[start:place], start)
            if with_ids:
                separator = "" if has_colour(sys.stdout) else " "
                padded = (name.ljust(width) for name, width in zip(names[start:place], widths[start:place], strict=True))
                yield paint(separator.join(padded), "dim")
            start, taken = place, 0
        taken += width


def _row(pieces: Sequence[str], widths: Sequence[int], first: int) -> str:
    padded = [piece + " " * (width - cells(piece)) for piece, width in zip(pieces, widths, strict=True)]
    if not has_colour(sys.stdout):
        return "|".join(padded)
    return "".join(_on_background(piece, first + number) for number, piece in enumerate(padded))

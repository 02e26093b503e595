"""How an arm looks on the whole page: the same colour, mark, line and letter in every figure and table.

Colours are those of Okabe and Ito (2008), told apart with every kind of colour vision, tuned in `style.css` for white and for
dark paper. The mark's shape says the same again, so that nothing hangs on the colour.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = 8
SHAPES = ("circle", "square", "triangle", "diamond", "down", "cross", "pentagon", "bar")


@dataclass(frozen=True)
class Look:
    """What an arm is known by.

    Args:
        label: its name.
        index: its place in the command.
    """

    label: str
    index: int

    @property
    def colour(self) -> str:
        """The CSS class that sets the colour."""
        return f"s{self.index % COLOURS}"

    @property
    def shape(self) -> str:
        """The shape of its marks."""
        return SHAPES[self.index % len(SHAPES)]

    @property
    def hollow(self) -> bool:
        """Whether marks are hollow and lines dashed: the second eight, and the fourth."""
        return self.index // COLOURS % 2 == 1

    @property
    def letter(self) -> str:
        """A short name for where the label has no room: A to Z, then A2 to Z2."""
        turn, number = divmod(self.index, len(string.ascii_uppercase))
        return string.ascii_uppercase[number] + (str(turn + 1) if turn else "")


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """Give every label its look, by its place."""
    return {label: Look(label, index) for index, label in enumerate(labels)}

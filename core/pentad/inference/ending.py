"""Where a sequence ends by its text: the tokens go on, the text is looked at.

A stop text may begin in one token and end in a later one, so text that could be its beginning is held back until more is
known. What is given out never holds a stop text or a part of one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from pentad.contracts.session import TokenEvent


class StopFinder:
    """Finds the first of some texts in a stream of pieces.

    Args:
        stops: the texts, none of them empty.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""

    def feed(self, piece: str, *, last: bool = False) -> tuple[str, bool]:
        """Take the next piece; return what may be given out, and whether a stop text was found, which ends it.

        Args:
            piece: what follows.
            last: whether nothing follows it; nothing is held back then.
        """
        text = self._held + piece
        places = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if places:
            return text[: min(places)], True
        held = 0 if last else max(map(self._begun, self._stops, [text] * len(self._stops)))
        self._held = text[len(text) - held :]
        return text[: len(text) - held], False

    def _begun(self, stop: str, text: str) -> int:
        """Return how many characters at the end of the text are the beginning of a stop text."""
        most = min(len(stop) - 1, len(text))
        return next((length for length in range(most, 0, -1) if text.endswith(stop[:length])), 0)


def until_text(events: Iterator[TokenEvent], stops: Sequence[str], samples: int) -> Iterator[TokenEvent]:
    """End each sequence where the first stop text begins: its last event says `text`. The source is closed when all ended."""
    finders = [StopFinder(stops) for _ in range(samples)]
    alive = [True] * samples
    for event in events:
        if not alive[event.sequence]:
            continue
        text, found = finders[event.sequence].feed(event.text, last=bool(event.ended))
        alive[event.sequence] = not (found or event.ended)
        yield dataclasses.replace(event, text=text, ended="text" if found else event.ended)
        if not any(alive):
            return

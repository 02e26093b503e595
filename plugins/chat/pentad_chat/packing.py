"""How conversations come into rows: cut at turns where they are longer than a row, and packed several to a row.

A part of a conversation is read from an end of text, as generation reads it: its own, or one put in front where the part begins
in the middle. A conversation is cut before a turn that follows an answer, so that no answer loses its question. An exchange
that is longer than a row is cut into parts of a row's length.

Parts go first-fit into the rows that are open, of which there are few, so that rows follow the order of the text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pentad import Tokens

OPEN_ROWS = 64
"""Rows that still take parts at one time: enough for rows nearly without padding, few enough to be searched for each part."""


class Part(NamedTuple):
    """Positions `first` to before `end` of the text, read as inputs; an end of text stands in front where `opened`."""

    first: int
    end: int
    opened: bool

    @property
    def length(self) -> int:
        """Number of inputs."""
        return self.end - self.first + self.opened


Row = tuple[Part, ...]


def plan_rows(tokens: Tokens, context_length: int, roles: range) -> list[Row]:
    """Return the rows of a text, in the order of their first parts; parts in which nothing is learned are left out.

    Args:
        tokens: documents of turns.
        context_length: inputs of a row at most.
        roles: the ids that open a turn; the last one opens the assistant's.
    """
    ids = np.asarray(tokens.ids)
    openers = np.flatnonzero((ids >= roles.start) & (ids < roles.stop))
    learn = None if tokens.learn is None else np.concatenate(([0], np.cumsum(np.asarray(tokens.learn))))
    rows: list[list[Part]] = []
    opened: list[tuple[int, int]] = []  # number of the row, room in it
    for part in _parts(tokens.starts, openers, ids[openers] == roles[-1], context_length):
        if learn is not None and learn[part.end + 1] == learn[part.first + 1]:
            continue
        place = next((n for n, (_, room) in enumerate(opened) if part.length <= room), None)
        if place is None:
            rows.append([part])
            opened.append((len(rows) - 1, context_length - part.length))
            if len(opened) > OPEN_ROWS:
                opened.remove(min(opened, key=lambda one: one[1]))
        else:
            number, room = opened[place]
            rows[number].append(part)
            opened[place] = (number, room - part.length)
    return [tuple(row) for row in rows]


def _parts(
    starts: npt.NDArray[np.int64], openers: npt.NDArray[np.int64], answers: npt.NDArray[np.bool_], context_length: int
) -> Iterator[Part]:
    """Yield the parts of all conversations, in the order of the text."""
    borders = np.searchsorted(openers, starts)
    for number in range(len(starts) - 1):
        start, end = int(starts[number]), int(starts[number + 1])
        if end - start <= context_length:
            yield Part(start, end, False)
            continue
        within = slice(borders[number], borders[number + 1])
        places, answered = openers[within], answers[within]
        after_answer = np.flatnonzero(answered[:-1] & ~answered[1:]) + 1
        yield from _cut(start, end, places[after_answer].tolist(), context_length)


def _cut(start: int, end: int, cuts: list[int], context_length: int) -> Iterator[Part]:
    """Yield the parts of a conversation that is longer than a row: as many exchanges in each as fit."""
    first = start
    for place, following in itertools.pairwise([*cuts, end, end]):
        opened = first != start
        if place == end or following - first + opened > context_length:
            yield from _of_row_length(Part(first, place, opened), context_length)
            first = place


def _of_row_length(part: Part, context_length: int) -> Iterator[Part]:
    """Yield a part, in pieces of a row's length where it is longer."""
    first, opened = part.first, part.opened
    while first < part.end:
        end = min(part.end, first + context_length - opened)
        yield Part(first, end, opened)
        first, opened = end, False

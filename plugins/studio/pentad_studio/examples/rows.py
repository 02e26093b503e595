"""Examples as they are shown: one target as textbooks draw it, many as what is read and learned at each position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pentad import IGNORED, Tokenizer
from pentad_studio.examples.making import Made
from pentad_studio.tokens.pieces import Parts, Spelling

MOST_CELLS = 400
"""Positions of an example that are shown."""


@dataclass(frozen=True)
class Cell:
    """A position of an example.

    Args:
        read, read_id: what the model reads there.
        target, target_id: what it learns there; empty and None where nothing is learned.
        segment: the number of its document in the row.
        opens: whether a document begins here.
        masked: whether what stands here is hidden from the model, which is to find it out.
        weight: how much the target counts.
    """

    read: Parts
    read_id: int
    target: Parts
    target_id: int | None
    segment: int
    opens: bool
    masked: bool
    weight: float = 1.0


@dataclass(frozen=True)
class Row:
    """An example.

    Args:
        cells: its positions, padding at the end left out.
        more: positions that are not among these.
        learned: targets in all.
        padding: positions at the end that hold nothing.
        context, next: where one target is learned: the cells it is learned from, and itself.
        place: where a model sees both sides: the position among `context` that is learned.
        beside: further rows that belong to the example, by name: a rejected answer.
    """

    cells: list[Cell]
    more: int
    learned: int
    padding: int
    context: list[Cell] = field(default_factory=list)
    next: Cell | None = None
    place: int | None = None
    beside: dict[str, Row] = field(default_factory=dict)


def rows_of(made: Made, tokenizer: Tokenizer) -> list[Row]:
    """Return the examples of a batch as they are shown."""
    batch, spelling = made.batch, Spelling(tokenizer, made.vocabulary)
    both = made.builder.attention == "bidirectional"
    rows = []
    for number in range(len(batch.inputs)):
        segments = None if batch.segments is None else batch.segments[number]
        weights = None if batch.weights is None else batch.weights[number]
        row = _row(batch.inputs[number], batch.targets[number], segments, weights, spelling, both, tokenizer.end_of_text)
        extra = {name: array[number] for name, array in batch.extra.items() if array.ndim == 2}
        if {"inputs", "targets"} <= extra.keys():
            other = _row(extra["inputs"], extra["targets"], None, None, spelling, both, tokenizer.end_of_text)
            row.beside["The other side of the pair"] = other
        rows.append(row)
    return rows


def _row(
    inputs: npt.NDArray[np.int64],
    targets: npt.NDArray[np.int64],
    segments: npt.NDArray[np.int64] | None,
    weights: npt.NDArray[np.float32] | None,
    spelling: Spelling,
    both: bool,
    end_of_text: int,
) -> Row:
    """Return one example, given as arrays (T,)."""
    segments = np.zeros_like(inputs) if segments is None else segments
    length = _filled(inputs, targets, end_of_text)
    cells = []
    for place in range(min(length, MOST_CELLS)):
        target, read = int(targets[place]), int(inputs[place])
        is_learned = target != IGNORED
        cells.append(
            Cell(
                read=spelling.of(read),
                read_id=read,
                target=spelling.of(target) if is_learned else (),
                target_id=target if is_learned else None,
                segment=int(segments[place]),
                opens=place == 0 or bool(segments[place] != segments[place - 1]),
                masked=both and is_learned and target != read,
                weight=1.0 if weights is None else float(weights[place]),
            )
        )
    learned = int((targets != IGNORED).sum())
    row = Row(cells, length - len(cells), learned, len(inputs) - length)
    return _textbook(row, both, end_of_text) if learned == 1 and not row.more else row


def _filled(inputs: npt.NDArray[np.int64], targets: npt.NDArray[np.int64], end_of_text: int) -> int:
    """Return how many positions hold something: behind them only ends of text follow, of which nothing is learned."""
    used = np.flatnonzero((targets != IGNORED) | (inputs != end_of_text))
    return int(used[-1]) + 1 if len(used) else 0


def _textbook(row: Row, both: bool, end_of_text: int) -> Row:
    """Return an example of one target with what it is learned from, the end of text that opens its document left out."""
    place = next(place for place, cell in enumerate(row.cells) if cell.target_id is not None)
    segment = row.cells[place].segment
    own = [number for number, cell in enumerate(row.cells) if cell.segment == segment and (both or number <= place)]
    if row.cells[own[0]].read_id == end_of_text and own[0] < place:
        own = own[1:]
    context = [row.cells[number] for number in own]
    return Row(
        row.cells, row.more, row.learned, row.padding, context, row.cells[place], own.index(place) if both else None, row.beside
    )


def counted(rows: Sequence[Row]) -> tuple[int, int]:
    """Return positions and targets of examples."""
    return sum(len(row.cells) + row.more for row in rows), sum(row.learned for row in rows)

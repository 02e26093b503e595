"""What sections are made of: tables, and blocks of them with figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from pentad_cli.charts import Figure, Look, element, looks, shape
from pentad_compare.records import Comparison, Group
from pentad_compare.report.numbers import listing


@dataclass(frozen=True)
class Cell:
    """A cell: its text, a smaller line below it, and the class of its colour. `look`: the arm whose mark stands before it."""

    text: str
    below: str = ""
    css: str = ""
    look: Look | None = None


@dataclass(frozen=True)
class Table:
    """A table; the first column names the row. On a telephone every row is a card.

    Args:
        caption: what it shows.
        columns: names.
        rows: cells, as many as columns.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Block:
    """A part of a section: figures and tables of one group of arms.

    Args:
        title: empty where the section has only one block.
        words: paragraphs before the figures.
        points: a list after them.
        figures, tables: in order.
    """

    title: str = ""
    words: Sequence[str] = ()
    points: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Args:
        slug: its anchor.
        title: its heading.
        words: an introduction.
        blocks: its parts.
        template: what shows `extra`, where blocks are not enough.
        extra: values for that template.
    """

    slug: str
    title: str
    words: str = ""
    blocks: Sequence[Block] = ()
    template: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)


def all_looks(comparison: Comparison) -> dict[str, Look]:
    """Give every arm, or every tokenizer, its look."""
    return looks([item.label for item in comparison.arms or comparison.tokenizers])


def swatch(look: Look) -> Markup:
    """Return an arm's mark for a line of text."""
    return element("svg", shape(look, 7, 7, 5, "mark"), class_="swatch", viewBox="0 0 14 14", aria_hidden="true")


def group_title(comparison: Comparison, group: Group) -> str:
    """Name a group where there are several."""
    if len(comparison.groups) < 2:
        return ""
    return ("Stands apart: " if group.reason else "Compared: ") + listing(group.arms)

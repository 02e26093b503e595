"""Word files (Office Open XML, ECMA-376): the paragraphs of the body, tables cell by cell; notes and headers are left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from pentad_document_files.archive import open_archive, xml

_BODY = "word/document.xml"
_BREAKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_LEFT_OUT = frozenset(("del", "moveFrom", "txbxContent", "Fallback"))
"""Text that was deleted or moved away, and text boxes, which stand in the file twice."""


def documents(file: BinaryIO) -> Iterator[str]:
    """Yield the text of a Word file, its paragraphs separated by empty lines.

    Raises:
        UsageError: it is no Word file, or is damaged.
    """
    with open_archive(file, "a Word file (.docx)") as archive:
        paragraphs = [text for element in _paragraphs(xml(archive, _BODY)) if (text := "".join(_text(element)).strip())]
    if paragraphs:
        yield "\n\n".join(paragraphs) + "\n"


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _paragraphs(element: Element) -> Iterator[Element]:
    for child in element:
        if _local(child) in _LEFT_OUT:
            continue
        if _local(child) == "p":
            yield child
        else:
            yield from _paragraphs(child)


def _text(element: Element) -> Iterator[str]:
    for child in element:
        name = _local(child)
        if name == "t":
            yield child.text or ""
        elif name in _BREAKS:
            yield _BREAKS[name]
        elif name not in _LEFT_OUT:
            yield from _text(child)

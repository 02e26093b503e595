"""E-books (EPUB 2 and 3): the chapters of the spine, in the order of reading; a chapter is a document."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import BinaryIO
from urllib.parse import unquote
from zipfile import ZipFile

from pentad import UsageError
from pentad_document_files.archive import name_of, open_archive, part, xml

_CONTAINER = "META-INF/container.xml"
_HTML = ("application/xhtml+xml", "text/html")


def documents(file: BinaryIO) -> Iterator[str]:
    """Yield the text of each chapter, its paragraphs separated by empty lines.

    Raises:
        UsageError: it is no e-book, is damaged, or is protected against copying.
    """
    with open_archive(file, "an e-book (.epub)") as archive:
        _refuse_protected(archive, name_of(file))
        for name in _chapters(archive):
            if text := text_of_html(part(archive, name).decode("utf-8", errors="replace")):
                yield text


def _refuse_protected(archive: ZipFile, name: str) -> None:
    if "META-INF/encryption.xml" in archive.namelist() and "META-INF/rights.xml" in archive.namelist():
        raise UsageError(
            f"{name} must be readable text; found an e-book that is protected against copying.",
            "Leave it out of --data.",
            code="document-protected",
        )


def _chapters(archive: ZipFile) -> Iterator[str]:
    """Yield the names of the parts of the spine."""
    roots = [element.get("full-path", "") for element in xml(archive, _CONTAINER).iter() if element.tag.endswith("}rootfile")]
    package_name = roots[0] if roots else ""
    package = xml(archive, package_name)
    items = {element.get("id"): element for element in package.iter() if element.tag.endswith("}item")}
    for reference in (element for element in package.iter() if element.tag.endswith("}itemref")):
        item = items.get(reference.get("idref"))
        if item is not None and item.get("media-type") in _HTML:
            yield posixpath.normpath(posixpath.join(posixpath.dirname(package_name), unquote(item.get("href", ""))))


_TAGS = """
address article aside blockquote body dd div dl dt figure footer h1 h2 h3 h4 h5 h6 header hr li ol p pre section table tr ul
"""
_BLOCKS = frozenset(_TAGS.split())
_SILENT = frozenset(("script", "style", "head", "title", "svg", "math"))


class _Text(HTMLParser):
    """Collects the text of a page: white space is one space, blocks are paragraphs."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.paragraphs: list[str] = [""]
        self._silent = self._exact = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._silent += tag in _SILENT
        self._exact += tag == "pre"
        if tag == "br":
            self.paragraphs[-1] += "\n"
        elif tag in _BLOCKS:
            self.paragraphs.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SILENT:  # <title/> has no end
            self.handle_starttag(tag, attrs)
            self._exact -= tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))
        self._exact = max(0, self._exact - (tag == "pre"))
        if tag in _BLOCKS:
            self.paragraphs.append("")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.paragraphs[-1] += data if self._exact else re.sub(r"[ \t\r\n\f]+", " ", data)


def text_of_html(page: str) -> str:
    """Return the text of an HTML page, its paragraphs separated by empty lines; empty where there is none."""
    parser = _Text()
    parser.feed(page)
    parser.close()
    lines = ("\n".join(line.strip(" ") for line in text.split("\n")) for text in parser.paragraphs)
    paragraphs = [text.strip("\n") for text in lines if text.strip()]
    return "\n\n".join(paragraphs) + "\n" if paragraphs else ""

"""What Word files and e-books have in common: zip archives of XML. Read by the standard library."""

from __future__ import annotations

import zipfile
from typing import BinaryIO
from xml.etree import ElementTree

from pentad import UsageError

MOST_BYTES = 1 << 28
"""The most bytes that one part of an archive may unpack to: more is no text of a person, but an attack or damage."""


def open_archive(file: BinaryIO, what: str) -> zipfile.ZipFile:
    """Open a file that must be a zip archive.

    Raises:
        UsageError: it is none.
    """
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise UsageError(
            f"{name_of(file)} must be {what}, which is a zip archive; found none ({error}).",
            "Save it anew in that format, or leave it out of --data.",
            code="document-format",
        ) from None


def part(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a part's bytes.

    Raises:
        UsageError: there is no such part, it is encrypted, or it is too large.
    """
    place = archive.filename or "The file"
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise UsageError(
            f"{place} must hold the part {name}; found none.",
            "Save it anew, or leave it out of --data.",
            code="document-format",
        ) from None
    if info.file_size > MOST_BYTES:
        raise UsageError(
            f"{place} must hold parts of at most {MOST_BYTES >> 20} MiB; found {name} with {info.file_size >> 20} MiB.",
            "Save its text as .txt.",
            code="document-format",
        )
    return archive.read(info)


def xml(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    """Return the root of a part that is XML.

    Raises:
        UsageError: as for `part`, or it is no XML.
    """
    try:
        return ElementTree.fromstring(part(archive, name))
    except ElementTree.ParseError as error:
        raise UsageError(
            f"{archive.filename or 'The file'} is damaged: {name} is no XML ({error}).",
            "Save it anew, or leave it out of --data.",
            code="document-format",
        ) from None


def name_of(file: BinaryIO) -> str:
    """Return what to call a file in messages."""
    return str(getattr(file, "name", "The file"))

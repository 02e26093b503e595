"""PDF files: the text of their pages, as pypdf finds it. A scanned page holds no text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import BinaryIO

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

from pentad import UsageError
from pentad_document_files.archive import name_of

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of small faults in half of all files


def documents(file: BinaryIO) -> Iterator[str]:
    """Yield the text of a PDF file, its pages separated by empty lines.

    Raises:
        UsageError: it is no PDF file, is damaged or needs a password, or its pages are pictures.
    """
    name = name_of(file)
    try:
        pages = [page.extract_text().strip() for page in PdfReader(file).pages]
    except (FileNotDecryptedError, DependencyError):
        raise UsageError(
            f"{name} must be readable text; found a PDF file that needs a password.",
            "Save it without one, or leave it out of --data.",
            code="document-protected",
        ) from None
    except PyPdfError as error:
        raise UsageError(
            f"{name} must be a PDF file; found a damaged one, or none ({error}).",
            "Fetch it again, or leave it out of --data.",
            code="document-format",
        ) from None
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise UsageError(
            f"{name} must hold text; found {len(pages)} pages of pictures.",
            "Recognize its text first (ocrmypdf IN OUT), or leave it out of --data.",
            code="document-without-text",
        )
    yield text + "\n"

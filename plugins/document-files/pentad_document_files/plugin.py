"""What this distribution offers; light, so that listing it does not import pypdf."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Reader, hookimpl


@hookimpl
def engine_readers() -> Sequence[Reader]:
    return [
        Reader(
            suffix=".docx",
            summary="Word: a file is a document, its paragraphs separated by empty lines.",
            factory="pentad_document_files.docx:documents",
        ),
        Reader(
            suffix=".epub",
            summary="E-books: a chapter is a document, in the order of reading.",
            factory="pentad_document_files.epub:documents",
        ),
        Reader(
            suffix=".pdf",
            summary="PDF: a file is a document; scanned pages hold no text.",
            factory="pentad_document_files.pdf:documents",
        ),
    ]

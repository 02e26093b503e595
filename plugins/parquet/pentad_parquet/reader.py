"""Parquet files: a row is a document, its text in one column; rows without a text are skipped."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pentad import UsageError
from pentad_parquet.options import ParquetOptions

BATCH_ROWS = 1024


def documents(file: BinaryIO, options: ParquetOptions, text_key: str = "") -> Iterator[str]:
    """Yield the texts of a Parquet file, a batch of rows in memory at a time.

    Raises:
        UsageError: there is no column of strings of that name, or the file is compressed once more.
    """
    name = getattr(file, "name", "The file")
    if type(file).__module__ not in ("io", "_io"):
        # The footer is at the end: a compressed stream would be read whole, perhaps twice, to find it.
        raise UsageError(
            f"{name} must be plain Parquet, which is compressed inside; found it packed.",
            "Unpack it first.",
            code="document-format",
        )
    parquet = pq.ParquetFile(file, pre_buffer=False)
    column = text_key or options.column
    _require_text(parquet.schema_arrow, name, column)
    for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=[column], use_threads=False):
        for value in batch.column(0):
            if (text := value.as_py()) is not None:
                yield text


def _require_text(schema: pa.Schema, name: str, column: str) -> None:
    if column not in schema.names:
        found = ", ".join(schema.names) or "none"
        raise UsageError(
            f'{name} has no column "{column}"; found the columns {found}.',
            "Name the one that holds the text: --text-key COLUMN.",
            code="document-format",
        )
    kind = schema.field(column).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise UsageError(
            f'{name} must have strings in the column "{column}"; found {kind}.',
            "Convert the column to strings.",
            code="document-format",
        )


def example() -> bytes:
    """Return a small file, with which `engine plugins check` tests the reader."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["eins", "größer", None]}), buffer)
    return buffer.getvalue()

"""What this distribution offers; light, so that listing it does not import pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Reader, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class ParquetOptions:
    """Options of Parquet files: `--data table.parquet,column=content`."""

    column: str = option("text", "Name of the column that holds the text.")


@hookimpl
def engine_readers() -> Sequence[Reader]:
    return [
        Reader(
            suffix=".parquet",
            summary='Parquet: a row is a document, its text in the column "text" or another one.',
            factory="pentad_parquet.reader:documents",
            options=ParquetOptions,
            example="pentad_parquet.reader:example",
        )
    ]

"""What this distribution offers; light, so that listing it does not import pyarrow."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Reader, hookimpl


@hookimpl
def engine_readers() -> Sequence[Reader]:
    return [
        Reader(
            suffix=".parquet",
            summary='Parquet: a row is a document, its text in the column "text" or another one.',
            factory="pentad_parquet.reader:documents",
            options="pentad_parquet.options:ParquetOptions",
            example="pentad_parquet.reader:example",
        )
    ]

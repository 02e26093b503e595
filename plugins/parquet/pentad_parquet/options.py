"""Options of this distribution, in a module that is imported only when one of them is chosen or shown."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class ParquetOptions:
    """Options of Parquet files: `--data table.parquet,column=content`."""

    column: str = option("text", "Name of the column that holds the text.")

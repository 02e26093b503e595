"""What this distribution offers; light, so that listing it costs nothing."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Reader, hookimpl


@hookimpl
def engine_readers() -> Sequence[Reader]:
    return [
        Reader(
            suffix=".zst",
            summary="Zstandard compression of any format: book.txt.zst.",
            factory="pentad_zstd.decompressor:open_zstd",
            decompressor=True,
            example="pentad_zstd.decompressor:example",
        )
    ]

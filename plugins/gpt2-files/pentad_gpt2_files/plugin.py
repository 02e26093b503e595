"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Format, hookimpl


@hookimpl
def engine_formats() -> Sequence[Format]:
    return [
        Format(
            name="gpt2-files",
            summary="GPT-2 as the library transformers writes and reads it; takes the model gpt with GPT-2's options.",
            factory="pentad_gpt2_files.format:GPT2Files",
        )
    ]

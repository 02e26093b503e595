"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Evaluator, hookimpl


@hookimpl
def engine_evaluators() -> Sequence[Evaluator]:
    return [
        Evaluator(
            name="bits-per-byte",
            summary="Negative log2-likelihood of held-out text per byte: compares across tokenizers.",
            factory="pentad_bits_per_byte.evaluator:BitsPerByte",
        )
    ]

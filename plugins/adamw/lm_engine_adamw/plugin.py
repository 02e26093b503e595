"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from lm_engine import Implementation, hookimpl


@hookimpl
def engine_optimizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="adamw",
            summary="AdamW; weight decay on matrices only.",
            factory="lm_engine_adamw.optimizer:adamw",
            options="lm_engine_adamw.options:AdamWOptions",
        )
    ]

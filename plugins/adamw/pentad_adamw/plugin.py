"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_optimizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="adamw",
            summary="AdamW; weight decay on matrices only.",
            source="Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019",
            factory="pentad_adamw.optimizer:adamw",
            options="pentad_adamw.options:AdamWOptions",
            advise="pentad_adamw.sizing:advise",
        )
    ]

"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Adapter, hookimpl


@hookimpl
def engine_adapters() -> Sequence[Adapter]:
    return [
        Adapter(
            name="lora",
            summary="Low-rank changes of the matrices; the model itself stays.",
            factory="pentad_adapters.lora:LoRA",
            options="pentad_adapters.options:LoRAOptions",
        ),
        Adapter(
            name="freeze",
            summary="Learn the head, the last blocks or the gains alone.",
            factory="pentad_adapters.freeze:Freeze",
            options="pentad_adapters.options:FreezeOptions",
        ),
    ]

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
        Adapter(
            name="soft-prompt",
            summary="Learn vectors in front of the text; the model itself stays.",
            factory="pentad_adapters.soft_prompt:SoftPrompt",
            options="pentad_adapters.options:SoftPromptOptions",
            expected_failures={
                "something_is_left_to_learn": "the features of the kit's model look at no token before their own",
                "begins_as_the_model": "it begins as the model behind a few random words",
                "what_is_learned_matters": "the features of the kit's model look at no token before their own",
            },
        ),
        Adapter(
            name="ia3",
            summary="A learned number beside each output of a matrix; the model itself stays.",
            factory="pentad_adapters.ia3:IA3",
            options="pentad_adapters.options:IA3Options",
        ),
    ]

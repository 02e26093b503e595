"""What this distribution offers; light, so that listing it imports neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Command, Implementation, hookimpl


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    return [
        Implementation(
            name="chat",
            summary="Conversations, packed; only the assistant's turns and their ends are learned.",
            source="own; turns as in OpenAI's ChatML",
            factory="pentad_chat.builder:Chat",
            options="pentad_chat.options:ChatOptions",
        )
    ]


@hookimpl
def engine_commands() -> Sequence[Command]:
    return [Command(name="chat", summary="Talk with a trained model.", factory="pentad_chat.command:chat")]

"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="regex",
            summary="Draw only what a regular expression allows.",
            source="Willard and Louf, Efficient Guided Generation for Large Language Models, 2023; the library llguidance",
            factory="pentad_grammars.sampler:regex",
            options="pentad_grammars.options:RegexOptions",
        ),
        Implementation(
            name="json-schema",
            summary="Draw only what becomes a JSON value of a schema.",
            source="Willard and Louf, Efficient Guided Generation for Large Language Models, 2023; the library llguidance",
            factory="pentad_grammars.sampler:json_schema",
            options="pentad_grammars.options:JsonSchemaOptions",
        ),
        Implementation(
            name="grammar",
            summary="Draw only what a context-free grammar derives.",
            source="Willard and Louf, Efficient Guided Generation for Large Language Models, 2023; the library llguidance",
            factory="pentad_grammars.sampler:grammar",
            options="pentad_grammars.options:GrammarOptions",
        ),
    ]

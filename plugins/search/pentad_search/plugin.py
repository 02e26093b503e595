"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="beam",
            summary="The likeliest sequences that a beam finds; nothing is drawn.",
            factory="pentad_search.beam:Beam",
            options="pentad_search.options:BeamOptions",
        ),
        Implementation(
            name="contrastive",
            summary="A likely token that is unlike those before it; nothing is drawn.",
            factory="pentad_search.contrastive:Contrastive",
            options="pentad_search.options:ContrastiveOptions",
        ),
        Implementation(
            name="speculative",
            summary="Draw as a sampler does, from tokens that a cheaper draft proposes several at a time.",
            factory="pentad_search.speculative:Speculative",
            options="pentad_search.options:SpeculativeOptions",
        ),
        Implementation(
            name="guidance",
            summary="Draw more of what the prompt makes likely, and less of what a negative prompt does.",
            factory="pentad_search.guidance:Guidance",
            options="pentad_search.options:GuidanceOptions",
        ),
    ]

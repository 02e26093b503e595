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
            source="Lowerre, The Harpy Speech Recognition System, 1976",
            factory="pentad_search.beam:Beam",
            options="pentad_search.options:BeamOptions",
        ),
        Implementation(
            name="contrastive",
            summary="A likely token that is unlike those before it; nothing is drawn.",
            source="Su et al., A Contrastive Framework for Neural Text Generation, 2022",
            factory="pentad_search.contrastive:Contrastive",
            options="pentad_search.options:ContrastiveOptions",
        ),
        Implementation(
            name="speculative",
            summary="Draw as a sampler does, from tokens that a cheaper draft proposes several at a time.",
            source="Leviathan, Kalman and Matias, Fast Inference from Transformers via Speculative Decoding, 2023",
            factory="pentad_search.speculative:Speculative",
            options="pentad_search.options:SpeculativeOptions",
        ),
        Implementation(
            name="guidance",
            summary="Draw more of what the prompt makes likely, and less of what a negative prompt does.",
            source="Sanchez et al., Stay on topic with Classifier-Free Guidance, 2023",
            factory="pentad_search.guidance:Guidance",
            options="pentad_search.options:GuidanceOptions",
        ),
    ]

"""What this distribution offers; light, so that listing it imports neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Evaluator, Implementation, hookimpl


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    return [
        Implementation(
            name="masked",
            summary="Hidden tokens, learned from both sides: BERT, or whole spans as SpanBERT.",
            source="Devlin et al., BERT, 2019; whole spans: Joshi et al., SpanBERT, 2020",
            factory="pentad_masking.masked:Masked",
            options="pentad_masking.options:MaskedOptions",
        ),
        Implementation(
            name="fill-in-middle",
            summary="Documents, some of which have a gap that is learned from what stands before and behind it.",
            source="Bavarian et al., Efficient Training of Language Models to Fill in the Middle, 2022",
            factory="pentad_masking.gaps:FillInMiddle",
            options="pentad_masking.options:GapOptions",
            expected_failures={
                "targets_are_the_next_token": "where there is a gap, what stands behind it is read before what stands in it",
            },
        ),
        Implementation(
            name="span-corruption",
            summary="Spans taken out of a text and written behind it: T5 and UL2, for a decoder-only model.",
            source="Raffel et al., T5, 2020; its mixture: Tay et al., UL2, 2022",
            factory="pentad_masking.spans:SpanCorruption",
            options="pentad_masking.options:SpanOptions",
            expected_failures={
                "targets_are_the_next_token": "a span is learned behind the text that it was taken out of",
                "examples_cover_the_text": "what is not taken out is read, and learned in no pass but by chance",
            },
        ),
    ]


@hookimpl
def engine_evaluators() -> Sequence[Evaluator]:
    return [
        Evaluator(
            name="span-likelihood",
            summary="Bits per byte of spans that are taken out of the text: for span corruption.",
            factory="pentad_masking.span_evaluator:SpanLikelihood",
            options="pentad_masking.options:SpanScoreOptions",
        ),
        Evaluator(
            name="pseudo-likelihood",
            summary="Bits per byte of hidden tokens, each byte asked for once: for masked models.",
            factory="pentad_masking.evaluators:PseudoLikelihood",
            options="pentad_masking.options:HidingOptions",
        ),
        Evaluator(
            name="masked-accuracy",
            summary="Share of hidden tokens that are found, each asked for once: for masked models.",
            factory="pentad_masking.evaluators:MaskedAccuracy",
            options="pentad_masking.options:HidingOptions",
        ),
    ]

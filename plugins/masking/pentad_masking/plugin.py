"""What this distribution offers; light, so that listing it imports neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Evaluator, Implementation, hookimpl
from pentad_masking.options import HidingOptions, MaskedOptions


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    return [
        Implementation(
            name="masked",
            summary="Hidden tokens, learned from both sides: BERT, or whole spans as SpanBERT.",
            factory="pentad_masking.masked:Masked",
            options=MaskedOptions,
        ),
    ]


@hookimpl
def engine_evaluators() -> Sequence[Evaluator]:
    return [
        Evaluator(
            name="pseudo-likelihood",
            summary="Bits per byte of hidden tokens, each byte asked for once: for masked models.",
            factory="pentad_masking.evaluators:PseudoLikelihood",
            options=HidingOptions,
        ),
        Evaluator(
            name="masked-accuracy",
            summary="Share of hidden tokens that are found, each asked for once: for masked models.",
            factory="pentad_masking.evaluators:MaskedAccuracy",
            options=HidingOptions,
        ),
    ]

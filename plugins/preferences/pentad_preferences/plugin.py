"""What this distribution offers; light, so that listing it imports neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Evaluator, Implementation, hookimpl


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    return [
        Implementation(
            name="dpo",
            summary="Pairs of answers, of which one is preferred (DPO, IPO, SLiC, SimPO).",
            factory="pentad_preferences.builder:Pairs",
            options="pentad_preferences.options:DPOOptions",
        )
    ]


@hookimpl
def engine_evaluators() -> Sequence[Evaluator]:
    return [
        Evaluator(
            name="preference-accuracy",
            summary="How often the preferred answer of a held-out pair is the likelier one.",
            factory="pentad_preferences.evaluator:PreferenceAccuracy",
        )
    ]

"""What this distribution offers; light, so that listing it imports neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Evaluator, Implementation, hookimpl


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    return [
        Implementation(
            name="grpo",
            summary="The model's own answers, each by its reward against those of its group (GRPO, Dr. GRPO).",
            source="Shao et al., DeepSeekMath, 2024; Dr. GRPO: Liu et al., 2025",
            factory="pentad_reinforcement.builder:GRPO",
            options="pentad_reinforcement.options:GRPOOptions",
            expected_failures={"loss_has_a_gradient": "no answer of the kit's model is right, and equal rewards move nothing"},
        )
    ]


@hookimpl
def engine_evaluators() -> Sequence[Evaluator]:
    return [
        Evaluator(
            name="mean-reward",
            summary="Mean reward of the likeliest answers to held-out prompts, by the rewards of the run.",
            factory="pentad_reinforcement.evaluator:MeanReward",
        )
    ]

"""What this distribution offers; light, so that listing it imports neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Evaluator, Implementation, Reward, hookimpl


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    return [
        Implementation(
            name="dpo",
            summary="Pairs of answers, of which one is preferred (DPO, IPO, SLiC, SimPO, ORPO).",
            source="Rafailov et al., Direct Preference Optimization, 2023; IPO: Azar et al., 2023, and others",
            factory="pentad_preferences.builder:Pairs",
            options="pentad_preferences.options:DPOOptions",
        ),
        Implementation(
            name="reward-model",
            summary="Pairs of answers, for a model that scores answers (Bradley-Terry); a reward for grpo.",
            source="Ouyang et al., InstructGPT, 2022; pairs: Bradley and Terry, 1952",
            factory="pentad_preferences.reward_builder:RewardPairs",
            options="pentad_preferences.options:RewardModelOptions",
            expected_failures={
                "examples_cover_the_text": "marked is the last token of each answer, and nothing else",
                "targets_are_the_next_token": "the target is the reward's token",
                "end_of_text_is_learned": "no token of the text is learned",
                "loss_has_a_gradient": "the kit's texts end alike, and the rewards of its model hang on the last token alone",
            },
        ),
    ]


@hookimpl
def engine_evaluators() -> Sequence[Evaluator]:
    return [
        Evaluator(
            name="preference-accuracy",
            summary="How often the preferred answer of a held-out pair is the likelier one.",
            factory="pentad_preferences.evaluator:PreferenceAccuracy",
        ),
        Evaluator(
            name="reward-accuracy",
            summary="How often a reward model scores the preferred answer of a held-out pair higher.",
            factory="pentad_preferences.scoring:RewardAccuracy",
        ),
        Evaluator(
            name="reward",
            summary="Mean reward of conversations, by a reward model.",
            factory="pentad_preferences.scoring:MeanRewardOfTexts",
        ),
    ]


@hookimpl
def engine_rewards() -> Sequence[Reward]:
    return [
        Reward(
            name="reward-model",
            summary="The score of a run of the builder reward-model.",
            factory="pentad_preferences.scoring:ModelReward",
            options="pentad_preferences.options:ModelRewardOptions",
            expected_failures=dict.fromkeys(
                (
                    "a_finite_number_for_each_answer",
                    "an_answer_is_judged_by_itself",
                    "answers_differ",
                    "the_right_answer_counts_as_right",
                ),
                "it needs the run of a reward model",
            ),
        )
    ]

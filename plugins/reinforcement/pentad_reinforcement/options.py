"""The options of the builder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pentad import option


@dataclass(frozen=True, kw_only=True)
class GRPOOptions:
    """What is rewarded, how many answers are compared, and how far the model may move."""

    reward: tuple[str, ...] = option(
        (), "Rewards that judge the answers, added up, in place of the one that a task names (exact where it names none)."
    )
    reward_run: str = option("", "A run of the builder reward-model whose score is the reward, or is added to the others.")
    answers: int = option(8, "Answers to each prompt; their mean reward is the baseline.", ge=2)
    max_tokens: int = option(32, "Maximum new tokens of an answer.", ge=1)
    temperature: float = option(
        1.0, "Divides the logits before an answer's tokens are drawn, and where they are learned.", gt=0
    )
    loss: str = option(
        "grpo",
        "grpo divides a reward's distance from the mean by the group's deviation, and an answer's loss by its length; dr-grpo "
        "does neither, so that long wrong answers and easy prompts count no less.",
        choices=("grpo", "dr-grpo"),
    )
    beta: float = option(
        0.0, "Weight of the divergence from the run of --start; above 0 it is computed, and logged as kl.", ge=0
    )
    clip: float = option(
        0.2, "An answer's token moves its probability by this share at most; only later updates reach it.", gt=0
    )
    updates: int = option(1, "Updates with the same answers before new ones are written.", ge=1)
    template: str = option("chat", "Turns of a chat, or plain text.", choices=("chat", "plain"))

    def __post_init__(self) -> None:
        """Name the run so that it is found from anywhere: a run may be resumed in another folder."""
        if self.reward_run:
            object.__setattr__(self, "reward_run", str(Path(self.reward_run).expanduser().absolute()))

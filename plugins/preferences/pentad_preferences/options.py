"""The options of the builder."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class DPOOptions:
    """Which loss, and how a pair is written."""

    loss: str = option(
        "sigmoid",
        "sigmoid is DPO; ipo and hinge (SLiC) keep the margin near a bound; simpo and orpo need no reference.",
        choices=("sigmoid", "ipo", "hinge", "simpo", "orpo"),
    )
    beta: float = option(
        0.1, "Weight of the margin: a larger one keeps the model closer to the reference. SimPO: 2. Of orpo's odds.", gt=0
    )
    label_smoothing: float = option(0.0, "Share of the pairs that may be the wrong way round (cDPO).", ge=0, lt=0.5)
    target_margin: float = option(0.0, "Margin that simpo asks for.", ge=0)
    template: str = option("chat", "Turns of a chat, or plain text.", choices=("chat", "plain"))

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.label_smoothing and self.loss != "sigmoid":
            raise ValueError(f"label_smoothing belongs to the loss sigmoid; found {self.loss}")
        if self.target_margin and self.loss != "simpo":
            raise ValueError(f"target_margin belongs to the loss simpo; found {self.loss}")


@dataclass(frozen=True, kw_only=True)
class RewardModelOptions:
    """What a reward model is asked for, and how a pair is written."""

    margin: float = option(0.0, "Difference that the rewards of a pair shall have at least.", ge=0)
    center: float = option(0.0, "Weight of the squared sum of a pair's rewards, which keeps their mean near 0.", ge=0)
    template: str = option("chat", "Turns of a chat, or plain text.", choices=("chat", "plain"))


@dataclass(frozen=True, kw_only=True)
class ModelRewardOptions:
    """Whose reward it is."""

    run: str = option("", "The folder of a run of the builder reward-model.")

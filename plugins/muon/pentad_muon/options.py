"""What can be set of Muon."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import ScheduleOptions, option


@dataclass(frozen=True, kw_only=True)
class MuonOptions(ScheduleOptions):
    """Options of Muon, and of the AdamW beside it."""

    lr: float = option(0.02, "Highest learning rate of the matrices (Muon).", gt=0)
    momentum: float = option(0.95, "Decay of the running mean of the gradient.", ge=0, lt=1)
    nesterov: bool = option(True, "Look one step of the momentum ahead.")
    ns_steps: int = option(5, "Newton-Schulz iterations that make an update orthogonal.", ge=1, lt=100)
    weight_decay: float = option(0.1, "Decay of matrices and the head a step, times the learning rate.", ge=0)
    adjust_lr_fn: str = option(
        "original",
        "How a matrix's shape scales its learning rate: by its aspect, or to the size of AdamW's updates.",
        choices=("original", "match_rms_adamw"),
    )
    adamw_lr: float = option(3e-3, "Highest learning rate of the head, biases and gains (AdamW).", gt=0)
    embedding_lr: float = option(3e-3, "Highest learning rate of the embedding (AdamW).", gt=0)
    beta1: float = option(0.9, "AdamW: decay of the running mean of the gradient.", ge=0, lt=1)
    beta2: float = option(0.95, "AdamW: decay of the running mean of its square.", ge=0, lt=1)
    eps: float = option(1e-8, "AdamW: added to the divisor.", gt=0)

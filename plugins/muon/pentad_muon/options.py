"""What can be set of Muon."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import OptimizerOptions, option


@dataclass(frozen=True, kw_only=True)
class MuonOptions(OptimizerOptions):
    """Options of Muon, and of the AdamW beside it.

    An update of Muon is as long as its matrix allows, one of AdamW is about one in every entry; hence the ratios.
    """

    lr: float = option(0.02, "Highest learning rate of the matrices (Muon); each other role has its ratio of it.", gt=0)
    embedding_lr_ratio: float = option(
        0.15, "Learning rate of the embedding (AdamW; Jordan et al., 2024), as a multiple of lr.", ge=0
    )
    head_lr_ratio: float = option(0.15, "Learning rate of the head (AdamW), as a multiple of lr.", ge=0)
    vector_lr_ratio: float = option(0.15, "Learning rate of biases, gains and routers (AdamW), as a multiple of lr.", ge=0)
    tensor_lr_ratio: float = option(
        0.15, "Learning rate of what has more than two dimensions (AdamW), as a multiple of what its matrices would have.", ge=0
    )
    momentum: float = option(0.95, "Decay of the running mean of the gradient.", ge=0, lt=1)
    nesterov: bool = option(True, "Look one step of the momentum ahead.")
    newton_schulz: str = option(
        "quintic",
        "Polynomials that make an update orthogonal: the same in each step, or the best for each (Polar Express).",
        choices=("quintic", "polar-express"),
    )
    ns_steps: int = option(5, "Newton-Schulz iterations that make an update orthogonal (Jordan et al., 2024).", ge=1, lt=100)
    adjust_lr_fn: str = option(
        "original",
        "How a matrix's shape scales its learning rate: by its aspect, or to the size of AdamW's updates.",
        choices=("original", "match_rms_adamw"),
    )
    beta1: float = option(0.9, "AdamW: decay of the running mean of the gradient.", ge=0, lt=1)
    beta2: float = option(0.95, "AdamW: decay of the running mean of its square.", ge=0, lt=1)
    eps: float = option(1e-8, "AdamW: added to the divisor.", gt=0)


@dataclass(frozen=True, kw_only=True)
class NorMuonOptions(MuonOptions):
    """Options of NorMuon."""

    second_momentum: float = option(0.95, "Decay of the running mean of each row's squared update.", ge=0, lt=1)

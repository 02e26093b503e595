"""Muon for the matrices, AdamW for everything else; NorMuon, which also evens out the rows of an update.

Muon: Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024; scaling by shape (match_rms_adamw): Liu et
al., Muon is Scalable for LLM Training, 2025; other polynomials: Amsel et al., The Polar Express, 2025. NorMuon: Li et al.,
NorMuon: Making Muon more efficient and scalable, 2025. AdamW: Loshchilov and Hutter, 2019. Experts with a matrix each are
matrices like any other. A parameter of more than two dimensions (a convolution, stacked experts) goes to AdamW, because Muon is
for matrices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from pentad import NamedParameter, Optimization, parameter_groups, schedule
from pentad_muon.batched import BatchedMuon, BatchedNorMuon
from pentad_muon.options import MuonOptions, NorMuonOptions

_MATRICES = ("matrix", "experts")
_FUSED_DEVICES = ("cpu", "cuda", "mps", "xpu")


class MuonOptimization(Optimization):
    """An optimization whose Newton-Schulz iteration may run in fp32 or bf16 on a CPU; a GPU takes what it is fast in."""

    def kernels(self) -> Mapping[str, Sequence[str]]:
        """Return the precisions of the iteration, where there is a choice."""
        return {"newton_schulz": ("fp32", "bf16")} if any(self._iterating_on_cpu()) else {}

    def use_kernels(self, chosen: Mapping[str, str]) -> None:
        """Iterate in this precision."""
        for optimizer in self._iterating_on_cpu():
            optimizer.iterates_in = torch.bfloat16 if chosen.get("newton_schulz") == "bf16" else None

    def _iterating_on_cpu(self) -> list[BatchedMuon]:
        found = [optimizer for optimizer in self.optimizers if isinstance(optimizer, BatchedMuon)]
        devices = ("cpu", "meta")  # of a model without values core asks what there is, before the text is read
        return [optimizer for optimizer in found if optimizer.param_groups[0]["params"][0].device.type in devices]


def muon(options: MuonOptions, parameters: Sequence[NamedParameter]) -> Optimization:
    """Return Muon over the matrices and AdamW over the rest; either is left out when it would be empty."""
    matrices = [named for named in parameters if _is_for_muon(named)]
    others = [named for named in parameters if not _is_for_muon(named)]
    optimizers: list[torch.optim.Optimizer] = []
    if matrices:
        optimizers.append(_muon(options, matrices))
    if others:
        optimizers.append(_adamw(options, others))
    return MuonOptimization(optimizers=optimizers, schedule=schedule(options))


def _is_for_muon(named: NamedParameter) -> bool:
    return named.role in _MATRICES and named.parameter.ndim == 2


def _muon(options: MuonOptions, matrices: Sequence[NamedParameter]) -> BatchedMuon:
    settings: dict[str, Any] = {
        "lr": options.lr,
        "momentum": options.momentum,
        "nesterov": options.nesterov,
        "ns_steps": options.ns_steps,
        "adjust_lr_fn": options.adjust_lr_fn,
    }
    groups = parameter_groups(options, matrices)
    for group in groups:
        group["newton_schulz"] = options.newton_schulz
    if isinstance(options, NorMuonOptions):
        return BatchedNorMuon(groups, second_momentum=options.second_momentum, **settings)
    return BatchedMuon(groups, **settings)


def _adamw(options: MuonOptions, others: Sequence[NamedParameter]) -> torch.optim.AdamW:
    tensors = parameter_groups(options, [named for named in others if named.role in _MATRICES])  # of more than two dimensions
    for group in tensors:
        group["lr"] *= options.tensor_lr_ratio
    return torch.optim.AdamW(
        [*parameter_groups(options, [named for named in others if named.role not in _MATRICES]), *tensors],
        lr=options.lr,
        betas=(options.beta1, options.beta2),
        eps=options.eps,
        fused=all(named.parameter.device.type in _FUSED_DEVICES for named in others),
    )

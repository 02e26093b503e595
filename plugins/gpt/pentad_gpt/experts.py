"""A mixture of experts: each token goes through a few of many MLPs (Shazeer et al., 2017), and some that all go through.

Experts that all tokens share are DeepSeekMoE's (Dai et al., 2024): what every token needs is learned once. They are one MLP of
as many times the width.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad.tools import dropout
from pentad_gpt.layers import MLP
from pentad_gpt.options import GPTOptions


class Experts(nn.Module):
    """MLPs and a router that picks the likeliest of them for each token, with gates that add up to 1.

    No expert has a capacity beyond which tokens are dropped, so a token's output depends on that token alone. Each expert has
    matrices of its own, as Muon orthogonalises each matrix by itself.
    """

    def __init__(self, options: GPTOptions) -> None:
        super().__init__()
        self.router = nn.Linear(options.n_embd, options.n_expert, bias=False)
        self.experts = nn.ModuleList(MLP(options) for _ in range(options.n_expert))
        self.shared = MLP(options, options.n_expert_shared) if options.n_expert_shared else None
        self.active = min(options.n_expert_active, options.n_expert)
        self.dropout = options.dropout

    def forward(self, x: Tensor, balance: list[Tensor]) -> Tensor:
        """Return x (B, T, D), transformed; in training put the balance of the experts into `balance`."""
        tokens = x.flatten(0, 1)  # (N, D)
        with torch.autocast(x.device.type, enabled=False):  # which experts are chosen must not hang on bf16 rounding
            likely = F.linear(tokens.float(), self.router.weight.float()).softmax(dim=-1)  # (N, E)
        gates, chosen = likely.topk(self.active, dim=-1)  # (N, K)
        gates = gates / gates.sum(dim=-1, keepdim=True)
        mixed = torch.zeros_like(tokens, dtype=torch.float32)
        for number, expert in enumerate(cast(Iterable[MLP], self.experts)):
            rows, places = (chosen == number).nonzero(as_tuple=True)  # none too, so that each process has every gradient
            mixed = mixed.index_add(0, rows, expert.transform(tokens[rows]).float() * gates[rows, places, None])
        out = mixed.to(x.dtype).view_as(x)
        if self.shared is not None:
            out = out + self.shared.transform(x)
        if self.training:
            balance.append(balance_of(likely, chosen))
        return dropout(out, self.dropout, self.training)


def balance_of(likely: Tensor, chosen: Tensor) -> Tensor:
    """Return E times the sum over experts of the share of choices times the mean probability: 1 when all are used alike.

    Fedus et al., Switch Transformers, 2021, for one expert a token. With K of them the shares are of all K N choices and add up
    to 1, so that 1 stays what is best; transformers' `load_balancing_loss_func` counts them by token and has K times as much.

    Args:
        likely: (N, E) probabilities of the router.
        chosen: (N, K) the experts of each token.
    """
    experts = likely.shape[-1]
    shares = F.one_hot(chosen, experts).float().mean(dim=(0, 1))  # (E,), adds up to 1
    return experts * (shares * likely.mean(dim=0)).sum()

"""A mixture of experts: each token goes through a few of many MLPs (Shazeer et al., 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad_gpt.layers import ACTIVATIONS
from pentad_gpt.options import GPTOptions


class Experts(nn.Module):
    """MLPs and a router that picks the likeliest of them for each token, with gates that add up to 1.

    No expert has a capacity beyond which tokens are dropped, so a token's output depends on that token alone.
    """

    def __init__(self, options: GPTOptions) -> None:
        super().__init__()
        number, width = options.n_expert, options.n_embd
        gated = (2 if options.activation == "swiglu" else 1) * options.hidden
        self.router = nn.Linear(width, number, bias=False)
        self.up = nn.Parameter(torch.empty(number, width, gated))
        self.projection = nn.Parameter(torch.empty(number, options.hidden, width))
        self.up_bias = nn.Parameter(torch.zeros(number, gated)) if options.bias else None
        self.projection_bias = nn.Parameter(torch.zeros(number, width)) if options.bias else None
        self.active = min(options.n_expert_active, number)
        self.activation = ACTIVATIONS[options.activation]
        self.dropout = options.dropout

    def forward(self, x: Tensor, balance: list[Tensor]) -> Tensor:
        """Return x (B, T, D), transformed; in training put the balance of the experts into `balance`."""
        tokens = x.flatten(0, 1)  # (N, D)
        with torch.autocast(x.device.type, enabled=False):  # which experts are chosen must not hang on bf16 rounding
            likely = F.linear(tokens.float(), self.router.weight.float()).softmax(dim=-1)  # (N, E)
        gates, chosen = likely.topk(self.active, dim=-1)  # (N, K)
        gates = gates / gates.sum(dim=-1, keepdim=True)
        mixed = torch.zeros_like(tokens, dtype=torch.float32)
        for expert in range(len(self.up)):
            rows, places = (chosen == expert).nonzero(as_tuple=True)
            mixed = mixed.index_add(0, rows, self._expert(expert, tokens[rows]).float() * gates[rows, places, None])
        if self.training:
            balance.append(balance_of(likely, chosen))
        return F.dropout(mixed.to(x.dtype).view_as(x), self.dropout, self.training)

    def _expert(self, expert: int, x: Tensor) -> Tensor:
        """Return x (M, D), transformed by one expert."""
        up_bias = None if self.up_bias is None else self.up_bias[expert]
        projection_bias = None if self.projection_bias is None else self.projection_bias[expert]
        hidden = self.activation(F.linear(x, self.up[expert].t(), up_bias))
        return F.linear(hidden, self.projection[expert].t(), projection_bias)


def balance_of(likely: Tensor, chosen: Tensor) -> Tensor:
    """Return E times the sum over experts of the share of tokens times the mean probability: 1 when all are used alike.

    Fedus et al., Switch Transformers, 2021.

    Args:
        likely: (N, E) probabilities of the router.
        chosen: (N, K) the experts of each token.
    """
    experts = likely.shape[-1]
    shares = F.one_hot(chosen, experts).float().mean(dim=(0, 1))  # (E,), adds up to 1
    return experts * (shares * likely.mean(dim=0)).sum()

"""AdamW: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019; torch's own.

Weight decay acts on matrices and the head. Biases and gains have no use for it, and an embedding's row would shrink in every
step in which its token does not occur.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pentad import NamedParameter, Optimization, schedule
from pentad_adamw.options import AdamWOptions

_DECAYED = ("matrix", "experts", "head")

_FUSED_DEVICES = ("cpu", "cuda", "mps", "xpu")


def adamw(options: AdamWOptions, parameters: Sequence[NamedParameter]) -> Optimization:
    """Return AdamW over all parameters, in two groups."""
    decayed = [named.parameter for named in parameters if named.role in _DECAYED]
    others = [named.parameter for named in parameters if named.role not in _DECAYED]
    groups = [
        {"params": group, "weight_decay": decay} for group, decay in ((decayed, options.weight_decay), (others, 0.0)) if group
    ]
    if not groups:
        return Optimization(optimizers=(), schedule=schedule(options))
    optimizer = torch.optim.AdamW(
        groups,
        lr=options.lr,
        betas=(options.beta1, options.beta2),
        eps=options.eps,
        fused=all(named.parameter.device.type in _FUSED_DEVICES for named in parameters),
    )
    return Optimization(optimizers=(optimizer,), schedule=schedule(options))

"""AdamW: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019; torch's own.

Weight decay acts on matrices and the head (`pentad.parameter_groups` says why).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pentad import NamedParameter, Optimization, parameter_groups, schedule
from pentad_adamw.options import AdamWOptions

_FUSED_DEVICES = ("cpu", "cuda", "mps", "xpu")


def adamw(options: AdamWOptions, parameters: Sequence[NamedParameter]) -> Optimization:
    """Return AdamW over all parameters, in a group for each role."""
    groups = parameter_groups(options, parameters)
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

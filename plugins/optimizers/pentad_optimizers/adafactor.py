"""Adafactor: Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018; torch's own.

It keeps a mean for each row and each column of a matrix in place of a moment for each entry, and no momentum. The learning rate
is relative: a step is lr times the parameter's root mean square, and min(lr, 1 / sqrt(step)) of it at most.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pentad import NamedParameter, Optimization, parameter_groups, schedule
from pentad_optimizers.options import AdafactorOptions


def adafactor(options: AdafactorOptions, parameters: Sequence[NamedParameter]) -> Optimization:
    """Return Adafactor over all parameters, in a group for each role."""
    groups = parameter_groups(options, parameters)
    if not groups:
        return Optimization(optimizers=(), schedule=schedule(options))
    optimizer = torch.optim.Adafactor(
        groups,
        lr=options.lr,
        beta2_decay=options.beta2_decay,
        eps=(None, options.min_scale),
        d=options.clip,
    )
    return Optimization(optimizers=(optimizer,), schedule=schedule(options))

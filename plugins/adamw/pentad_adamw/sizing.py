"""A learning rate for the size of the model: larger models want a lower one.

Kaplan et al., Scaling Laws for Neural Language Models, 2020, equation D.1: Adam's best rate falls with the number of parameters
N, embedding and head left out, as 0.003239 - 0.0001395 ln N. Only how it falls is taken from there: up to a million parameters
the default holds, which was found here at such sizes. Not fitted to trainings of this engine (docs/sizing.md).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pentad import Advice, Situation

if TYPE_CHECKING:
    from pentad_adamw.options import AdamWOptions

SMALL, LARGE = 1e6, 1e9
"""Parameters up to which the default holds, and from which on the rate no longer falls: the law ends near 1e10."""


def kaplan(n_parameters: float) -> float:
    """Return the law's rate."""
    return 0.003239 - 0.0001395 * math.log(n_parameters)


def advise(options: AdamWOptions, situation: Situation) -> Advice | None:
    """Return a learning rate for a model of more than a million parameters."""
    count = situation.n_parameters
    if count is None or count <= SMALL or "lr" not in situation.open:
        return None
    lr = float(f"{options.lr * kaplan(min(count, LARGE)) / kaplan(SMALL):.1e}")
    return Advice(values={"lr": lr}, reason=f"learning rate {lr:g} for {count / 1e6:.0f}M parameters within")

"""A learning rate for the length of the training: few steps want longer ones.

The best rate falls about as the root of the number of steps, as far as it was measured with gpt (benchmarks/LOG.md): near 0.06
at 300 to 440 steps, 0.03 at 800, and from about 1,500 on 0.02 is as good as 0.03. At 20 to 200 steps, as large models in a
short time have them, 0.06 was far better than 0.02 (gpt; from 160 on also an LSTM and minGRU). Fewer than `FEWEST` were not
measured, and keep the default.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pentad import Advice, Situation

if TYPE_CHECKING:
    from pentad_muon.options import MuonOptions

FEWEST, MANY = 20.0, 2000.0
"""Steps from which on a rate is advised, and from which on it is the default."""

MOST = 3.0
"""Times the default at the most."""


def advise(options: MuonOptions, situation: Situation) -> Advice | None:
    """Return a learning rate for a training from scratch of fewer than 2,000 steps."""
    if "lr" not in situation.open or situation.starts_from_run or not situation.n_parameters:
        return None
    steps = situation.n_steps
    if not FEWEST <= steps < MANY:
        return None
    lr = float(f"{options.lr * min(MOST, math.sqrt(MANY / steps)):.2g}")
    return Advice(values={"lr": lr}, reason=f"learning rate {lr:g} for some {float(f'{steps:.2g}'):,.0f} steps")

"""A learning rate for the size of a model and the length of its training: what optimizers with steps like Adam's share.

    def advise(options, situation):
        return size_learning_rate(options, situation)

Small models and short trainings stand a higher rate. Of a training from scratch the rate falls with the cube root of the
model's parameters times the steps until it meets the default, as was measured with AdamW from 5e6 to 2e8 (benchmarks/LOG.md).
DeepSeek-AI (DeepSeek LLM, 2024) let it fall with the arithmetic of the training too, by a smaller power, while the examples of
a step grow with it.

Above a million parameters it falls further with their number, as Kaplan et al. (Scaling Laws for Neural Language Models, 2020,
equation D.1) have it for Adam: 0.003239 - 0.0001395 ln N. That part is not fitted to trainings of this engine.
"""

from __future__ import annotations

import math
from typing import Any

from pentad.contracts.situation import Advice, Situation

DEFAULT_HOLDS = 3e9
"""Parameters times steps from which on the default rate holds."""

MOST = 8.0
"""Times the default at the most: the smallest model and the shortest training that were measured, 5e6."""

FEWEST = 200.0
"""Steps of the shortest trainings that were measured; of fewer the default holds."""

SMALL, LARGE = 1e6, 1e9
"""Parameters from which on the rate falls with the size, and from which on it no longer does: the law ends near 1e10."""


def size_learning_rate(
    options: Any,
    situation: Situation,
    *,
    most: float = MOST,
    falls_with_size: bool = True,
) -> Advice | None:
    """Return a value for `options.lr`, or None where it is given or its default fits.

    A run that starts from another gets nothing for being short: its weights are not to be moved that far.

    Args:
        options: with the default rate `lr`.
        situation: the model and the length of the training.
        most: times the default at the most; 8 unless given.
        falls_with_size: whether models of more than a million parameters want less, as with Adam; not where the updates are
            scaled by the parameters themselves.
    """
    count = situation.n_parameters
    if not count or "lr" not in situation.open:
        return None
    steps = 0.0 if situation.starts_from_run else situation.n_steps
    raised = min(most, max(1.0, (DEFAULT_HOLDS / (count * steps)) ** (1 / 3))) if steps >= FEWEST else 1.0
    lowered = kaplan(min(count, LARGE)) / kaplan(SMALL) if falls_with_size and count > SMALL else 1.0
    if raised == lowered == 1.0:
        return None
    lr = float(f"{options.lr * raised * lowered:.1e}")
    length = f", some {float(f'{steps:.1g}'):,.0f} steps" if raised > 1 else ""
    return Advice(values={"lr": lr}, reason=f"learning rate {lr:g} for {_millions(count)}M parameters{length}")


def kaplan(n_parameters: float) -> float:
    """Return Adam's best rate for a model of so many parameters, embedding and head left out."""
    return 0.003239 - 0.0001395 * math.log(n_parameters)


def _millions(count: int) -> str:
    return f"{count / 1e6:.0f}" if count >= 9.5e5 else f"{float(f'{count / 1e6:.1g}'):g}"

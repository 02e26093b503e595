"""A learning rate for the size of the model and the length of its training: core's rule, which was measured with AdamW."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pentad import Advice, Situation, size_learning_rate

if TYPE_CHECKING:
    from pentad_adamw.options import AdamWOptions


def advise(options: AdamWOptions, situation: Situation) -> Advice | None:
    """Return a learning rate for a small model in a short training, or for a large one."""
    return size_learning_rate(options, situation)

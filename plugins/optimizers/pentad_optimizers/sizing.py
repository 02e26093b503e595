"""Learning rates for the size of the model and the length of its training: AdamW's rule, each from its own default.

In what was measured (benchmarks/LOG.md) one rule came near to the best rates of all of them, but for SGD.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pentad import Advice, RateOptions, Situation, size_learning_rate
from pentad_optimizers.options import AdafactorOptions, LionOptions, ScheduleFreeOptions, SGDOptions, SOAPOptions

FIGURES: Mapping[type[RateOptions], Mapping[str, Any]] = {
    LionOptions: {},
    ScheduleFreeOptions: {},
    SOAPOptions: {},
    # An update goes by the parameter's own size, which falls as the model grows.
    AdafactorOptions: {"falls_with_size": False},
    # Best at about 1 in all that was measured; and an update goes by the gradient, of which Adam's law of size says nothing.
    SGDOptions: {"most": 3.0, "falls_with_size": False},
}
"""What `pentad.size_learning_rate` is told of each."""


def advise(options: RateOptions, situation: Situation) -> Advice | None:
    """Return a learning rate for a small model in a short training, or for a large one."""
    return size_learning_rate(options, situation, **FIGURES[type(options)])

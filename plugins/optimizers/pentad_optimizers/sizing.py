"""Learning rates for the size of the model and the length of its training: AdamW's rule with other figures.

The default of each is what a large model wants in a long training, as its authors have it beside AdamW's. In the small and
short trainings that were measured (benchmarks/LOG.md) some want more of it than AdamW does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pentad import Advice, RateOptions, Situation, size_learning_rate
from pentad_optimizers.options import AdafactorOptions, LionOptions, ScheduleFreeOptions, SGDOptions, SOAPOptions

FIGURES: Mapping[type[RateOptions], Mapping[str, Any]] = {
    ScheduleFreeOptions: {},
    SOAPOptions: {"default_holds": 1e10, "most": 12.0},
    LionOptions: {"default_holds": 1e10, "most": 12.0},
    # An update goes by the parameter's own size, which falls as the model grows.
    AdafactorOptions: {"default_holds": 6e9, "most": 10.0, "falls_with_size": False},
    # Best at the same rate in all that was measured; an update goes by the gradient, of which Adam's law says nothing.
    SGDOptions: {"most": 3.0, "falls_with_size": False},
}
"""What `pentad.size_learning_rate` is told of each."""


def advise(options: RateOptions, situation: Situation) -> Advice | None:
    """Return a learning rate for a small model in a short training, or for a large one."""
    return size_learning_rate(options, situation, **FIGURES[type(options)])

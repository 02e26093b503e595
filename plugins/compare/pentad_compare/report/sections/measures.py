"""What a run uses: how it is read from a run or a point of its curve, and the title of its axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pentad_compare.records import ArmResult, Point
from pentad_compare.report.numbers import mean


@dataclass(frozen=True)
class Measure:
    """A cost.

    Args:
        name: in a sentence.
        axis: makes the axis' title of a unit's prefix.
        of_arm: its mean over an arm's finished runs.
        of_point: its value during training; None where it does not grow.
        timed: whether it is in seconds.
    """

    name: str
    axis: Callable[[str], str]
    of_arm: Callable[[ArmResult], float]
    of_point: Callable[[Point], float] | None = None
    timed: bool = False

    def unit(self, highest: float) -> tuple[str, float] | None:
        """Return the unit that suits values up to `highest`: None for decimal prefixes."""
        if not self.timed:
            return None
        return next((pair for pair in (("h", 3600.0), ("min", 60.0)) if highest >= 3 * pair[1]), ("s", 1.0))


def _mean_of(name: str) -> Callable[[ArmResult], float]:
    return lambda arm: mean([float(getattr(seed, name)) for seed in arm.done])


def _peak(arm: ArmResult) -> float:
    return float(max((seed.peak_memory_bytes for seed in arm.done), default=0))


BYTES = Measure("text read", lambda sign: f"text read ({sign}B)", _mean_of("bytes"), lambda point: point.bytes)
FLOPS = Measure("compute", lambda sign: f"compute ({sign}FLOP)", _mean_of("flops"), lambda point: point.flops)
SECONDS = Measure(
    "training time",
    lambda sign: f"training time ({sign})",
    _mean_of("training_seconds"),
    lambda point: point.seconds,
    timed=True,
)
PARAMETERS = Measure("size", lambda sign: f"parameters ({sign})" if sign else "parameters", lambda arm: float(arm.n_parameters))
MEMORY = Measure("memory", lambda sign: f"peak memory ({sign}B)", _peak)


def differing(arms: Sequence[ArmResult], measures: Sequence[Measure], least: float = 1.15) -> list[Measure]:
    """Keep the measures in which the arms differ by at least a factor."""
    kept = []
    for measure in measures:
        values = [measure.of_arm(arm) for arm in arms]
        if min(values) > 0 and max(values) >= least * min(values):
            kept.append(measure)
    return kept

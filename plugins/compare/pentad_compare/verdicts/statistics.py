"""Differences between arms: paired t intervals over the seeds, as scipy computes them.

What varies is the seed: the intervals say what more seeds on the same text and budget would show, and nothing about another
text. A difference is taken seed by seed, because two arms with the same seed see the same examples where they can.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from pentad_compare.records import BITS_PER_BYTE, Difference, Metric

POWER = 0.8
"""The power of the seeds that a user is told to add (Cohen 1988)."""

MOST_SEEDS = 1000
"""The search for the number of seeds ends here."""

_DECIMALS = 9
"""Differences are rounded to so many, far below what fp32 resolves of a score, so that equal ones are equal to the bit."""

_FARTHEST = 1000.0
"""Noncentrality up to which scipy's series converge; three seeds show such a difference at any level in use."""

Floats = npt.NDArray[np.float64]


def differences(
    scores: Mapping[str, Mapping[int, float]],
    baseline: str,
    *,
    metric: Metric = BITS_PER_BYTE,
    confidence: float = 0.95,
    detect: float = 0.01,
) -> list[Difference]:
    """Compare every other arm of a group with the baseline.

    The intervals are paired t intervals (Student 1908). Where several arms have one, each is widened by Bonferroni's
    inequality (Dunn 1961), so that all of them together hold the true differences with at least the probability `confidence`.
    An arm is better or worse exactly where its interval excludes 0. Seeds that failed in either arm are left out of the pair.

    Where the differences are equal on all seeds (arms that ignore the seed, such as counted n-grams), the interval has no
    width, as scipy has it too, and the words say why.

    Args:
        scores: label to seed to score; failed seeds are absent, or not finite.
        baseline: label of the arm that the others are compared with.
        metric: what the scores are.
        confidence: of all intervals together, between 0 and 1.
        detect: effect size of the power analysis, a difference of scores; its power is 80%.

    Returns:
        A record per other arm, in the order of `scores`.

    Raises:
        KeyError: the baseline is not among the scores.
    """
    base = scores[baseline]
    pairs = {label: _Pair.of(label, arm, baseline, base, metric) for label, arm in scores.items() if label != baseline}
    together = max(1, sum(len(pair.values) > 1 for pair in pairs.values()))
    level = level_of_each(confidence, together)
    return [pair.difference(level, detect) for pair in pairs.values()]


def level_of_each(confidence: float, together: int) -> float:
    """Return the confidence of each of several intervals that have `confidence` together, however they depend on each other.

    >>> round(level_of_each(0.95, 5), 6)
    0.99
    """
    return 1 - (1 - confidence) / together


def interval(values: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the lower and upper ends (…) of the t intervals of the means of paired differences (…, N), N at least 2.

    Not for differences that are all equal, of which scipy warns.
    """
    ends = stats.ttest_1samp(values, 0.0, axis=-1).confidence_interval(level)
    return ends.low, ends.high


def power(n_seeds: npt.ArrayLike, difference: float, deviation: float, level: float) -> Floats:
    """Return how probable it is that so many seeds show a true difference, in its direction.

    Args:
        n_seeds: two or more, any shape.
        difference: the true one, in the unit of the scores.
        deviation: standard deviation of the paired differences, more than 0.
        level: confidence of the interval.
    """
    n = np.asarray(n_seeds, dtype=np.float64)
    critical = stats.t.ppf((1 + level) / 2, n - 1)
    # scipy's other tail is nan in places, and it is a difference shown in the wrong direction, no part of the power.
    centre = np.minimum(abs(difference) / deviation * np.sqrt(n), _FARTHEST)
    return np.asarray(stats.nct.sf(critical, n - 1, centre))


def seeds_needed(difference: float, deviation: float, level: float) -> int | None:
    """Return how many seeds show a true difference with a power of 80%; None for more than 1,000."""
    if deviation <= 0 or difference <= 0:
        return 2 if difference > 0 else None
    counts = range(2, MOST_SEEDS + 1)
    index = bisect_left(counts, POWER, key=lambda n: float(power(n, difference, deviation, level)))
    return counts[index] if index < len(counts) else None


def _equal(values: Floats) -> bool:
    return bool((values == values[0]).all())


@dataclass(frozen=True)
class _Pair:
    """An arm, the baseline, and their differences on the seeds that both finished; `all_seeds` says whether those are all."""

    arm: str
    baseline: str
    metric: Metric
    values: Floats
    all_seeds: bool

    @classmethod
    def of(cls, arm: str, ours: Mapping[int, float], baseline: str, theirs: Mapping[int, float], metric: Metric) -> _Pair:
        """Subtract seed by seed; in the order of the seeds, so that sums come out the same in any order."""
        both = [s for s in sorted(ours.keys() & theirs.keys()) if math.isfinite(ours[s]) and math.isfinite(theirs[s])]
        values = np.array([ours[seed] - theirs[seed] for seed in both], dtype=np.float64).round(_DECIMALS)
        return cls(arm, baseline, metric, values, len(both) == len(ours.keys() | theirs.keys()))

    @property
    def mean(self) -> float:
        """Of the differences, of which there is one at least; to the bit where they are all equal."""
        return float(self.values[0] if _equal(self.values) else self.values.mean())

    def difference(self, level: float, detect: float) -> Difference:
        """Return the record; `level` is the confidence of this one interval."""
        n = len(self.values)
        low, high = self._interval(level) if n > 1 else (None, None)
        return Difference(
            arm=self.arm,
            baseline=self.baseline,
            n_seeds=n,
            mean=self.mean if n else None,
            low=low,
            high=high,
            verdict=self._verdict(low, high),
            words=self._words(low, high, level, detect),
        )

    def _interval(self, level: float) -> tuple[float, float]:
        if _equal(self.values):
            return self.mean, self.mean
        low, high = interval(self.values, level)
        return float(low), float(high)

    def _words(self, low: float | None, high: float | None, level: float, detect: float) -> str:
        if low is None or high is None:
            return self._words_without_interval()
        both = "" if self.all_seeds else " that both finished"
        seeds = f"{len(self.values)} seeds{both}"
        if _equal(self.values):
            return self._words_of_equal(seeds)
        verdict = self._verdict(low, high)
        if verdict == "none":
            return f"no difference shown{self._words_of_power(level, detect)}"
        near, far = sorted((abs(low), abs(high)))
        digits = _digits(near, far)
        amount = self.metric.amount(f"{abs(self.mean):.{digits}f}")
        ends = f"[{near:.{digits}f}, {far:.{digits}f}]"
        return f"{self.arm} is measurably {verdict} than {self.baseline} by {amount} {ends}, {seeds}"

    def _words_without_interval(self) -> str:
        if not len(self.values):
            return f"{self.arm} and {self.baseline} have no seed that both finished"
        one = "one seed; an interval needs --seeds 3" if self.all_seeds else "the one seed that both finished; no interval"
        if not self.mean:
            return f"{self.arm} and {self.baseline} are equal with {one}"
        return f"{self.arm} is {self._amount()} {self._direction()} than {self.baseline} with {one}"

    def _words_of_equal(self, seeds: str) -> str:
        if not self.mean:
            return f"no difference between {self.arm} and {self.baseline}: identical on all {seeds}"
        by = f"by {self._amount()} on each of {seeds}"
        return f"{self.arm} is {self._direction()} than {self.baseline} {by}: the seed changes nothing in this difference"

    def _verdict(self, low: float | None, high: float | None) -> str:
        if low is None or high is None:
            return "unknown"
        return self._direction() if low > 0 or high < 0 else "none"

    def _direction(self) -> str:
        return "better" if self.metric.is_better(self.mean) else "worse"

    def _amount(self) -> str:
        return self.metric.amount(_short(abs(self.mean)))

    def _words_of_power(self, level: float, detect: float) -> str:
        n = len(self.values)
        needed = seeds_needed(detect, float(self.values.std(ddof=1)), level)
        if needed is not None and needed <= n:
            return f" between {self.arm} and {self.baseline}; a difference of {detect:g} would probably have been shown"
        more = needed - n if needed is not None else 0
        words = f"about {more:,} more seed{'s' * (more != 1)}" if needed is not None else f"more than {MOST_SEEDS:,} seeds"
        return f" between {self.arm} and {self.baseline}; {words} would be needed to show {detect:g}"


def _short(size: float) -> str:
    """Return a size with two decimals, or as many as show two digits of it."""
    return f"{size:.2f}" if size >= 0.095 else f"{size:.2g}" if size >= 1e-4 else f"{size:.{_digits(0.0, size)}f}"


def _digits(near: float, far: float) -> int:
    """Return the decimals, two to nine, with which the ends of an interval differ from each other and from 0."""
    for digits in range(2, 9):
        unit = 10.0**-digits
        if far - near >= 1.5 * unit and (near >= unit or not near):
            return digits
    return 9

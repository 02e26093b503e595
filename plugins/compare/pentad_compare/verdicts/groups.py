"""Which arms may be ranked together: those whose scores mean the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pentad_compare.records import ArmResult, Group, Metric
from pentad_compare.verdicts.statistics import differences

FAILED = "No run of these finished, so there is nothing to compare."
NOT_JUDGED = "No evaluator fits these arms, so they have no score: no ranking."
NOT_LOSSLESS = (
    "Their tokenizer does not keep every text, so their scores leave out what it changes. "
    "They compare with each other, because the tokenizer is the same, and not with the other arms."
)
OTHER_EVALUATOR = (
    "These are judged by the evaluator {evaluator} ({title}), the arms above by another one. "
    "Scores of different evaluators do not compare: no verdict between them."
)


class Comparable(NamedTuple):
    """What two arms must have in common to be compared; `lossy` is the tokenizer's table where it is not lossless."""

    metric: Metric | None
    failed: bool = False
    lossy: str = ""


def comparable(arm: ArmResult, lossless: bool) -> Comparable:
    """Return what an arm may be compared with: arms of the same value.

    Args:
        arm: its results.
        lossless: whether its tokenizer keeps every text.
    """
    if arm.metric is None:
        return Comparable(None, failed=all(seed.failure for seed in arm.seeds))
    tokenizer: Mapping[str, Any] = arm.recipe.get("tokenizer", {})
    return Comparable(arm.metric, lossy="" if lossless else json.dumps(tokenizer, sort_keys=True, default=str))


def group(
    arms: Sequence[ArmResult], kinds: Mapping[str, Comparable], baseline: str, confidence: float, detect: float
) -> list[Group]:
    """Sort the arms into groups, best first, and compare each arm with its group's baseline.

    Args:
        arms: all of them.
        kinds: label to what `comparable` returned.
        baseline: label of the arm that the others of its group are compared with; other groups take their first arm.
        confidence: of all intervals of a group together.
        detect: the effect size of the power analysis.
    """
    order = sorted(dict.fromkeys(kinds[arm.label] for arm in arms), key=lambda kind: _rank(kind, kinds[baseline]))
    groups = []
    for kind in order:
        mine = [arm for arm in arms if kinds[arm.label] == kind]
        groups.append(_group(mine, kind, _reason(kind, order[0]), baseline, confidence, detect))
    return groups


def _rank(kind: Comparable, of_baseline: Comparable) -> tuple[bool, bool, bool]:
    """Put the baseline's group first where it has scores, then lossless ones, then lossy ones, then those without a score."""
    return kind.metric is None, kind != of_baseline, bool(kind.lossy)


def _reason(kind: Comparable, main: Comparable) -> str:
    """Return why a group is not ranked with the main one."""
    if kind.metric is None:
        return FAILED if kind.failed else NOT_JUDGED
    lossy = [NOT_LOSSLESS] if kind.lossy else []
    other = [OTHER_EVALUATOR.format(evaluator=kind.metric.evaluator, title=kind.metric.title)]
    return " ".join([*lossy, *(other if kind.metric != main.metric else [])])


def _group(arms: Sequence[ArmResult], kind: Comparable, reason: str, baseline: str, confidence: float, detect: float) -> Group:
    metric = kind.metric
    labels = [arm.label for arm in arms]
    if metric is None:
        return Group(reason=reason, arms=labels)
    ranked = [arm.label for arm in sorted(arms, key=lambda arm: metric.rank(arm.mean or 0.0))]
    first = baseline if baseline in labels else labels[0]
    scores = {arm.label: {seed.seed: seed.score for seed in arm.seeds if seed.score is not None} for arm in arms}
    scores = {label: scores[label] for label in ranked}
    compared = differences(scores, first, metric=metric, confidence=confidence, detect=detect) if len(labels) > 1 else ()
    return Group(reason=reason, metric=metric, arms=ranked, baseline=first if compared else "", differences=compared)

"""Cost against quality, over what the budget left free."""

from __future__ import annotations

from pentad_cli.charts import Figure, Look, figure
from pentad_compare.records import ArmResult, Comparison, Group, Metric
from pentad_compare.report.charts.scatter import Spot, draw_scatter
from pentad_compare.report.sections.measures import FLOPS, MEMORY, PARAMETERS, SECONDS, Measure, differing
from pentad_compare.report.sections.parts import Block, Section, all_looks, group_title

_FREE = {"seconds": (FLOPS, PARAMETERS, MEMORY), "flops": (SECONDS, PARAMETERS, MEMORY)}
"""What is worth a look under a budget, first the best; under other budgets time is."""

_MOST = 2


def cost(comparison: Comparison) -> Section | None:
    """Return the section, or None where fewer than two arms have scores or all cost the same."""
    blocks = []
    for index, group in enumerate(comparison.groups):
        figures = _figures(comparison, group, index)
        if figures:
            blocks.append(Block(group_title(comparison, group), figures=figures))
    return Section("cost", "Cost against quality", _words(comparison), blocks) if blocks else None


def _words(comparison: Comparison) -> str:
    """Say which corner is best, where all groups agree."""
    directions = {group.metric.lower_is_better for group in comparison.groups if group.metric}
    if len(directions) != 1:
        return "Left costs less."
    return f"{'Lower' if directions.pop() else 'Upper'} left is better: less spent, and a better score."


def _figures(comparison: Comparison, group: Group, index: int) -> list[Figure]:
    arms = [arm for label in group.arms if (arm := comparison.arm(label)).mean is not None]
    if len(arms) < 2 or group.metric is None:
        return []
    measures = differing(arms, _FREE.get(comparison.budget_unit, (SECONDS, FLOPS, PARAMETERS, MEMORY)))
    known = all_looks(comparison)
    return [_figure(measure, arms, known, group.metric, index) for measure in measures[:_MOST]]


def _figure(measure: Measure, arms: list[ArmResult], known: dict[str, Look], metric: Metric, index: int) -> Figure:
    spots = [_spot(measure, arm, known[arm.label]) for arm in arms]
    unit = measure.unit(max(spot.cost for spot in spots))
    return figure(
        f"cost-{measure.name.split()[-1]}-{index}",
        f"Quality against {measure.name}",
        "Marks: means; upright lines: lowest to highest seed.",
        lambda width: draw_scatter(width, spots, metric, measure.axis, unit),
        [spot.look for spot in spots],
    )


def _spot(measure: Measure, arm: ArmResult, look: Look) -> Spot:
    score = arm.mean or 0.0
    scores = [seed.score for seed in arm.seeds if seed.score is not None] or [score]
    return Spot(look, measure.of_arm(arm), score, min(scores), max(scores))

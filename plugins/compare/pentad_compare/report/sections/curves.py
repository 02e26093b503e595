"""Learning curves of each group, over text, compute and time."""

from __future__ import annotations

from pentad_cli.charts import Figure, figure
from pentad_compare.records import Comparison, Group
from pentad_compare.report.charts.curves import Curve, curve, domain, draw_curves
from pentad_compare.report.sections.measures import BYTES, FLOPS, SECONDS, Measure
from pentad_compare.report.sections.parts import Block, Section, all_looks, group_title

_WORDS = {"text read": "per byte of text read", "compute": "per unit of compute", "training time": "per second of training"}


def curves(comparison: Comparison) -> Section | None:
    """Return the section, or None where nothing was measured on the way."""
    blocks = []
    for index, group in enumerate(comparison.groups):
        figures = [one for measure in (BYTES, FLOPS, SECONDS) if (one := _figure(comparison, group, measure, index))]
        if figures:
            blocks.append(Block(group_title(comparison, group), figures=figures))
    words = (
        "Lines: mean of the seeds, scored during training on a part of the held-out text; shaded: lowest to highest seed. "
        "Marks: the final score on all of it. The first steps are cut off."
    )
    return Section("curves", "Learning curves", words, blocks) if blocks else None


def _figure(comparison: Comparison, group: Group, measure: Measure, index: int) -> Figure | None:
    read, metric = measure.of_point, group.metric
    assert read is not None
    known = all_looks(comparison)
    drawn: list[Curve] = [
        line for label in group.arms if (line := curve(known[label], comparison.arm(label), read)) and _reaches(line)
    ]
    if metric is None or not any(len(line.x) > 1 for line in drawn):
        return None
    name = f"curve-{measure.name.split()[-1]}-{index}"
    unit = measure.unit(domain(drawn).x[1])
    title = f"What is learned {_WORDS[measure.name]}"
    words = f"Held-out {metric.title} against {measure.name}."
    return figure(
        name,
        title,
        words,
        lambda size: draw_curves(size, drawn, metric, measure.axis, unit, name),
        [line.look for line in drawn],
    )


def _reaches(line: Curve) -> bool:
    return max([*line.x[-1:], *([line.end[0]] if line.end else [])], default=0) > 0

"""The tables of the terminal: the plan, the ranking, the samplers, the tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from pentad_cli.tools import count, duration, short, size, visible
from pentad_compare.measures.figures import TextFigures, TokenizerFigures
from pentad_compare.records import ArmResult, Comparison, Group

WIDE = 100
"""Columns from which the ranking has room for costs."""

NARROW = 70
"""Columns below which every table keeps its most telling figures only."""

COSTS = ("parameters", "tokens/s", "memory")

_PLAN = ("arm", "parameters", "vocabulary", "bytes/token", "steps", "a run", "memory")
_TOKENIZERS = ("tokenizer", "vocabulary", "bytes/token", "tokens/word", "used", "efficiency", "speed", "not lossless")
_TEXTS = ("texts of", "repetition", "distinct-2", "bits/byte", "verbatim", "longest")
_WIDE_ONLY = {"vocabulary", "memory", "bits/byte", "longest", "used", "efficiency", "speed"}
"""Columns that a narrow terminal has no room for."""


def table(first: str, *headings: str) -> Table:
    """Return an empty table: a column of names, columns of figures."""
    columns = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    columns.add_column(first, overflow="fold")
    for heading in headings:
        columns.add_column(heading, justify="right", no_wrap=True)
    return columns


def name(label: str) -> Text:
    """Return a label as it may be shown: names come from files and from the command line."""
    return Text(visible(label))


def _fitting(columns: Sequence[str], cells: Sequence[Any], width: int) -> list[Any]:
    """Return the cells of the columns that a table of this width has room for."""
    return [cell for column, cell in zip(columns, cells, strict=True) if width >= NARROW or column not in _WIDE_ONLY]


def plan_columns(width: int) -> list[str]:
    """Return the headings of the plan."""
    return _fitting(_PLAN, _PLAN, width)


def plan_row(label: str, plan: dict[str, Any], seconds: float, width: int) -> Sequence[Text | str]:
    """Return a row of the plan."""
    cells = [
        name(label),
        short(sum(plan["parameters"].values())),
        count(plan["vocab_size"]),
        f"{plan['train_bytes'] / max(1, plan['train_tokens']):.2f}",
        count(plan["steps"]),
        duration(seconds),
        size(plan["memory_bytes"]),
    ]
    return _fitting(_PLAN, cells, width)


def ranking(comparison: Comparison, group: Group, width: int) -> Table:
    """Return a group's arms, best first; costs and the number of seeds are shown where there is room."""
    headings = [_score_heading(group, width), f"difference [{100 * comparison.confidence:.4g}%]"]
    headings += ["seeds"] if width >= NARROW else []
    headings += COSTS if width >= WIDE else ()
    rows = table("arm", *headings)
    for label in group.arms:
        arm = comparison.arm(label)
        if not arm.done:
            rows.add_row(name(label), "failed")
            continue
        cells: list[Text | str] = [name(label), _score(arm, width), _difference(arm.label, group)]
        cells += [arm.seeds_done, *_costs(arm)]
        rows.add_row(*cells[: 1 + len(headings)])
    return rows


def _score_heading(group: Group, width: int) -> str:
    title = group.metric.title if group.metric else "score"
    return f"{'bits/byte' if title == 'bits per byte' else title}{' ± sd' if width >= NARROW else ''}"


def _costs(arm: ArmResult) -> list[str]:
    rate = sum(seed.tokens_per_second for seed in arm.done) / len(arm.done)
    return [short(arm.n_parameters), short(rate), size(max(seed.peak_memory_bytes for seed in arm.done))]


def _score(arm: ArmResult, width: int) -> str:
    if arm.mean is None:
        return "none"
    return f"{arm.mean:.3f}" if arm.spread is None or width < NARROW else f"{arm.mean:.3f} ± {arm.spread:.3f}"


def _difference(label: str, group: Group) -> str:
    if label == group.baseline:
        return "baseline"
    difference = next((difference for difference in group.differences if difference.arm == label), None)
    if difference is None or difference.mean is None:
        return ""
    if difference.low is None or difference.high is None:
        return f"{difference.mean:+.3f}"
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def samplers(comparison: Comparison, width: int) -> Table:
    """Return the figures of the written texts, and of the held-out texts after the same prompts."""
    rows = table(*_fitting(_TEXTS, _TEXTS, width))
    if comparison.human is not None:
        rows.add_row(*_fitting(_TEXTS, ["held-out text", *_figures(comparison.human)], width))
    for arm in comparison.arms:
        for sampler in arm.samplers:
            words = [arm.label] * (len(comparison.arms) > 1) + [sampler.sampler] * (len(arm.samplers) > 1)
            label = ", ".join(words) or arm.label
            rows.add_row(*_fitting(_TEXTS, [name(label), *_figures(sampler.figures)], width))
    return rows


def _figures(figures: TextFigures) -> list[str]:
    return [
        f"{figures.repetition:.1%}",
        f"{figures.distinct_2:.1%}",
        "" if figures.bits_per_byte is None else f"{figures.bits_per_byte:.3f}",
        "" if figures.verbatim is None else f"{figures.verbatim:.1%}",
        "" if figures.longest_verbatim is None else f"{figures.longest_verbatim} B",
    ]


def tokenizers(results: Sequence[TokenizerFigures], width: int) -> Table:
    """Return tokenizers side by side."""
    rows = table(*_fitting(_TOKENIZERS, _TOKENIZERS, width))
    for result in results:
        if result.failure:
            rows.add_row(name(result.label), "failed")
            continue
        cells = [
            name(result.label),
            count(result.vocab_size),
            f"{result.bytes_per_token:.3f}",
            f"{result.tokens_per_word:.2f}",
            f"{result.used:.0%}",
            f"{result.renyi_efficiency:.3f}",
            f"{size(result.encode_bytes_per_second)}/s",
            str(result.round_trip_failures),
        ]
        rows.add_row(*_fitting(_TOKENIZERS, cells, width))
    return rows

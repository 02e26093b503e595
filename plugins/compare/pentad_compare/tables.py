"""The tables of the terminal: the plan, the ranking, the samplers, the tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from pentad_cli.tools import count, duration, short, size, visible
from pentad_compare.records import ArmResult, Comparison, Difference, Group, SeedResult, TextFigures, TokenizerFigures


def table(first: str, *headings: str) -> Table:
    """Return an empty table: a column of names, columns of figures."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    made.add_column(first, overflow="fold")
    for heading in headings:
        made.add_column(heading, justify="right", no_wrap=True)
    return made


def name(label: str) -> Text:
    """Return a label as it may be shown: names come from files and from the command line."""
    return Text(visible(label))


def plan_row(label: str, facts: dict[str, Any], seconds: float) -> Sequence[Text | str]:
    """Return a row of the plan."""
    return [
        name(label),
        short(sum(facts["parameters"].values())),
        count(facts["vocab_size"]),
        f"{facts['train_bytes'] / max(1, facts['train_tokens']):.2f}",
        count(facts["steps"]),
        duration(seconds),
        size(facts["memory_bytes"]),
    ]


WIDE = 100
"""Columns from which the ranking has room for costs."""

COSTS = ("parameters", "tokens/s", "memory")

PLAN = ("arm", "parameters", "vocabulary", "bytes/token", "steps", "a run", "memory")


def ranking(comparison: Comparison, group: Group, width: int) -> Table:
    """Return a group's arms, best first; costs stand beside the scores where there are columns for them."""
    costs = COSTS if width >= WIDE else ()
    made = table("arm", "bits/byte ± sd", f"difference [{100 * comparison.confidence:.4g}%]", "seeds", *costs)
    for label in group.arms:
        arm = comparison.arm(label)
        done = [each for each in arm.seeds if not each.failure]
        if not done:
            made.add_row(name(label), "failed")
            continue
        seeds = str(len(done)) if len(done) == len(arm.seeds) else f"{len(done)} of {len(arm.seeds)}"
        row: list[Text | str] = [name(label), _score(arm), _difference(arm.label, group), seeds]
        made.add_row(*row, *(_costs(arm, done) if costs else ()))
    return made


def _costs(arm: ArmResult, done: Sequence[SeedResult]) -> list[str]:
    rate = sum(each.tokens_per_second for each in done) / len(done)
    return [short(arm.n_parameters), short(rate), size(max(each.peak_memory_bytes for each in done))]


def _score(arm: ArmResult) -> str:
    if arm.mean is None:
        return "none"
    return f"{arm.mean:.3f}" if arm.spread is None else f"{arm.mean:.3f} ± {arm.spread:.3f}"


def _difference(label: str, group: Group) -> str:
    if label == group.baseline:
        return "baseline"
    found: Difference | None = next((each for each in group.differences if each.arm == label), None)
    if found is None or found.mean is None:
        return ""
    if found.low is None or found.high is None:
        return f"{found.mean:+.3f}"
    return f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def samplers(comparison: Comparison) -> Table:
    """Return the figures of the written texts, and of the held-out text in their place."""
    made = table("texts of", "repetition", "distinct-2", "bits/byte", "verbatim", "longest")
    if comparison.human is not None:
        made.add_row("held-out text", *_figures(comparison.human))
    for arm in comparison.arms:
        for sampler in arm.samplers:
            words = [arm.label] * (len(comparison.arms) > 1) + [sampler.sampler] * (len(arm.samplers) > 1)
            label = ", ".join(words) or arm.label
            made.add_row(name(label), *_figures(sampler.figures))
    return made


def _figures(figures: TextFigures) -> list[str]:
    return [
        f"{figures.repetition:.1%}",
        f"{figures.distinct_2:.1%}",
        "" if figures.bits_per_byte is None else f"{figures.bits_per_byte:.3f}",
        "" if figures.verbatim is None else f"{figures.verbatim:.1%}",
        "" if figures.longest_verbatim is None else f"{figures.longest_verbatim} B",
    ]


def tokenizers(found: Sequence[TokenizerFigures]) -> Table:
    """Return tokenizers side by side."""
    made = table("tokenizer", "vocabulary", "bytes/token", "tokens/word", "used", "efficiency", "speed", "not lossless")
    for each in found:
        if each.failure:
            made.add_row(name(each.label), "failed")
            continue
        made.add_row(
            name(each.label),
            count(each.vocab_size),
            f"{each.bytes_per_token:.3f}",
            f"{each.tokens_per_word:.2f}",
            f"{each.used:.0%}",
            f"{each.renyi_efficiency:.3f}",
            f"{size(each.encode_bytes_per_second)}/s",
            str(each.round_trip_failures),
        )
    return made

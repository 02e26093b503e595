"""The results of benchmarks/tricks.py as a person reads them: each variant against the baseline, in pairs of one text and seed.

The intervals are the paired t intervals of `engine compare`, each at 95% by itself: with twenty variants, one that changes
nothing is expected to show a difference. What looks good here deserves a run of its own, with other seeds.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.variants import BASELINE

Line = Mapping[str, Any]

ALL_TEXTS = "all texts"


def tables(lines: Sequence[Line]) -> str:
    """Return a table for each text and budget, and one over the texts of a budget where there are several."""
    groups: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        if line["kind"] == "result":
            budget = f"{line['seconds']:g} CPU s, {_sizes(line['sizes'])}"
            groups.setdefault((line["text"], budget), []).append(line)
    shown = [_table(f"{text}: {budget}", group) for (text, budget), group in groups.items()]
    seconds = dict.fromkeys(line["seconds"] for group in groups.values() for line in group)
    for each in seconds:
        group = [line for lines in groups.values() for line in lines if line["seconds"] == each]
        if len({line["text"] for line in group}) > 1:
            shown.append(_table(f"{ALL_TEXTS}: {each:g} CPU s", group))
    failures = [f"failed: {line['text']} {line['variant']}: {line['message']}" for line in lines if line["kind"] == "failure"]
    return "\n\n".join([*shown, *failures]) or "No results yet."


def compared(group: Sequence[Line]) -> list[tuple[str, dict[int, float], Any]]:
    """Return each variant with its scores by pair and its difference from the baseline (None for itself), best first."""
    from pentad_compare.verdicts.statistics import differences  # scipy is not needed where the trainings run

    pairs = {pair: number for number, pair in enumerate(sorted({_pair(line) for line in group}))}
    scores: dict[str, dict[int, float]] = {}
    for line in group:
        scores.setdefault(line["variant"], {})[pairs[_pair(line)]] = line["bits_per_byte"]
    base = scores.get(BASELINE, {})
    found: list[tuple[str, dict[int, float], Any]] = []
    for name, own in scores.items():
        difference = None if name == BASELINE else differences({BASELINE: base, name: own}, BASELINE)[0]
        found.append((name, own, difference))
    return sorted(found, key=lambda each: 0.0 if each[2] is None or each[2].mean is None else each[2].mean)


def _pair(line: Line) -> str:
    return json.dumps([line["text"], line["seed"], line["sizes"], line["validation"]], sort_keys=True)


def _table(title: str, group: Sequence[Line]) -> str:
    rows = [("", "bits/byte", "steps", "to the baseline", "95% interval", "pairs", "")]
    for name, scores, difference in compared(group):
        steps = statistics.mean(line["steps"] for line in group if line["variant"] == name)
        row = (name, f"{statistics.mean(scores.values()):.4f}", f"{steps:,.0f}")
        rows.append((*row, *_difference(difference)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    aligned = [
        "  ".join(
            cell.ljust(width) if column in (0, 6) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([title, *aligned])


def _difference(found: Any) -> tuple[str, str, str, str]:
    if found is None:
        return "", "", "", ""
    mean = "" if found.mean is None else f"{found.mean:+.4f}"
    ends = "" if found.low is None else f"[{found.low:+.4f}, {found.high:+.4f}]"
    return mean, ends, str(found.n_seeds), found.verdict if found.verdict in ("better", "worse") else ""


def _sizes(sizes: Mapping[str, Any]) -> str:
    shape = f"{sizes.get('model.n_layer')}x{sizes.get('model.n_embd')}"
    rest = {name.rpartition(".")[2]: value for name, value in sizes.items() if name not in ("model.n_layer", "model.n_embd")}
    return ", ".join([shape, *(f"{name} {value}" for name, value in rest.items())])

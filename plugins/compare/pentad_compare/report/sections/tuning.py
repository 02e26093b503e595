"""What was tried while tuning."""

from __future__ import annotations

from pentad_compare.records import ArmResult, Candidate, Comparison
from pentad_compare.report.numbers import bits, digits, mean
from pentad_compare.report.sections.parts import Block, Cell, Section, Table, all_looks


def tuning(comparison: Comparison) -> Section | None:
    """Return the section, or None where nothing was tuned."""
    known, decimals = all_looks(comparison), digits(comparison)
    rows = [
        [Cell(arm.label, look=known[arm.label]), *_cells(arm, candidate, decimals)]
        for arm in comparison.arms
        for candidate in arm.candidates
    ]
    if not rows:
        return None
    words = "Every arm tried the same settings, with seeds and on a part of the text that no score above uses."
    table = Table("Settings tried", ["Arm", "Setting", "Score", "Each seed", "Chosen"], rows)
    return Section("tuning", "Tuning", words, [Block(tables=[table])])


def _cells(arm: ArmResult, candidate: Candidate, decimals: int) -> list[Cell]:
    setting = ", ".join(f"{key} = {value}" for key, value in candidate.options.items())
    done = [score for score in candidate.scores if score is not None]
    seeds = "  ".join("failed" if score is None else bits(score, decimals) for score in candidate.scores)
    css = "good" if candidate.chosen else ""
    score = Cell(bits(mean(done), decimals), css=css) if done else Cell("failed", css="bad")
    return [
        Cell(setting, css=f"long {css}".strip()),
        score,
        Cell(seeds, css="figures"),
        Cell("chosen" if candidate.chosen else "–", css=css),
    ]

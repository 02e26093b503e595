"""What was tried while tuning."""

from __future__ import annotations

from pentad_compare.records import ArmResult, Candidate, Comparison
from pentad_compare.report.numbers import bits, digits, mean
from pentad_compare.report.sections.parts import Block, Cell, Section, Table, all_looks


def tuning(comparison: Comparison) -> Section | None:
    """Return the section, or None where nothing was tuned."""
    known, decimals = all_looks(comparison), digits(comparison)
    rows = [
        [Cell(arm.label, look=known[arm.label]), *_cells(arm, each, decimals)]
        for arm in comparison.arms
        for each in arm.candidates
    ]
    if not rows:
        return None
    words = "Every arm had the same settings to try, on seeds and on a part of the text of which no score above is made."
    table = Table("Settings tried", ["Arm", "Setting", "Bits per byte", "Each seed", "Chosen"], rows)
    return Section("tuning", "Tuning", words, [Block(tables=[table])])


def _cells(arm: ArmResult, candidate: Candidate, decimals: int) -> list[Cell]:
    setting = ", ".join(f"{key} = {value}" for key, value in candidate.options.items())
    done = [score for score in candidate.bits_per_byte if score is not None]
    each = "  ".join("failed" if score is None else bits(score, decimals) for score in candidate.bits_per_byte)
    css = "good" if candidate.chosen else ""
    score = Cell(bits(mean(done), decimals), css=css) if done else Cell("failed", css="bad")
    return [
        Cell(setting, css=f"long {css}".strip()),
        score,
        Cell(each, css="figures"),
        Cell("chosen" if candidate.chosen else "–", css=css),
    ]

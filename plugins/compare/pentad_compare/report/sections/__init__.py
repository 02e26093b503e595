"""What the page says, section by section; a section without data is left out."""

from __future__ import annotations

from pentad_compare.records import Comparison
from pentad_compare.report.sections.cost import cost
from pentad_compare.report.sections.curves import curves
from pentad_compare.report.sections.head import head
from pentad_compare.report.sections.parts import Section
from pentad_compare.report.sections.ranking import ranking
from pentad_compare.report.sections.recipes import reading, recipes
from pentad_compare.report.sections.texts import figures, texts
from pentad_compare.report.sections.tokenizers import tokenizers
from pentad_compare.report.sections.tuning import tuning

__all__ = ["all_of", "head"]


def all_of(comparison: Comparison) -> list[Section]:
    """Return the sections that have something to say, in their order on the page."""
    makers = (ranking, curves, cost, figures, texts, tuning, tokenizers, recipes, reading)
    return [section for make in makers if (section := make(comparison)) is not None]

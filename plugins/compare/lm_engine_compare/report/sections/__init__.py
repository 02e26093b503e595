"""What the page says, section by section; a section without data is left out."""

from __future__ import annotations

from lm_engine_compare.records import Comparison
from lm_engine_compare.report.sections.cost import cost
from lm_engine_compare.report.sections.curves import curves
from lm_engine_compare.report.sections.head import head
from lm_engine_compare.report.sections.parts import Section
from lm_engine_compare.report.sections.ranking import ranking
from lm_engine_compare.report.sections.recipes import reading, recipes
from lm_engine_compare.report.sections.texts import figures, texts
from lm_engine_compare.report.sections.tokenizers import tokenizers
from lm_engine_compare.report.sections.tuning import tuning

__all__ = ["all_of", "head"]


def all_of(comparison: Comparison) -> list[Section]:
    """Return the sections that have something to say, in their order on the page."""
    makers = (ranking, curves, cost, figures, texts, tuning, tokenizers, recipes, reading)
    return [section for make in makers if (section := make(comparison)) is not None]

from __future__ import annotations

import pytest

from pentad_compare.records import ArmResult, Candidate
from pentad_compare.verdicts.edges import at_the_edge


def arm(*tried, best):
    candidates = [Candidate(options={"optimizer.lr": each}, scores=[2.0], chosen=each == best) for each in tried]
    return ArmResult(label="gpt", settings={}, recipe={}, reproduce="", candidates=candidates)


@pytest.mark.parametrize(("best", "said"), [("1e-3", "lowest"), ("0.01", "highest")])
def test_the_best_at_an_end_of_the_range_is_said(best, said):
    (note,) = at_the_edge(arm("0.003", "1e-3", "0.01", best=best))
    assert note == f"The best optimizer.lr of gpt, {best}, is the {said} that was tried; beyond it may be a better one."


def test_nothing_is_said_where_the_range_was_wide_enough_or_is_none():
    assert list(at_the_edge(arm("0.001", "0.003", "0.01", best="0.003"))) == []
    assert list(at_the_edge(arm("0.001", best="0.001"))) == []
    assert list(at_the_edge(arm("cosine", "linear", best="linear"))) == []
    assert list(at_the_edge(arm(best=""))) == []

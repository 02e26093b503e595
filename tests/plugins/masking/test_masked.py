"""What is hidden: by hand where it can be worked out, else at the asked rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pentad import IGNORED, Tokens
from pentad.testing import ExampleBuilderConformance
from pentad_masking.masked import Masked, mean_length, span_lengths, start_probability
from pentad_masking.options import MaskedOptions

from .conftest import END as E
from .conftest import text

MASK = 10


def builder(context_length: int, **options: float) -> Masked:
    return Masked(MaskedOptions(**options), context_length=context_length, vocab_size=10, end_of_text=E)


class TestTokens(ExampleBuilderConformance):
    name = "masked"


class TestSpans(ExampleBuilderConformance):
    name = "masked"
    options = {"span_length": 3, "rate": 0.4}


def test_everything_hidden_in_a_row_of_two_documents() -> None:
    batch = builder(6, rate=1 - 1e-9, mask_share=1, random_share=0).build(text(E, 1, 2, E, 3, 4, E), np.array([0]), None)
    assert batch.inputs.tolist()[0] == [E, MASK, MASK, E, MASK, MASK]  # the end of text never is
    assert batch.targets.tolist() == [[IGNORED, 1, 2, IGNORED, 3, 4]]  # in place, not shifted
    assert batch.segments is not None and batch.segments.tolist() == [[0, 0, 0, 1, 1, 1]]


def test_what_is_not_hidden_is_shown_and_ignored() -> None:
    tokens = text(E, 1, 2, 3, 4, 5, 6, 7, 8, E)
    batch = builder(9, rate=0.5).build(tokens, np.arange(50), 3)
    shown = batch.targets == IGNORED
    whole = np.where(shown, batch.inputs, batch.targets)
    assert 100 < shown.sum() < 350
    ring = [E, 1, 2, 3, 4, 5, 6, 7, 8]
    assert all(row == ring[row[0] % 9 :] + ring[: row[0] % 9] for row in whole.tolist())


def test_a_row_without_a_hidden_token_hides_one() -> None:
    batch = builder(4, rate=1e-6).build(text(E, 1, 2, 3, E), np.arange(40), 5)
    assert ((batch.targets != IGNORED).sum(axis=1) == 1).all()
    nothing = Tokens(ids=text(E, 1, 2, 3, E).ids, starts=text(E, 1, 2, 3, E).starts, learn=np.zeros(5, dtype=bool))
    assert (builder(4).build(nothing, np.arange(8), 5).targets == IGNORED).all()


def test_lengths_of_spans_are_those_of_spanbert() -> None:
    lengths = span_lengths(5)  # geometric with p = 0.2, none above 10: the paper says a mean of 3.8
    assert len(lengths) == 10 and lengths[1] / lengths[0] == pytest.approx(0.8)
    assert mean_length(lengths) == pytest.approx(3.8, abs=0.005)
    assert start_probability(0.15, span_lengths(1)) == pytest.approx(0.15)
    two = np.array([0.0, 1.0])  # each span of two tokens: uncovered means that neither this place nor the one before begins one
    assert start_probability(0.75, two) == pytest.approx(0.5)


def within(found: np.ndarray, share: float, n: int) -> bool:
    """Whether counts are within five standard deviations of a binomial's mean."""
    return bool((np.abs(found - n * share) < 5 * math.sqrt(n * share * (1 - share)) + 1).all())


@settings(max_examples=15, deadline=None)
@given(rate=st.floats(0.15, 0.6), span_length=st.sampled_from([1, 2, 5]), seed=st.integers(0, 2**40))
def test_each_position_is_hidden_at_the_rate(rate: float, span_length: int, seed: int) -> None:
    tokens = Tokens.of(np.array([E, *([1, 2, 3, 4, 5, 6, 7] * 60), E], dtype=np.uint16), E)
    rows = 1500
    batch = builder(64, rate=rate, span_length=span_length).build(tokens, np.arange(rows), seed)
    may = (batch.targets != IGNORED) | (batch.inputs != E)
    hidden = (batch.targets != IGNORED).sum(axis=0)
    # A handful of rows holds the end of text, which is never hidden, at any one column.
    assert within(hidden + (~may).sum(axis=0) * rate, rate, rows)


@settings(max_examples=10, deadline=None)
@given(span_length=st.sampled_from([1, 4]), seed=st.integers(0, 2**40))
def test_eighty_ten_ten(span_length: int, seed: int) -> None:
    tokens = Tokens.of(np.array([E, *([1, 2, 3, 4, 5, 6, 7] * 60), E], dtype=np.uint16), E)
    batch = builder(64, rate=0.3, span_length=span_length).build(tokens, np.arange(1000), seed)
    learned = batch.targets != IGNORED
    read, real = batch.inputs[learned], batch.targets[learned]
    n = len(read) / span_length  # what becomes of a span is drawn once
    assert not (read == E).any()
    shares = {0.8: read == MASK, 0.1 * 8 / 9: (read != MASK) & (read != real), 0.1 + 0.1 / 9: read == real}
    for share, found in shares.items():  # one in nine of the other tokens is the token itself
        assert within(np.array([found.sum() / span_length]), share, n), share


def test_a_span_is_hidden_in_one_way_and_ends_with_its_document() -> None:
    tokens = Tokens.of(np.array([E, *([1, 2, 3, 4, 5, E] * 80)], dtype=np.uint16), E)
    batch = builder(60, rate=0.2, span_length=4, mask_share=0.5, random_share=0.0).build(tokens, np.arange(400), 2)
    hidden, masked = batch.targets != IGNORED, batch.inputs == MASK
    assert not (hidden & (batch.targets == E)).any()
    together = hidden[:, 1:] & hidden[:, :-1]
    alike = (masked[:, 1:] == masked[:, :-1])[together].mean()
    assert alike > 0.9  # by tokens it would be a half; spans that meet may differ
    assert together.sum() > 0.5 * hidden.sum()


def test_shares_must_fit_together() -> None:
    with pytest.raises(ValueError, match="found 1.2"):
        MaskedOptions(mask_share=0.9, random_share=0.3)


def test_the_plan_says_what_is_hidden() -> None:
    assert builder(8).describe(text(E, E)) == "15% of them hidden"
    assert builder(8, span_length=5).describe(text(E, E)) == "15% of them hidden in spans of 3.8"

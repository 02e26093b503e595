"""Documents with a gap: every way to cut two tokens by hand, then what can be said of any text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import IGNORED, NoOptions, Tokens
from pentad.testing import ExampleBuilderConformance
from pentad_gpt2.tokenizer import GPT2 as GPT2Tokenizer
from pentad_masking.gaps import FillInMiddle
from pentad_masking.options import GapOptions

from .conftest import END as E
from .conftest import text

PRE, SUF, MID = 10, 11, 12
_ = IGNORED


def builder(context_length: int, **options: float) -> FillInMiddle:
    return FillInMiddle(GapOptions(**options), context_length=context_length, vocab_size=10, end_of_text=E)


class TestConformance(ExampleBuilderConformance):
    name = "fill-in-middle"


def outcomes(made: FillInMiddle, tokens: Tokens, n: int = 300) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
    batch = made.build(tokens, np.arange(n), 1)
    return {(tuple(row), tuple(said)) for row, said in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True)}


def test_every_gap_in_two_tokens_prefix_first() -> None:
    assert outcomes(builder(8, rate=1, suffix_first=0), text(E, 1, 2, E)) == {
        ((E, PRE, SUF, 1, 2, MID, E, E), (_, _, 1, 2, _, E, _, _)),  # nothing before the gap, nothing in it
        ((E, PRE, SUF, 2, MID, 1, E, E), (_, _, 2, _, 1, E, _, _)),
        ((E, PRE, SUF, MID, 1, 2, E, E), (_, _, _, 1, 2, E, _, _)),
        ((E, PRE, 1, SUF, 2, MID, E, E), (_, 1, _, 2, _, E, _, _)),
        ((E, PRE, 1, SUF, MID, 2, E, E), (_, 1, _, _, 2, E, _, _)),
        ((E, PRE, 1, 2, SUF, MID, E, E), (_, 1, 2, _, _, E, _, _)),
    }


def test_every_gap_in_two_tokens_suffix_first() -> None:
    assert outcomes(builder(8, rate=1, suffix_first=1), text(E, 1, 2, E)) == {
        ((E, PRE, SUF, 1, 2, MID, E, E), (_, _, 1, 2, _, E, _, _)),
        ((E, PRE, SUF, 2, MID, 1, E, E), (_, _, 2, _, 1, E, _, _)),
        ((E, PRE, SUF, MID, 1, 2, E, E), (_, _, _, 1, 2, E, _, _)),  # what stands before the gap, and what stands in it
    }


def test_other_documents_are_plain() -> None:
    one = builder(16, rate=1e-9).build(text(E, 1, 2, 3, E, 4, 5, E), np.array([0]), None)
    assert one.inputs.tolist() == [[E, 1, 2, 3, E, 4, 5, *[E] * 9]]
    assert one.targets.tolist() == [[1, 2, 3, E, 4, 5, E, *[_] * 9]]
    assert one.segments is not None and one.segments.tolist() == [[0] * 4 + [1] * 3 + [2] * 9]


def test_a_piece_of_a_long_document_ends_where_its_gap_is_filled() -> None:
    made = builder(8, rate=1, suffix_first=0)  # pieces of four ids
    batch = made.build(text(E, 1, 2, 3, 4, 5, E), np.arange(200), 3)
    gaps = batch.inputs[:, 1] == PRE
    assert ((batch.targets == E).sum(axis=1) == 1).all()
    assert (batch.inputs[gaps, 0] == E).all() and (batch.inputs[~gaps, :2] == [4, 5]).all()  # one token is too few for a gap
    assert {tuple(sorted(set(row) & set(range(9)))) for row in batch.targets.tolist()} == {(1, 2, 3, 4), (5,)}


def restored(read: list[int], said: list[int]) -> list[int]:
    """Put what was rewritten back into the order of the text."""
    whole = [*read, said[-1]]
    if PRE not in whole:
        return whole[1:-1]
    assert whole[1] == PRE and whole[-1] == E
    suf, mid = whole.index(SUF), whole.index(MID)
    if suf == 2 and mid < len(whole):  # suffix first, or nothing before the gap: both read the same way
        return whole[mid + 1 : -1] + whole[3:mid]
    return whole[2:suf] + whole[mid + 1 : -1] + whole[suf + 1 : mid]


@given(
    documents=st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=9), min_size=1, max_size=6),
    seed=st.integers(0, 2**40),
    suffix_first=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_nothing_is_lost_and_nothing_crosses_documents(documents: list[list[int]], seed: int, suffix_first: float) -> None:
    tokens = text(E, *[token for document in documents for token in (*document, E)])
    made = builder(24, rate=0.7, suffix_first=suffix_first)
    batch = made.build(tokens, np.arange(made.count(tokens)), seed)
    segments = np.zeros_like(batch.inputs) if batch.segments is None else batch.segments
    found = []
    for row in range(len(batch.inputs)):
        for number in range(segments[row].max() + 1):
            part = segments[row] == number
            read, said = batch.inputs[row, part].tolist(), batch.targets[row, part].tolist()
            if set(said) != {IGNORED}:
                assert not set(said) & {PRE, SUF, MID}
                found.append(restored(read, said))
    assert sorted(found) == sorted(documents)


@pytest.mark.parametrize(("rate", "suffix_first"), [(0.5, 0.5), (0.9, 0.2)])
def test_gaps_come_at_their_rate(rate: float, suffix_first: float) -> None:
    n = 1500
    batch = builder(10, rate=rate, suffix_first=suffix_first).build(text(E, 1, 2, 3, 4, E), np.arange(n), 7)
    gaps = (batch.inputs == PRE).any(axis=1)
    assert abs(gaps.sum() - rate * n) < 5 * math.sqrt(n * rate * (1 - rate))
    # Of 15 ways to cut four tokens, five have nothing before the gap: there the two orders look alike.
    first = (batch.inputs[gaps, 2] == SUF).mean()
    cuts = 1 - (4 / 5) ** 2  # either of two cuts at the front
    assert abs(first - (suffix_first + (1 - suffix_first) * cuts)) < 5 * 0.5 / math.sqrt(gaps.sum())


def test_a_prompt_with_a_gap_is_what_was_learned() -> None:
    before, after = np.array([1, 2]), np.array([3])
    assert builder(40, suffix_first=0.5).gap_prompt(before, after).tolist() == [E, PRE, 1, 2, SUF, 3, MID]
    assert builder(40, suffix_first=1).gap_prompt(before, after).tolist() == [E, PRE, SUF, 3, MID, 1, 2]
    long = builder(20).gap_prompt(np.arange(100), np.arange(200, 300)).tolist()
    assert long == [E, PRE, *range(94, 100), SUF, *range(200, 206), MID]  # what stands nearest to the gap


def test_what_is_not_learned_stays_so() -> None:
    plain = text(E, 1, 2, 3, 4, E)
    tokens = Tokens(ids=plain.ids, starts=plain.starts, learn=np.array([True, False, True, False, True, False]))
    targets = builder(10, rate=1).build(tokens, np.arange(100), 5).targets
    assert set(np.unique(targets).tolist()) == {IGNORED, 2, 4}


def test_a_context_too_short_for_a_gap_has_no_examples() -> None:
    assert builder(4).count(text(E, 1, 2, E)) == 0
    assert builder(12).describe(text(E, 1, 2, 3, E)) == "50% of the documents with a gap, about 50.0% padding"


@pytest.mark.parametrize("suffix_first", [0.0, 1.0])
def test_gaps_within_words_give_the_text_and_leave_room(suffix_first: float) -> None:
    tokenizer = GPT2Tokenizer(NoOptions())
    written = "Whether 'tis nobler in the mind to suffer déjà vu 🙂 outrageously"
    end = tokenizer.end_of_text
    ids = tokenizer.encode(written)
    tokens = Tokens.of(np.array([end, *ids, end], dtype=np.uint32), end)
    options = GapOptions(rate=1, suffix_first=suffix_first, cut="character")
    made = FillInMiddle(
        options, context_length=len(ids) + 20, vocab_size=tokenizer.vocab_size, end_of_text=end, tokenizer=tokenizer
    )
    batch = made.build(tokens, np.arange(120), 3)
    within = 0
    for row in batch.inputs.tolist():
        whole = row[: row.index(end, 1)]
        assert whole[:2] == [end, made.prefix]
        suf, mid = whole.index(made.suffix), whole.index(made.middle)
        before, after, behind = whole[2:suf], whole[suf + 1 : mid], whole[mid + 1 :]
        parts = [behind, after] if suffix_first else [before, behind, after]
        assert b"".join(map(tokenizer.decode_bytes, parts)).decode() == written
        within += sum(map(len, parts)) > len(ids) or [token for part in parts for token in part] != ids.tolist()
    assert within > 60  # most places of a text lie within a token

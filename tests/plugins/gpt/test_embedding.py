"""The tables of n-grams and the tokens before, against formulas in Python's numbers."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pentad_gpt.embedding import FACTORS, NgramHash, PreviousTokens, positions_of


def table(order: int, rows: int) -> NgramHash:
    torch.manual_seed(0)
    return NgramHash(order, rows, 4)


def by_hand(made: NgramHash, row: list[int], documents: list[int], before: list[int]) -> Tensor:
    """Return what each token of a row has; those before it are of the first document."""
    found, whole = [], [*before, *row]
    for place, document in enumerate(documents, len(before)):
        ngram = whole[max(0, place - made.order + 1) : place + 1][::-1]
        same = all(documents[max(0, place - len(before) - lag)] == document for lag in range(len(ngram)))
        index = 0
        for token, factor in zip(ngram, FACTORS, strict=False):
            index ^= token * factor
        index %= made.table.num_embeddings
        found.append(made.table.weight[index] if same and len(ngram) == made.order else torch.zeros(4))
    return torch.stack(found)


@settings(max_examples=40, deadline=None)
@given(
    tokens=st.lists(st.tuples(st.integers(0, 2**31 - 1), st.booleans()), min_size=1, max_size=8),
    before=st.lists(st.integers(0, 2**31 - 1), max_size=2),
    order=st.sampled_from([2, 3]),
    rows=st.integers(1, 50),
    separated=st.booleans(),
)
def test_each_ngram_has_the_row_of_its_hash(
    tokens: list[tuple[int, bool]], before: list[int], order: int, rows: int, separated: bool
) -> None:
    made, ids = table(order, rows), [token for token, _ in tokens]
    documents = [sum(opens for _, opens in tokens[1 : place + 1]) if separated else 0 for place in range(len(ids))]
    before = [] if separated else before[: order - 1]  # segments are never given with a state
    segments = torch.tensor([documents]) if separated else None
    known = torch.tensor([before], dtype=torch.int64) if before else None
    found = made(torch.tensor([ids]), known, segments)
    assert torch.equal(found[0], by_hand(made, ids, documents, before))


def test_the_hash_of_a_pair_is_modded_nanogpts() -> None:
    made = table(2, 1000)
    assert torch.equal(made(torch.tensor([[5, 6]]), None, None)[0, 1], made.table.weight[((36313 * 6) ^ (27191 * 5)) % 1000])


def test_nothing_of_another_document_or_row_is_learned() -> None:
    made = table(2, 1000)
    made(torch.tensor([[5, 6, 5], [7, 8, 9]]), None, torch.tensor([[0, 0, 1], [0, 0, 0]])).sum().backward()
    used = [((36313 * token) ^ (27191 * previous)) % 1000 for previous, token in ((5, 6), (7, 8), (8, 9))]
    assert set(made.table.weight.grad.any(-1).nonzero().flatten().tolist()) == set(used)


@settings(max_examples=40, deadline=None)
@given(
    opens=st.lists(st.booleans(), min_size=1, max_size=8),
    before=st.integers(0, 3),
    reach=st.integers(1, 3),
    separated=st.booleans(),
)
def test_each_token_has_a_share_of_those_before_it(opens: list[bool], before: int, reach: int, separated: bool) -> None:
    made, before = PreviousTokens(reach, 2), 0 if separated else min(before, reach)
    factors, row = torch.randn(reach, 2), torch.randn(before + len(opens), 2)
    made.factors.data.copy_(factors)
    documents = [sum(opens[1 : place + 1]) if separated else 0 for place in range(len(opens))]
    expected = []
    for place in range(len(opens)):
        earlier = [lag for lag in range(1, reach + 1) if place + before >= lag]
        same = [lag for lag in earlier if not separated or documents[place - lag] == documents[place]]
        expected.append(row[before + place] + sum(factors[lag - 1] * row[before + place - lag] for lag in same))
    known = row[None, :before] if before else None
    segments = torch.tensor([documents]) if separated else None
    torch.testing.assert_close(made(row[None, before:], known, segments)[0], torch.stack(expected))


def test_positions_begin_anew_in_each_document() -> None:
    segments = torch.tensor([[0, 0, 1, 1, 1, 2]])
    assert positions_of(6, 0, segments, segments.device).tolist() == [[0, 1, 0, 1, 2, 0]]
    assert positions_of(3, 4, None, segments.device).tolist() == [4, 5, 6]

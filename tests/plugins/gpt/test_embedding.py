"""The table of pairs, against the formula in Python's integers."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pentad_gpt.embedding import BigramHash, positions_of


def bigrams(rows: int) -> BigramHash:
    torch.manual_seed(0)
    return BigramHash(rows, 4)


def by_hand(made: BigramHash, row: list[int], documents: list[int], before: int | None) -> Tensor:
    found = []
    for place, token in enumerate(row):
        previous = row[place - 1] if place else before
        if previous is None or (place and documents[place] != documents[place - 1]):
            found.append(torch.zeros(4))
        else:
            found.append(made.table.weight[((36313 * token) ^ (27191 * previous)) % made.table.num_embeddings])
    return torch.stack(found)


@settings(max_examples=40, deadline=None)
@given(
    tokens=st.lists(st.tuples(st.integers(0, 2**31 - 1), st.booleans()), min_size=1, max_size=8),
    before=st.none() | st.integers(0, 2**31 - 1),
    rows=st.integers(1, 50),
    separated=st.booleans(),
)
def test_each_pair_has_the_row_of_its_hash(
    tokens: list[tuple[int, bool]], before: int | None, rows: int, separated: bool
) -> None:
    made, ids = bigrams(rows), [token for token, _ in tokens]
    documents = [sum(opens for _, opens in tokens[1 : place + 1]) if separated else 0 for place in range(len(ids))]
    segments = torch.tensor([documents]) if separated else None
    known = None if before is None else torch.tensor([[before]])
    found = made(torch.tensor([ids]), known, segments)
    assert torch.equal(found[0], by_hand(made, ids, documents, before))


def test_nothing_of_another_document_or_row_is_learned() -> None:
    made = bigrams(1000)
    made(torch.tensor([[5, 6, 5], [7, 8, 9]]), None, torch.tensor([[0, 0, 1], [0, 0, 0]])).sum().backward()
    used = [((36313 * token) ^ (27191 * previous)) % 1000 for previous, token in ((5, 6), (7, 8), (8, 9))]
    assert set(made.table.weight.grad.any(-1).nonzero().flatten().tolist()) == set(used)


def test_positions_begin_anew_in_each_document() -> None:
    segments = torch.tensor([[0, 0, 1, 1, 1, 2]])
    assert positions_of(6, 0, segments, segments.device).tolist() == [[0, 1, 0, 1, 2, 0]]
    assert positions_of(3, 4, None, segments.device).tolist() == [4, 5, 6]

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pentad_min_p.options import MinPOptions
from pentad_min_p.sampler import MinP

TOKENS = torch.zeros(1, 0, dtype=torch.int64)


def probabilities(logits, **options):
    return MinP(MinPOptions(**options)).probabilities(logits, TOKENS)


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.0, [0.1, 0.2, 0.3, 0.4]), (0.3, [0, 2 / 9, 3 / 9, 4 / 9]), (0.6, [0, 0, 3 / 7, 4 / 7]), (1.0, [0, 0, 0, 1])],
)
def test_by_hand(p, expected):
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
    assert torch.allclose(probabilities(logits, p=p), torch.tensor([expected], dtype=torch.float32))


def test_a_high_temperature_does_not_let_the_tail_in():
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
    assert torch.allclose(probabilities(logits, p=0.6, temperature=1e6), torch.tensor([[0, 0, 0.5, 0.5]]))


@given(
    arrays("float32", st.tuples(st.integers(1, 3), st.integers(2, 30)), elements=st.floats(-20, 20, width=32)),
    st.floats(0.01, 1),
)
def test_what_stays_is_above_the_share_of_the_likeliest(logits, p):
    logits = torch.from_numpy(logits)
    found, whole = probabilities(logits, p=p), logits.double().softmax(dim=-1)
    assert torch.allclose(found.sum(dim=-1), torch.ones(len(logits)), atol=1e-5)
    for row, keep in zip(whole, found > 0, strict=True):
        assert row[keep].min() >= p * row.max() * (1 - 1e-4)
        assert keep.all() or row[~keep].max() <= p * row.max() * (1 + 1e-4)

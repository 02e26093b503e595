from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pentad_top_p.options import TopPOptions
from pentad_top_p.sampler import TopP

TOKENS = torch.zeros(1, 0, dtype=torch.int64)


def probabilities(logits, **options):
    return TopP(TopPOptions(**options)).probabilities(logits, TOKENS)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.05, [0, 0, 0, 1]),
        (0.39, [0, 0, 0, 1]),
        (0.41, [0, 0, 3 / 7, 4 / 7]),
        (0.71, [0, 2 / 9, 3 / 9, 4 / 9]),
        (1, [0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_by_hand(p, expected):
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
    assert torch.allclose(probabilities(logits, p=p), torch.tensor([expected], dtype=torch.float32))


def test_the_temperature_comes_first():
    logits = torch.tensor([[1.0, 2.0]]).log()
    assert probabilities(logits, p=0.7).tolist()[0][0] > 0
    assert probabilities(logits, p=0.7, temperature=0.5).tolist() == [[0, 1]]  # 1 to 4 after squaring


@given(
    arrays("float32", st.tuples(st.integers(1, 3), st.integers(2, 30)), elements=st.floats(-20, 20, width=32)),
    st.floats(0.01, 1),
)
def test_the_fewest_that_reach_p_stay(logits, p):
    logits = torch.from_numpy(logits)
    found, whole = probabilities(logits, p=p), logits.double().softmax(dim=-1)
    assert torch.allclose(found.sum(dim=-1), torch.ones(len(logits)), atol=1e-5)
    for row, keep in zip(whole, found > 0, strict=True):
        assert row[keep].sum() > p - 1e-5
        assert row[keep].sum() - row[keep].min() < p + 1e-5

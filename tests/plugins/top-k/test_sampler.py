from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pentad.config.options import parse
from pentad.testing import raises_code
from pentad_top_k.options import TopKOptions
from pentad_top_k.sampler import TopK

TOKENS = torch.zeros(1, 0, dtype=torch.int64)


def probabilities(logits, **options):
    return TopK(TopKOptions(**options)).probabilities(logits, TOKENS)


def test_by_hand():
    logits = torch.tensor([[1.0, 2.0, 3.0, 4.0]]).log()
    assert torch.allclose(probabilities(logits, k=2), torch.tensor([[0, 0, 3 / 7, 4 / 7]]))
    assert torch.allclose(probabilities(logits, k=2, temperature=0.5), torch.tensor([[0, 0, 9 / 25, 16 / 25]]))
    assert torch.allclose(probabilities(logits, k=1), torch.tensor([[0.0, 0, 0, 1]]))


def test_more_than_the_vocabulary_keeps_all():
    logits = torch.tensor([[0.3, -1.0, 2.0]])
    assert torch.allclose(probabilities(logits, k=1000), logits.softmax(dim=-1))


logits_of_any_kind = arrays(
    "float32",
    st.tuples(st.integers(1, 3), st.integers(2, 30)),
    elements=st.integers(-5, 5).map(float) | st.floats(-(2.0**99), 2.0**99, width=32),
)


@given(logits_of_any_kind, st.integers(1, 40))
def test_exactly_k_of_the_highest_stay_also_among_equals(logits, k):
    logits = torch.from_numpy(logits)
    # 1e33 keeps every kept probability above zero, so that the support can be counted.
    found = probabilities(logits, k=k, temperature=1e33)
    kept = found > 0
    assert (kept.sum(dim=-1) == min(k, logits.shape[-1])).all()
    assert torch.allclose(found.sum(dim=-1), torch.ones(len(logits)), atol=1e-5)
    for row, keep in zip(logits, kept, strict=True):
        assert keep.all() or row[keep].min() >= row[~keep].max()


@given(logits_of_any_kind, st.integers(1, 40))
def test_impossible_tokens_stay_impossible(logits, k):
    logits = torch.from_numpy(logits)
    logits[:, 1:] = torch.where(logits[:, 1:] > 0, logits[:, 1:], -torch.inf)
    found = probabilities(logits, k=k)
    assert (found[logits == -torch.inf] == 0).all()
    assert torch.allclose(found.sum(dim=-1), torch.ones(len(logits)), atol=1e-5)


def test_options_out_of_range_are_refused():
    with raises_code("option-bounds"):
        parse(TopKOptions, {"k": 0}, "sampler")
    with raises_code("option-bounds") as caught:
        parse(TopKOptions, {"temperature": 0}, "sampler")
    assert "--sampler greedy" in caught.value.hint

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pentad.config.options import parse
from pentad.testing import raises_code
from pentad_temperature.options import TemperatureOptions
from pentad_temperature.sampler import Temperature

TOKENS = torch.zeros(1, 0, dtype=torch.int64)


def probabilities(logits, temperature):
    return Temperature(TemperatureOptions(temperature=temperature)).probabilities(logits, TOKENS)


def test_by_hand():
    logits = torch.tensor([[0.0, 1.0, 2.0]]).log()  # odds 0 to 1 to 2
    assert torch.allclose(probabilities(logits, 1.0), torch.tensor([[0, 1 / 3, 2 / 3]]))
    assert torch.allclose(probabilities(logits, 0.5), torch.tensor([[0, 1 / 5, 4 / 5]]))  # odds squared


@given(
    arrays("float32", st.tuples(st.integers(1, 3), st.integers(2, 30)), elements=st.floats(-(2.0**99), 2.0**99, width=32)),
    st.floats(1e-4, 1e4),
)
def test_sums_and_support(logits, temperature):
    logits = torch.from_numpy(logits)
    logits[:, 1:][logits[:, 1:] > 2.0**90] = -torch.inf
    found = probabilities(logits, temperature)
    assert torch.allclose(found.sum(dim=-1), torch.ones(len(logits)), atol=1e-5)
    assert (found >= 0).all()
    assert (found[logits == -torch.inf] == 0).all()
    assert (found.gather(-1, logits.argmax(dim=-1, keepdim=True)) == found.amax(dim=-1, keepdim=True)).all()


@given(st.floats(0.1, 0.9))
def test_lower_is_safer(temperature):
    logits = torch.tensor([[0.5, 1.0, -0.3, 0.9]])
    assert (
        probabilities(logits, temperature).amax()
        > probabilities(logits, 1.0).amax()
        > probabilities(logits, 1 / temperature).amax()
    )


def test_zero_is_refused_and_points_to_greedy():
    with raises_code("option-bounds") as caught:
        parse(TemperatureOptions, {"temperature": "0"}, "sampler")
    assert "--sampler greedy" in caught.value.hint

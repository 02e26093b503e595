from __future__ import annotations

import pytest
import torch

from pentad import tempered_softmax


@pytest.mark.parametrize("temperature", [1e-30, 1e-3, 0.5, 1.0, 100.0])
def test_no_logit_is_too_large(temperature):
    logits = torch.tensor([[3e38, -3e38, 0.0, -torch.inf]])
    assert tempered_softmax(logits, temperature).tolist() == [[1, 0, 0, 0]]


def test_temperature_divides():
    logits = torch.tensor([[0.3, -1.2, 2.0]])
    assert torch.allclose(tempered_softmax(logits, 0.5), (logits * 2).softmax(dim=-1))

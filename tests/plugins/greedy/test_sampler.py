from __future__ import annotations

import torch

from pentad import NoOptions
from pentad_greedy.sampler import Greedy

TOKENS = torch.zeros(2, 0, dtype=torch.int64)


def test_all_on_the_likeliest():
    found = Greedy(NoOptions()).probabilities(torch.tensor([[0.1, 2.0, -1.0], [-torch.inf, -5.0, -torch.inf]]), TOKENS)
    assert found.tolist() == [[0, 1, 0], [0, 1, 0]]


def test_among_equals_the_lowest_id():
    found = Greedy(NoOptions()).probabilities(torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), TOKENS)
    assert found.tolist() == [[0, 1, 0], [1, 0, 0]]

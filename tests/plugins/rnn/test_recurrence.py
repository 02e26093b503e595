from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pentad_rnn.model import RNN
from pentad_rnn.options import RNNOptions
from pentad_rnn.recurrence import run_with_resets


def model(cell: str, **options: object) -> RNN:
    torch.manual_seed(0)
    return RNN(RNNOptions(cell=cell, n_embd=8, **options), vocab_size=11, context_length=12)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_without_boundaries_it_is_torchs_own_layer(cell: str) -> None:
    rnn, x = model(cell, n_hidden=6), torch.randn(3, 12, 8)
    expected, _ = rnn.cell(x)
    found = run_with_resets(rnn.cell, cell, x, torch.zeros(3, 12, dtype=torch.bool))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_gradients_are_those_of_torchs_own_layer(cell: str) -> None:
    rnn, x, weights = model(cell), torch.randn(3, 12, 8), torch.randn(3, 12, 8)
    expected = gradients(rnn, (rnn.cell(x)[0] * weights).sum())
    found = gradients(rnn, (run_with_resets(rnn.cell, cell, x, torch.zeros(3, 12, dtype=torch.bool)) * weights).sum())
    torch.testing.assert_close(found, expected)


def gradients(rnn: RNN, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(rnn.cell.parameters())))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_packed_documents_have_the_logits_that_they_have_alone(cell: str) -> None:
    rnn, inputs = model(cell).eval(), torch.randint(11, (2, 12))
    segments = torch.tensor([[0] * 5 + [1] * 7, [0] * 3 + [1] * 4 + [2] * 5])
    packed = rnn(inputs, segments=segments).features
    for row, start, end in ((0, 0, 5), (0, 5, 12), (1, 0, 3), (1, 3, 7), (1, 7, 12)):
        alone = rnn(inputs[row : row + 1, start:end]).features
        torch.testing.assert_close(packed[row, start:end], alone[0])


def test_tied_head_needs_equal_widths() -> None:
    with pytest.raises(ValueError, match="n_hidden equal to n_embd"):
        RNNOptions(tie_embeddings=True, n_hidden=7, n_embd=8)
    tied = model("lstm", tie_embeddings=True)
    assert not [name for name in tied.state_dict() if name.startswith("head")]


def test_rows_have_no_bound() -> None:
    rnn = model("gru")
    assert rnn.context_length is None
    assert rnn(torch.zeros(1, 40, dtype=torch.int64)).features.shape == (1, 40, 8)

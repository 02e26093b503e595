from __future__ import annotations

import dataclasses

import pytest

from pentad import Situation
from pentad.config.options import given, parse
from pentad_rnn.model import RNN
from pentad_rnn.options import RNNOptions
from pentad_rnn.sizing import advise, cost

TEXT = {"train_bytes": 10**6, "n_train_tokens": 400_000, "vocab_size": 1024}
OPEN = frozenset(RNNOptions.__dataclass_fields__)


def size_of(flops: float, **values: object) -> RNNOptions:
    options = parse(RNNOptions, values, "model")
    advice = advise(options, Situation(**TEXT, flops=flops, open=OPEN - given(options)))
    return dataclasses.replace(options, **advice.values)


def parameters(size: RNNOptions) -> float:
    return cost(size, Situation(train_bytes=1, vocab_size=1024)).parameters


def test_more_arithmetic_and_more_text_make_a_larger_network() -> None:
    by_flops = [parameters(size_of(flops)) for flops in (1e10, 1e11, 1e12, 1e13, 1e14)]
    by_text = []
    for tokens in (10**4, 10**5, 10**6, 10**8):
        text = Situation(train_bytes=2 * tokens, n_train_tokens=tokens, vocab_size=1024, flops=1e15, open=OPEN)
        advice = advise(RNNOptions(), text)
        assert advice is not None
        by_text.append(parameters(dataclasses.replace(RNNOptions(), **advice.values)))
    assert by_flops == sorted(by_flops) and by_flops[0] < by_flops[2] < by_flops[-1]
    assert by_text == sorted(by_text) and by_text[0] < by_text[2] < by_text[-1]


def test_it_chooses_what_was_best_on_a_megabyte_of_shakespeare() -> None:
    """In 15 and 60 CPU seconds at some 50 GFLOP/s; gpt's rule had 1x96 and 2x128, worse by 0.06 and 0.04 bits per byte."""
    found = [size_of(flops) for flops in (7e11, 3.5e12)]
    assert [(size.n_layer, size.n_embd) for size in found] == [(1, 192), (1, 256)]


def test_what_was_given_is_kept() -> None:
    assert size_of(1e13, n_layer=5, n_embd=80).n_layer == 5
    assert size_of(1e13, n_hidden=96).n_hidden == 96


@pytest.mark.parametrize(("preset", "shape"), [("char-rnn", ("lstm", 2, 128)), ("char-rnn-large", ("lstm", 2, 512))])
def test_a_preset_has_a_size_of_its_own(preset: str, shape: tuple[str, int, int]) -> None:
    for flops in (1e10, 1e15):
        found = size_of(flops, preset=preset)
        assert (found.cell, found.n_layer, found.n_embd) == shape
    assert size_of(1e15, preset=preset, n_layer=1, cell="gru").n_layer == 1


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_parameters_are_those_of_the_network(cell: str) -> None:
    options = RNNOptions(cell=cell, n_layer=3, n_embd=24, n_hidden=40)
    model = RNN(options, vocab_size=50)
    matrices = sum(p.numel() for name, p in model.named_parameters() if p.ndim == 2 and not name.startswith("embedding"))
    assert cost(options, Situation(train_bytes=1, vocab_size=50)).parameters == matrices


def test_nothing_is_said_where_the_budget_is_unknown() -> None:
    assert advise(RNNOptions(), Situation(train_bytes=1000, open=OPEN)) is None

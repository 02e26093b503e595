"""What a training will cost, found out without touching the model."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pentad import Loss, Objective
from pentad.config.tables import TrainingOptions
from pentad.contracts.batch import Tokens
from pentad.contracts.model import Output
from pentad.inference.net import ModelNet
from pentad.testing import raises_code
from pentad.train.estimate import _fused, _one_row, estimate
from pentad.train.trainer import Trainer

V = 11
TOKENS = Tokens(ids=np.arange(4, dtype=np.uint16), starts=np.array([0]))


def rows():
    return np.random.default_rng(0).integers(0, V, (24, 9))


def options():
    return TrainingOptions(batch_size=8, context_length=8)


def test_an_estimate_leaves_the_model_as_it_is(fakes, cpu):
    model = fakes.Summing(dropout=0.5)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = estimate(ModelNet(model, cpu), lambda _: fakes.sgd(model), fakes.Given(rows()), TOKENS, options())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    # Forward, and the gradients of both sides: three products of 8 positions, width 4, vocabulary 11, for 8 examples.
    assert found.flops_per_step == 3 * 2 * 8 * 4 * V * 8
    assert found.seconds_per_step > 0 and found.memory_bytes > 0


def test_the_memory_is_at_least_what_the_trial_took(fakes, cpu):
    class Hungry(fakes.Summing):
        def forward(self, *inputs, **more):
            torch.ones(1 << 27).sum()  # 512 MB, of which no gradient keeps anything
            return super().forward(*inputs, **more)

    model = Hungry()
    found = estimate(ModelNet(model, cpu), lambda _: fakes.sgd(model), fakes.Given(rows()), TOKENS, options())
    assert found.memory_bytes > (1 << 29) + 50_000_000


def test_an_estimate_survives_a_trial_that_diverges(fakes, cpu):
    model = fakes.Tiny()

    def explosive(parameters):
        replica = type("Twin", (), {"parameters": lambda self: [each.parameter for each in parameters]})()
        return fakes.sgd(replica, lr=1e38)

    assert estimate(ModelNet(model, cpu), explosive, fakes.Given(rows()), TOKENS, options()).seconds_per_step > 0
    with torch.no_grad():
        model.head.bias[0] = float("nan")  # whereas the first step of the run itself would fail too
    with raises_code("diverged"):
        estimate(ModelNet(model, cpu), explosive, fakes.Given(rows()), TOKENS, options())


def test_a_counted_model_costs_too(fakes, cpu):
    model = fakes.Counting(V)
    found = estimate(ModelNet(model, cpu), None, fakes.Given(rows()), TOKENS, options())
    assert found.seconds_per_step > 0 and float(model.counts.sum()) == pytest.approx(0.1 * V * V)


@pytest.mark.parametrize("slow", [(0, 1), (2,), (3, 5)], ids=str)
def test_slow_steps_among_the_first_do_not_move_an_estimate(fakes, cpu, slow):
    """The first batch is the one row that is counted, the second warms up, five are timed, and more where they are quick."""
    calls = []

    class Stumbling(fakes.Given):
        def build(self, tokens, indices, seed):
            calls.append(len(indices))
            time.sleep(0.2 if len(calls) - 1 in slow else 0)
            return super().build(tokens, indices, seed)

    model = fakes.Tiny()
    found = estimate(ModelNet(model, cpu), lambda _: fakes.sgd(model), Stumbling(rows()), TOKENS, options())
    assert found.seconds_per_step < 0.1
    whole = [number for number, rows in enumerate(calls) if rows == 8]
    assert 5 <= len(whole) <= 13 and calls[: whole[0]] in ([1, 1], [1, 1, 1])  # one of the latter was built ahead


def test_where_no_step_can_be_timed_the_warm_up_counts(fakes, cpu, monkeypatch):
    monkeypatch.setattr("pentad.train.estimate.TRIAL_SECONDS", 0.0)
    model = fakes.Tiny()
    assert (
        estimate(ModelNet(model, cpu), lambda _: fakes.sgd(model), fakes.Given(rows()), TOKENS, options()).seconds_per_step > 0
    )


@pytest.mark.parametrize(("layer", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_the_operations_of_recurrent_layers_are_counted_like_all_others(fakes, cpu, layer, gates):
    """torch's counter takes oneDNN's LSTM for nothing; by hand it is 6 operations a parameter and token."""

    class Recurrent(fakes.Tiny):
        def __init__(self):
            super().__init__(vocab_size=V)
            self.layer = layer(4, 4, batch_first=True)

        def forward(self, inputs, state=None, segments=None):
            return Output(self.layer(self.embedding(inputs))[0])

    def flops(model):
        return estimate(ModelNet(model, cpu), lambda _: fakes.sgd(model), fakes.Given(rows()), TOKENS, options()).flops_per_step

    added = flops(Recurrent()) - flops(fakes.Tiny(vocab_size=V))
    # The cell may know that the first state is zero and needs no gradient.
    assert added == pytest.approx(6 * 8 * 8 * gates * 2 * 4 * 4, rel=0.1)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kv_heads", [1, 2])
def test_attention_costs_the_same_by_whatever_kernel(fakes, cpu, dropout, packed, kv_heads):
    """torch's counter takes the CPU's kernel for nothing; by hand it is 12 T T D, forward and backward, masked or not."""

    class Attending(fakes.Tiny):
        def forward(self, inputs, state=None, segments=None):
            x = self.embedding(inputs)
            queries = x.unflatten(-1, (2, -1)).transpose(1, 2)  # (B, 2, T, Dh)
            keys = queries[:, :kv_heads]
            mask = torch.ones(8, 8, dtype=torch.bool).tril()[None, None] if packed else None
            settings = {"attn_mask": mask, "is_causal": not packed, "dropout_p": dropout, "enable_gqa": kv_heads == 1}
            return Output(F.scaled_dot_product_attention(queries, keys, keys, **settings).transpose(1, 2).flatten(2))

    def flops(model):
        return estimate(ModelNet(model, cpu), lambda _: fakes.sgd(model), fakes.Given(rows()), TOKENS, options()).flops_per_step

    assert flops(Attending(V, width=16)) - flops(fakes.Tiny(V, width=16)) == 8 * 12 * 8 * 8 * 16


def test_attention_keeps_what_its_kernel_keeps(fakes, cpu):
    """Counting must not make the weights (B, H, T, T) that the kernel never holds."""
    length = 2048

    class Attending(fakes.Tiny):
        def forward(self, inputs, state=None, segments=None):
            x = self.embedding(inputs)[:, None]
            return Output(F.scaled_dot_product_attention(x, x, x, is_causal=True)[:, 0])

    model, builder = Attending(V), fakes.Given(np.zeros((1, length + 1)))
    trained = Trainer(ModelNet(model, cpu), fakes.sgd(model), builder, TOKENS, TrainingOptions(context_length=length))
    found = _one_row(trained)
    assert found.kept < 100 * length < 4 * length * length


def test_kernels_of_gpus_are_counted_by_their_products():
    """On shapes alone: 2 rows, 3 heads, 5 tokens, width 8; a cuDNN LSTM of 7 tokens, 4 features in, 6 out."""
    aten = torch.ops.aten
    x, statistics, nothing = (
        torch.empty(2, 3, 5, 8, device="meta"),
        torch.empty(2, 3, 5, device="meta"),
        torch.empty(0, device="meta"),
    )
    tokens, weights = (
        torch.empty(7, 1, 4, device="meta"),
        [torch.empty(*shape, device="meta") for shape in ((24, 4), (24, 6), (24,), (24,))],
    )
    state = torch.empty(1, 1, 6, device="meta")
    with FlopCounterMode(display=False, custom_mapping=_fused()) as counter:
        aten._scaled_dot_product_flash_attention_backward(
            x, x, x, x, x, statistics, nothing, nothing, 5, 5, 0.0, True, nothing, nothing
        )
        aten._cudnn_rnn(tokens, weights, 4, None, state, state, 2, 6, 0, 1, False, 0.0, True, False, [], None)
    counts = {str(name): count for name, count in counter.get_flop_counts()["Global"].items()}
    assert list(counts.values()) == [2 * 4 * 2 * 3 * 5 * 5 * 8, 2 * 7 * 24 * (4 + 6)], counts


def test_an_objective_of_the_builders_own_is_what_is_counted(fakes, cpu):
    """Two forward passes cost twice what one costs."""

    class Twice(Objective):
        def loss(self, net, batch):
            first, second = (net(batch.inputs).features for _ in range(2))
            total = net.nll(first, batch.targets) + net.nll(second, batch.targets)
            return Loss(total=total, count=batch.targets.numel())

    model = fakes.Tiny(V)

    def flops(objective):
        builder = fakes.Given(rows(), None, objective)
        return estimate(ModelNet(model, cpu), lambda _: fakes.sgd(model), builder, TOKENS, options()).flops_per_step

    assert flops(Twice()) == 2 * flops(None)

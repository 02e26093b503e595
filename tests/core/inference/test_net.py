"""The objective: chunks of logits change nothing but the memory."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from pentad import IGNORED
from pentad.inference import net as module
from pentad.inference.net import ModelNet, bits_per_byte, negative_log_likelihood


def batch(share=1.0, vocab_size=11):
    torch.manual_seed(1)
    inputs, targets = torch.randint(vocab_size, (2, 3, 16))
    targets[torch.rand(3, 16) >= share] = IGNORED
    return inputs, targets


def plain(model, inputs, targets):
    model.zero_grad()
    logits = model.logits(model(inputs).features)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
    loss.backward()
    return loss.detach(), {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def cross_entropy_backward(model, cpu, inputs, targets, segments, weights=None):
    """Add the gradient as the trainer does, and return the loss."""
    net = ModelNet(model, cpu)
    loss = net.nll(net(inputs, segments).features, targets, weights)
    loss.backward()
    return loss.detach()


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("rows", [1, 5, 16])
def test_logits_are_never_made_for_more_rows_than_a_chunk_holds(fakes, cpu, monkeypatch, share, rows):
    """Equal sums would not tell: logits of all targets at once give them too, and take the memory."""
    model, (inputs, targets) = fakes.Summing(), batch(share)
    asked = []
    monkeypatch.setattr(model, "logits", lambda features: asked.append(len(features)) or model.head(features))
    monkeypatch.setitem(module.CHUNK_LOGITS, "cpu", rows * model.vocab_size)
    for score in (cross_entropy_backward, negative_log_likelihood):
        asked.clear()
        score(model, cpu, inputs, targets, None)
        assert max(asked) == rows and sum(asked) >= int((targets != IGNORED).sum())


@pytest.mark.parametrize("share", [1.0, 0.9, 0.5, 0.1])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("rows", [1, 5, 16, 1000])
def test_chunked_equals_plain(fakes, cpu, monkeypatch, share, tied, rows):
    torch.manual_seed(0)
    model, (inputs, targets) = fakes.Summing(tied=tied), batch(share)
    loss, gradients = plain(model, inputs, targets)
    model.zero_grad()
    monkeypatch.setitem(module.CHUNK_LOGITS, "cpu", rows * model.vocab_size)
    found = cross_entropy_backward(model, cpu, inputs, targets, None)
    torch.testing.assert_close(found, loss)
    assert len(gradients) == (1 if tied else 3)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name])
    with torch.no_grad():
        assert negative_log_likelihood(model, cpu, inputs, targets, None) == pytest.approx(float(loss), rel=1e-5)


def test_one_target_in_a_row(fakes, cpu):
    inputs, targets = batch()
    targets[:, :-1] = IGNORED
    model = fakes.Summing()
    loss, gradients = plain(model, inputs, targets)
    model.zero_grad()
    asked = []
    model.logits = lambda features: asked.append(len(features)) or model.head(features)
    torch.testing.assert_close(cross_entropy_backward(model, cpu, inputs, targets, None), loss)
    torch.testing.assert_close(model.embedding.weight.grad, gradients["embedding.weight"])
    assert asked == [3]  # logits are made only where something is learned


def test_no_target_is_nothing(fakes, cpu):
    inputs, targets = batch(0.0)
    assert negative_log_likelihood(fakes.Tiny(), cpu, inputs, targets, None) == 0.0


@pytest.mark.parametrize("rows", [5, 1000])
def test_a_frozen_body_trains_its_head(fakes, cpu, monkeypatch, rows):
    model, (inputs, targets) = fakes.Tiny(), batch()
    model.embedding.requires_grad_(False)
    monkeypatch.setitem(module.CHUNK_LOGITS, "cpu", rows * model.vocab_size)
    cross_entropy_backward(model, cpu, inputs, targets, None)
    assert model.embedding.weight.grad is None and model.head.weight.grad.abs().sum() > 0


def test_gradients_add_up(fakes, cpu):
    model, (inputs, targets) = fakes.Tiny(), batch()
    _, gradients = plain(model, inputs, targets)
    model.zero_grad()
    for _ in range(2):
        cross_entropy_backward(model, cpu, inputs, targets, None)
    torch.testing.assert_close(model.head.weight.grad, 2 * gradients["head.weight"])


def test_bits_per_byte():
    assert bits_per_byte(3 * math.log(2), 2) == pytest.approx(1.5)


@pytest.mark.parametrize("rows", [5, 1000])
def test_weights_and_scales(fakes, cpu, monkeypatch, rows):
    torch.manual_seed(0)
    model, (inputs, targets) = fakes.Summing(), batch(0.9)
    weights = torch.rand(targets.shape)
    monkeypatch.setitem(module.CHUNK_LOGITS, "cpu", rows * model.vocab_size)
    net = ModelNet(model, cpu)
    logprobs = net.logprobs(net(inputs).features, targets)
    assert logprobs.shape == targets.shape and bool((logprobs[targets == IGNORED] == 0).all())
    (-(logprobs * weights).sum() * 3).backward()
    expected = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    (net.nll(net(inputs).features, targets, weights) * 3).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name])

"""The training step: equal to a bare torch loop, however a step's examples are cut up."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pentad import IGNORED, Loss, Objective, Optimization, Output
from pentad.config.tables import TrainingOptions
from pentad.contracts.batch import Batch, Tokens
from pentad.inference.net import ModelNet
from pentad.testing import raises_code
from pentad.train.trainer import Trainer, named_parameters

V = 11
TOKENS = Tokens(ids=np.arange(4, dtype=np.uint16), starts=np.array([0]))


def rows(n=24, length=9, seed=0):
    return np.random.default_rng(seed).integers(0, V, (n, length))


def options(**changes):
    return TrainingOptions(**{"batch_size": 8, "context_length": 8, "grad_clip": 0.0, "seed": 3, **changes})


def trainer(fakes, cpu, model, builder, optimization=None, **changes):
    optimization = optimization or fakes.sgd(model)
    return Trainer(ModelNet(model, cpu), optimization, builder, TOKENS, options(**changes))


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_same(left, right, **tolerance):
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(left[name], right[name], **tolerance)


def test_the_loop_is_a_bare_torch_loop(fakes, cpu):
    builder, model = fakes.Given(rows()), fakes.Summing()
    bare = copy.deepcopy(model)
    rate = lambda progress: 1 - 0.5 * progress  # noqa: E731
    optimization = fakes.sgd(model, lr=0.3, momentum=0.9, schedule=rate)
    found = trainer(fakes, cpu, model, builder, optimization, grad_clip=1.0)
    optimizer = torch.optim.SGD(bare.parameters(), lr=0.3, momentum=0.9)
    for number in range(6):
        outcome = found.step(number, number / 6)
        batch = builder.build(TOKENS, np.arange(8 * number, 8 * number + 8), 3)
        logits = bare.logits(bare(torch.from_numpy(batch.inputs)).features)
        loss = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten())
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(bare.parameters(), 1.0)
        optimizer.param_groups[0]["lr"] = 0.3 * rate(number / 6)
        optimizer.step()
        assert outcome.loss == pytest.approx(loss.item(), rel=1e-5)
        assert outcome.grad_norm == pytest.approx(norm.item(), rel=1e-4)
        assert outcome.learning_rate == rate(number / 6)
    assert_same(weights(model), weights(bare))


@pytest.mark.parametrize("accumulation", [2, 3, 8, 50, 2**62])
def test_micro_batches_of_unequal_targets_are_one_batch(fakes, cpu, accumulation):
    kept = np.random.default_rng(1).random((24, 8)) < np.linspace(0, 1, 24)[:, None]
    builder, model = fakes.Given(rows(), kept), fakes.Summing()
    replica = copy.deepcopy(model)
    one = trainer(fakes, cpu, model, builder)
    many = trainer(fakes, cpu, replica, builder, gradient_accumulation=accumulation)
    for number in range(3):
        whole, parts = one.step(number, 0), many.step(number, 0)
        assert parts.loss == pytest.approx(whole.loss, rel=1e-5)
        assert parts.grad_norm == pytest.approx(whole.grad_norm, rel=1e-4)
    assert_same(weights(model), weights(replica), rtol=1e-4, atol=1e-6)


def test_a_batch_with_nothing_to_learn_is_a_no_op(fakes, cpu):
    builder, model = fakes.Given(rows(), np.zeros((24, 8))), fakes.Tiny()
    before = weights(model)
    outcome = trainer(fakes, cpu, model, builder, fakes.sgd(model, weight_decay=0.5)).step(0, 0)
    assert (outcome.loss, outcome.grad_norm) == (0.0, 0.0)
    assert_same(weights(model), before, rtol=0, atol=0)


@pytest.mark.parametrize("place", ["loss", "gradient"])
def test_what_is_not_finite_stops_before_the_update(fakes, cpu, place):
    model = fakes.Tiny()
    if place == "loss":
        with torch.no_grad():
            model.head.bias[3] = float("nan")
    else:
        model.head.weight.register_hook(lambda gradient: gradient * float("inf"))
    before = weights(model)
    with raises_code("diverged") as caught:
        trainer(fakes, cpu, model, fakes.Given(rows()), gradient_accumulation=2).step(5, 0)
    message = caught.value.message
    assert "Step 6 must give finite numbers" in message and "in examples 40 to 47. Nothing was updated" in message
    assert "the loss (nan)" in message if place == "loss" else "the gradient of head.weight (and 0 more)" in message
    assert "--optimizer.lr" in caught.value.hint
    assert_same(weights(model), before, rtol=0, atol=0, equal_nan=True)


def test_clipping_bounds_the_mean_gradient(fakes, cpu):
    builder, model = fakes.Given(rows()), fakes.Tiny()
    before = weights(model)
    outcome = trainer(fakes, cpu, model, builder, fakes.sgd(model, lr=1.0), grad_clip=1e-3).step(0, 0)
    moved = torch.stack([(after - before[name]).norm() for name, after in model.state_dict().items()]).norm()
    assert outcome.grad_norm > 0.01 and moved.item() == pytest.approx(1e-3, rel=1e-3)


def test_dropout_depends_on_the_seed_and_the_step_alone(fakes, cpu):
    builder, model = fakes.Given(rows()), fakes.Tiny(dropout=0.5)

    def after(numbers, noise=0, **changes):
        replica = copy.deepcopy(model)
        found = trainer(fakes, cpu, replica, builder, gradient_accumulation=2, **changes)
        for number in numbers:
            torch.manual_seed(noise)
            found.step(number, 0)
        return weights(replica)

    assert_same(after([0, 1]), after([0, 1], noise=9), rtol=0, atol=0)
    differing = [after([0]), after([3]), after([0], seed=4)]  # 8 examples a step, 24 in all: step 3 has those of step 0
    assert not any(torch.equal(differing[0]["head.weight"], other["head.weight"]) for other in differing[1:])


def test_micro_batches_do_not_share_their_dropout(fakes, cpu):
    """All examples are the same, so that two micro-batches differ by their draws alone."""
    model, seen = fakes.Tiny(dropout=0.5), []
    forward = model.forward
    model.forward = lambda *inputs: seen.append(forward(*inputs)) or seen[-1]
    builder = fakes.Given(np.repeat(rows(1), 24, axis=0))
    trainer(fakes, cpu, model, builder, gradient_accumulation=2).step(0, 0)
    first, second = (output.features for output in seen)
    assert not torch.equal(first, second)


def test_a_counted_model_learns_without_an_optimizer(fakes, cpu):
    table = rows()
    model = fakes.Counting(V)
    found = Trainer(ModelNet(model, cpu), None, fakes.Given(table), TOKENS, options(gradient_accumulation=3))
    outcome = found.step(0, 0)
    expected = torch.full((V, V), 0.1)
    for row in table[:8]:
        for first, second in itertools.pairwise(row):
            expected[first, second] += 1
    torch.testing.assert_close(model.counts, expected)
    assert outcome.learning_rate == 0 and 0 < outcome.loss < 3


def test_a_builder_may_bring_its_own_objective(fakes, cpu):
    class Smoothed(Objective):
        def loss(self, net, batch):
            counted = batch.targets != IGNORED
            logits = net.logits(net(batch.inputs, batch.segments).features[counted])
            total = F.cross_entropy(logits, batch.targets[counted], label_smoothing=0.1, reduction="sum")
            return Loss(total=total, count=counted.sum(), metrics={"mean-target": batch.targets[counted].sum()})

    kept = np.random.default_rng(1).random((24, 8)) < 0.5
    kept[:4] = False  # the first micro-batch has nothing to learn: its mean would be no number
    builder, model = fakes.Given(rows(), kept, Smoothed()), fakes.Tiny()
    batch = builder.build(TOKENS, np.arange(8), 3)
    logits = model.logits(model(torch.from_numpy(batch.inputs)).features).flatten(0, 1)
    expected = F.cross_entropy(logits, torch.from_numpy(batch.targets).flatten(), label_smoothing=0.1, ignore_index=IGNORED)
    before = weights(model)
    outcome = trainer(fakes, cpu, model, builder, gradient_accumulation=2).step(0, 0)
    assert outcome.loss == pytest.approx(expected.item(), rel=1e-5)
    assert outcome.metrics == {"mean-target": pytest.approx(batch.targets[batch.targets != IGNORED].mean())}
    assert not torch.equal(before["head.weight"], model.head.weight)


def test_an_objective_without_targets_is_a_no_op(fakes, cpu):
    class Nothing(Objective):
        def loss(self, net, batch):
            return Loss(total=torch.tensor(float("nan")), count=0)

    builder, model = fakes.Given(rows(), None, Nothing()), fakes.Tiny()
    before = weights(model)
    assert trainer(fakes, cpu, model, builder).step(0, 0).loss == 0
    assert_same(weights(model), before, rtol=0, atol=0)


def test_roles_reach_the_optimizer(fakes):
    named = {each.name: each.role for each in named_parameters(fakes.Tiny())}
    assert named == {"embedding.weight": "embedding", "head.weight": "head", "head.bias": "vector"}
    model = fakes.Tiny()
    model.head.requires_grad_(False)
    assert [each.name for each in named_parameters(model)] == ["embedding.weight"]


def test_the_step_says_whether_it_was_asked_to_stop(fakes, cpu):
    found = trainer(fakes, cpu, fakes.Tiny(), fakes.Given(rows()))
    assert found.step(0, 0, stop=True).stop and not found.step(1, 0).stop


def test_an_observers_scale_is_a_factor_on_every_rate(fakes, cpu):
    model = fakes.Tiny()
    optimization = fakes.sgd(model, lr=0.5, schedule=lambda progress: 0.5)
    found = trainer(fakes, cpu, model, fakes.Given(rows()), optimization)
    found.scale = 0.1
    found.step(0, 0)
    assert [group["lr"] for group in optimization.groups()] == [pytest.approx(0.025)]


def test_auxiliary_losses_are_added_per_token_and_logged(fakes, cpu):
    """However a step is cut into micro-batches: the term is a mean over tokens."""

    class Balanced(fakes.Tiny):
        def forward(self, inputs, state=None, segments=None):
            features = self.embedding(inputs)
            return Output(features, state, {"size": 0.3 * features.square().mean()} if self.training else {})

    model = Balanced()
    parts = copy.deepcopy(model)
    whole = trainer(fakes, cpu, model, fakes.Given(rows())).step(0, 0)
    cut = trainer(fakes, cpu, parts, fakes.Given(rows()), gradient_accumulation=4).step(0, 0)
    assert whole.metrics["size"] == pytest.approx(cut.metrics["size"], rel=1e-5) and whole.metrics["size"] > 0
    assert_same(weights(model), weights(parts), rtol=1e-4, atol=1e-6)
    plain = fakes.Tiny()
    plain.load_state_dict(Balanced().state_dict())
    assert whole.loss == pytest.approx(cut.loss, rel=1e-5)


def test_weights_of_targets_count(fakes, cpu):
    class Weighted(fakes.Given):
        def build(self, tokens, indices, seed):
            batch = super().build(tokens, indices, seed)
            weights = np.zeros(batch.targets.shape, dtype=np.float32)
            weights[:, :3] = 2.0
            return Batch(inputs=batch.inputs, targets=batch.targets, weights=weights)

    kept = np.zeros((24, 8), dtype=bool)
    kept[:, :3] = True
    model = fakes.Tiny()
    replica = copy.deepcopy(model)
    weighted = trainer(fakes, cpu, model, Weighted(rows())).step(0, 0)
    plain = trainer(fakes, cpu, replica, fakes.Given(rows(), kept)).step(0, 0)
    assert weighted.loss == pytest.approx(plain.loss, rel=1e-5)
    assert_same(weights(model), weights(replica), rtol=1e-4, atol=1e-6)


def test_a_schedule_of_any_kind(fakes, cpu):
    class Betas(Optimization):
        def set_progress(self, share, scale=1.0):
            for group in self.groups():
                group["momentum"] = share
            return 1.0

    model = fakes.Tiny()
    optimization = Betas(optimizers=[torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)])
    trainer(fakes, cpu, model, fakes.Given(rows()), optimization).step(0, 0.25)
    assert [group["momentum"] for group in optimization.groups()] == [0.25]


def test_a_step_may_make_several_updates_with_its_examples(fakes, cpu):
    model = fakes.Summing()
    bare = copy.deepcopy(model)
    builder = fakes.Given(rows())
    again = trainer(fakes, cpu, bare, builder)
    losses = [again.step(0, 0).loss for _ in range(3)]  # the same examples each time
    builder.updates, built = 3, []
    build = builder.build
    builder.build = lambda tokens, indices, seed: built.append(indices) or build(tokens, indices, seed)
    outcome = trainer(fakes, cpu, model, builder, gradient_accumulation=2).step(0, 0)
    assert outcome.loss == pytest.approx(sum(losses) / 3, rel=1e-5)
    assert_same(weights(model), weights(bare))
    assert sum(map(len, built)) == 8  # made once


def test_a_gradient_of_zero_moves_nothing_not_even_by_momentum(fakes, cpu):
    class Satisfied(Objective):
        satisfied = False

        def loss(self, net, batch):
            total = net.nll(net(batch.inputs).features, batch.targets)
            return Loss(total=total * (0.0 if self.satisfied else 1.0), count=8, metrics={"reward": 8.0})

    objective, model = Satisfied(), fakes.Tiny()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    found = trainer(
        fakes,
        cpu,
        model,
        fakes.Given(rows(), None, objective),
        Optimization(optimizers=[optimizer], schedule=lambda progress: 1.0),
    )
    assert found.step(0, 0).grad_norm > 0
    objective.satisfied, before = True, weights(model)
    outcome = found.step(1, 0)
    assert (outcome.grad_norm, outcome.metrics) == (0.0, {"reward": 1.0})
    assert_same(weights(model), before, rtol=0, atol=0)

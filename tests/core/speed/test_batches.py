"""Batches that are built ahead are the batches that are built in turn, and nobody notices but the clock."""

from __future__ import annotations

import copy
import signal
import threading
import time
import traceback

import numpy as np
import pytest
import torch

from pentad import EngineError, RunObserver, resume, run
from pentad.config.tables import TrainingOptions
from pentad.contracts.batch import Tokens
from pentad.inference.net import ModelNet
from pentad.speed import batches as module
from pentad.system.errors import Interrupted
from pentad.testing import raises_code
from pentad.train.trainer import Trainer

TOKENS = Tokens(ids=np.arange(4, dtype=np.uint16), starts=np.array([0]))
ROWS = np.random.default_rng(0).integers(0, 11, (40, 9))
HERE = threading.main_thread().name


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def built(fakes):
    """Return a builder, and what it was asked for: the thread and the rows."""
    asked = []

    class Told(fakes.Given):
        def build(self, tokens, indices, seed):
            asked.append((threading.current_thread().name, indices.tolist()))
            if self.fails in indices:
                raise EngineError("There must be such an example.", code="example-missing")
            return super().build(tokens, indices, seed)

        fails = -1

    return Told(ROWS), asked


@pytest.fixture
def trainer(fakes, cpu, monkeypatch):
    """Return what makes a trainer on a machine of so many cores."""

    def make(model, builder, cores, **changes):
        monkeypatch.setattr(module, "physical_cores", lambda: cores)
        options = TrainingOptions(**{"batch_size": 8, "context_length": 8, "seed": 3, **changes})
        return Trainer(ModelNet(model, cpu), fakes.sgd(model), builder, TOKENS, options)

    return make


@pytest.mark.parametrize("accumulation", [1, 3])
def test_ahead_and_in_turn_are_the_same_to_the_bit(fakes, trainer, built, accumulation):
    builder, asked = built
    model = fakes.Summing(dropout=0.2)
    other = copy.deepcopy(model)
    ahead = trainer(model, builder, 2, gradient_accumulation=accumulation)
    turns = trainer(other, builder, 1, gradient_accumulation=accumulation)
    order = [0, 1, 2, 7, 8, 3]  # a jump asks for other examples than those that lie there
    threads = []
    for number in order:
        del asked[:]
        found = ahead.step(number, 0.1)
        threads += [name for name, _ in asked]
        assert (found.loss, found.grad_norm) == (lambda one: (one.loss, one.grad_norm))(turns.step(number, 0.1))
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
    assert len(threads) == accumulation * len(order) + 1 + 2  # the last one lies ready, and two jumps threw one away
    assert threads.count(HERE) == 3


def test_an_error_is_raised_where_the_examples_are_learned(fakes, trainer, built):
    builder, asked = built
    builder.fails = 17
    ahead = trainer(fakes.Tiny(), builder, 2)
    ahead.step(0, 0)
    ahead.step(1, 0)
    assert asked[-1][0] != HERE and 17 in asked[-1][1]
    with raises_code("example-missing") as caught:
        ahead.step(2, 0)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.name) == (__file__, "build")


def test_a_step_that_fails_leaves_nothing_that_is_still_built(fakes, trainer, built):
    builder, asked = built
    model, build, done = fakes.Tiny(), builder.build, []

    def slowly(*args):
        time.sleep(0.05)
        done.append(build(*args))
        return done[-1]

    def interrupted(gradient):
        raise KeyboardInterrupt

    builder.build = slowly
    model.head.weight.register_hook(interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer(model, builder, 2).step(0, 0)
    assert len(done) == len(asked) == 2


@pytest.mark.parametrize("case", ["cores", "updates"])
def test_in_turn_where_no_core_is_free_or_examples_are_learned_again(fakes, trainer, built, case):
    builder, asked = built
    builder.updates = 2 if case == "updates" else 1
    found = trainer(fakes.Tiny(), builder, 1 if case == "cores" else 2)
    found.step(0, 0)
    found.step(1, 0)
    assert [name for name, _ in asked] == [HERE, HERE]


def test_what_the_model_writes_is_never_written_ahead(fakes, trainer, built):
    builder, asked = built
    builder.needs_policy = True
    builder.roll_out = lambda tokens, indices, seed, session: builder.build(tokens, indices, seed)
    found = trainer(fakes.Tiny(), builder, 2)
    found.session = lambda model: None
    found.step(0, 0)
    assert asked == [(HERE, list(range(8)))]


def test_a_run_that_is_stopped_and_resumed_is_the_run_in_turn(tiny_recipe, cache, tmp_path, monkeypatch):
    """What lay ready when it stopped is forgotten: it goes on with the examples after those that were learned."""

    class Stop(RunObserver):
        def on_step(self, event):
            if event.step == 3:
                signal.raise_signal(signal.SIGTERM)

    text = tmp_path / "text.txt"
    text.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    recipe = tiny_recipe(text, builder="fill-in-middle")
    monkeypatch.setattr(module, "physical_cores", lambda: 1)
    turns = run(recipe, out=tmp_path / "turns")
    monkeypatch.setattr(module, "physical_cores", lambda: 8)
    with pytest.raises(Interrupted):
        run(recipe, out=tmp_path / "ahead", observers=[Stop()])
    ahead = resume(tmp_path / "ahead")
    assert (ahead.step, ahead.bits_per_byte) == (turns.step, turns.bits_per_byte)
    one, other = (tmp_path / name / "checkpoints/step-8/model.safetensors" for name in ("turns", "ahead"))
    assert one.read_bytes() == other.read_bytes()


def test_processes_share_the_cores(fakes, trainer, built, monkeypatch):
    builder, asked = built
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    trainer(fakes.Tiny(), builder, 3).step(0, 0)
    assert len(asked) == 1
    trainer(fakes.Tiny(), builder, 4).step(0, 0)
    assert len(asked) == 3


def test_where_no_thread_can_be_had_batches_are_built_in_turn(fakes, trainer, built, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    builder, asked = built
    learning = trainer(fakes.Tiny(), builder, 2)
    for number in range(3):
        learning.step(number, 0.5)
    assert [(name, len(rows)) for name, rows in asked] == [(HERE, 8)] * 3

"""Evaluations on the way: as large as the training affords, and in the plan's memory."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from pentad import RunObserver, plan, run
from pentad.contracts.evaluator import RunEvaluator
from pentad.inference.scoring import Offered
from pentad.train import evaluating
from pentad.train.evaluating import LEAST_TOKENS, MOST_TOKENS, tokens_on_the_way


@pytest.fixture(autouse=True)
def _cache(cache):
    """Keep what the tests make of their text in the cache of the session."""


def job(steps, every=0.1):
    training = SimpleNamespace(batch_size=8, context_length=128)
    recipe = SimpleNamespace(evaluation=SimpleNamespace(evaluate_every=every))
    return SimpleNamespace(planned_steps=steps, training=training, resolved=SimpleNamespace(recipe=recipe))


def test_evaluations_take_their_share_of_a_training_and_no_more():
    assert tokens_on_the_way(job(1)) == LEAST_TOKENS
    assert tokens_on_the_way(job(10**6)) == MOST_TOKENS
    for steps in (600, 2000, 10_000):
        tokens, learnt = tokens_on_the_way(job(steps)), steps * 8 * 128
        assert LEAST_TOKENS < tokens < MOST_TOKENS
        assert evaluating.COST * 10 * tokens == pytest.approx(evaluating.SHARE * learnt, rel=0.01)
        assert tokens_on_the_way(job(steps, every=0.2)) == pytest.approx(2 * tokens, abs=2)  # half as many, of twice the size


class Hungry(RunEvaluator):
    """Counts its parts, each of which says that the process holds more than before."""

    primary = "figure"
    lower_is_better = True
    parts = 0

    def supports(self, run):
        return ""

    def evaluate(self, session, text):
        def score(index):
            self.parts += 1
            torch.rand(3)  # takes from the stream that a training could draw from
            return (1.0,)

        return {"figure": float(text.score_parts(4, score).sum())}


def test_the_plan_knows_what_an_evaluation_holds(text, tiny_recipe, monkeypatch):
    hungry = Hungry()
    monkeypatch.setattr(evaluating, "peak_memory", lambda: hungry.parts << 50)
    monkeypatch.setattr(evaluating, "TRIAL_SECONDS", float("inf"))
    monkeypatch.setattr("pentad.train.assembly.find_evaluator", lambda *_: (Offered("hungry", hungry), []))
    assert plan(tiny_recipe(text)).memory_bytes == 1 << 50
    assert hungry.parts == 1  # which is enough


@pytest.mark.parametrize("failure", [RuntimeError("full"), None])
def test_a_trial_changes_nothing_of_the_training(text, tiny_recipe, monkeypatch, tmp_path, failure):
    losses = {}

    def trained(name):
        noted = losses.setdefault(name, [])

        class Notes(RunObserver):
            def on_step(self, event):
                noted.append(event.loss)

        run(tiny_recipe(text), out=tmp_path / name, observers=[Notes()])

    monkeypatch.setattr(evaluating, "TRIAL_SECONDS", float("inf"))
    trained("tried")
    usual = evaluating.judge

    def judge(*arguments, **more):
        if failure is not None and arguments[2].progress is not None:
            raise failure
        return usual(*arguments, **more)

    monkeypatch.setattr(evaluating, "judge", judge)
    if failure is None:
        monkeypatch.setattr(evaluating, "TRIAL_SECONDS", 0.0)  # instead of a failure that ends the trial
    trained("not tried")
    assert len(losses["tried"]) == 8 and losses["tried"] == losses["not tried"]

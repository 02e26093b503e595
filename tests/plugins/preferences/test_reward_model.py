"""Reward models: the loss by hand, where an answer is judged, and runs through the public door."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pentad import IGNORED, Catalogue, Choice, Evaluated, Recipe, TensorBatch, Tokens, make_named, open_run, run
from pentad.testing import EvaluatorConformance, ExampleBuilderConformance, ObjectiveConformance, RewardConformance, raises_code
from pentad.testing.subjects import Bytes, Table
from pentad_preferences.options import RewardModelOptions
from pentad_preferences.reward_builder import RewardPairs
from pentad_preferences.reward_objective import BradleyTerry


def builder(context_length=16, **options):
    made = {"template": "plain", **options}
    return RewardPairs(RewardModelOptions(**made), context_length=context_length, vocab_size=257, end_of_text=256)


class TestRewardPairs(ExampleBuilderConformance):
    name = "reward-model"


class TestBradleyTerry(ObjectiveConformance):
    name = "reward-model"
    options = {"margin": 0.5, "center": 0.01}  # with a centre there is a gradient also where both answers end alike
    expected_failures = {}

    @classmethod
    def record(cls):
        found = Catalogue().find("builder", "reward-model").record
        return dataclasses.replace(found, expected_failures={})


class OfRewardModels(EvaluatorConformance):
    expected_failures = {"a_better_model_scores_better": "what the next token is says nothing about rewards"}

    def runs(self):
        size = Bytes.vocab_size + 1
        torch.manual_seed(0)
        model = Table(torch.randn(size, size)).eval()
        return [Evaluated(tokenizer=Bytes(), builder=builder(), model=model), *super().runs()]

    def text(self, max_tokens=None):
        return dataclasses.replace(super().text(max_tokens), builder=builder())


class TestRewardAccuracy(OfRewardModels):
    name = "reward-accuracy"


class TestRewardOfTexts(OfRewardModels):
    name = "reward"


@pytest.mark.parametrize(("options", "margin"), [({}, 0.0), ({"margin": 0.5}, 0.5)])
def test_trls_formula_written_out(options, margin):
    chosen, rejected = np.array([1.0, -0.3]), np.array([0.2, 0.4])
    # As trl's RewardTrainer computes it: -logsigmoid(chosen - rejected - margin), and the centring of its rewards.
    expected = -np.log(1 / (1 + np.exp(-(chosen - rejected - margin))))
    rewards = torch.tensor(chosen), torch.tensor(rejected)
    assert BradleyTerry(RewardModelOptions(**options)).losses(*rewards).tolist() == pytest.approx(expected.tolist())
    centred = BradleyTerry(RewardModelOptions(center=0.01, **options)).losses(*rewards)
    assert centred.tolist() == pytest.approx((expected + 0.01 * (chosen + rejected) ** 2).tolist())


def test_equal_rewards_cost_ln_2():
    assert float(BradleyTerry(RewardModelOptions()).losses(torch.zeros(1), torch.zeros(1))) == pytest.approx(math.log(2))


class Net:
    """The reward of a token is the token."""

    def __call__(self, inputs):
        return type("Output", (), {"features": inputs[..., None].float()})

    def logits(self, features):
        return features.expand(-1, 9)


def test_an_answer_is_judged_at_its_last_token_and_not_at_the_padding():
    ids = np.array([256, 1, 2, 3, 256, 1, 5, 256], np.uint16)
    tokens = Tokens(ids=ids, starts=np.array([0, 4, 7]), learn=np.array([1, 0, 0, 1, 1, 0, 1, 1], bool))
    batch = builder(6).build(tokens, np.array([0]), None)
    assert batch.inputs.tolist() == [[256, 1, 2, 3, 256, 256]]
    assert batch.targets.tolist() == [[IGNORED] * 3 + [257, IGNORED, IGNORED]]
    assert batch.extra["targets"].tolist() == [[IGNORED] * 2 + [257, IGNORED, IGNORED, IGNORED]]
    cut = builder(2).build(tokens, np.array([0]), None)
    assert cut.inputs.tolist() == [[2, 3]] and cut.targets.tolist() == [[IGNORED, 257]]
    small = {"inputs": torch.tensor([[8, 1, 5, 8]]), "targets": torch.tensor([[IGNORED, IGNORED, 8, IGNORED]])}
    both = TensorBatch(inputs=torch.tensor([[8, 1, 2, 3]]), targets=torch.tensor([[IGNORED] * 3 + [8]]), extra=small)
    loss = BradleyTerry(RewardModelOptions()).loss(Net(), both)
    assert float(loss.total) == pytest.approx(math.log(1 + math.exp(2)))  # 3 against 5
    assert float(loss.metrics["reward-margin"]) == -2


def test_a_conversation_is_scored_and_not_learned_from():
    made = builder(template="chat")
    (document,) = made.render({"prompt": "a", "completion": "b"})
    assert not any(span.learn for span in document.spans)
    tokens = Tokens(ids=np.array([256, 1, 256]), starts=np.array([0, 2]), learn=np.array([1, 0, 0], bool))
    with raises_code("record-keys"):
        made.count(tokens)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A reward model that prefers answers with an x."""
    folder = tmp_path_factory.mktemp("scorer")
    lines = [{"prompt": f"{n}", "chosen": f"{n % 7}x", "rejected": f"{n % 7}y"} for n in range(60)]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(folder / "cache"))
        recipe = Recipe(
            tokenizer="byte",
            builder="reward-model",
            model=Choice("gpt", n_layer=1, n_head=2, n_embd=16),
            optimizer=Choice("adamw", lr=0.02),
            sampler="greedy",
            data=folder / "pairs.jsonl",
            training={"steps": 30, "batch_size": 8, "context_length": 16},
            machine={"device": "cpu", "threads": 1, "precision": "fp32", "compile": "off"},
            generation={"max_tokens": 2, "samples": 1},
        )
        yield run(recipe, out=folder / "run")


def test_it_learns_which_answer_is_preferred(scorer: Any) -> None:
    evaluation = scorer.evaluation
    assert (evaluation.primary, evaluation.score, evaluation.lower_is_better) == ("reward_accuracy", 1.0, False)


def test_it_scores_conversations(scorer: Any, tmp_path: Path) -> None:
    saved = open_run(scorer.folder, device="cpu")
    found = {}
    for letter in "xy":
        data = tmp_path / f"{letter}.jsonl"
        data.write_text("".join(json.dumps({"prompt": f"{n}", "completion": f"{n}{letter}"}) + "\n" for n in range(5)))
        scored = saved.evaluate([str(data)], evaluator="reward")
        found[letter] = scored.score
        assert scored.n_bytes == 5 * len("0" + "0x")
        with raises_code("record-keys"):
            saved.evaluate([str(data)], evaluator="reward-accuracy")
    assert found["x"] > found["y"] + 1


def test_it_is_a_reward_that_says_of_a_text_what_it_says_of_its_tokens(scorer: Any, tmp_path: Path) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    reward = make_named("reward", f"reward-model,run={scorer.folder}")
    found = reward.rewards("3", ["3x", "3y"], "")
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)
    assert found[0] > found[1]
    data = tmp_path / "one.jsonl"
    data.write_text(json.dumps({"prompt": "3", "completion": "3x"}) + "\n")
    assert open_run(scorer.folder, device="cpu").evaluate([str(data)], evaluator="reward").score == pytest.approx(found[0])


def test_only_a_reward_model_is_a_reward(scorer: Any, tmp_path: Path) -> None:
    with raises_code("reward-run-missing"):
        make_named("reward", "reward-model")
    with raises_code("not-a-run"):
        make_named("reward", f"reward-model,run={tmp_path}").rewards("", ["a"], "")


def test_the_kit_takes_it(scorer: Any) -> None:
    found = Catalogue().find("reward", "reward-model").record

    class Kit(RewardConformance):
        implementation = dataclasses.replace(found, expected_failures={})
        options = {"run": str(scorer.folder)}

    assert {check: Kit().run(check).note for check in Kit.checks() if Kit().run(check).outcome != "passed"} == {}

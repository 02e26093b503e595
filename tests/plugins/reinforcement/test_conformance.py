from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from pentad import Catalogue, Evaluated, HeldOut, NoOptions, Reward, RewardFunction
from pentad.testing import EvaluatorConformance, ObjectiveConformance, PolicyBuilderConformance
from pentad.testing.conformance import Conformance
from pentad.testing.stages.policy import policy_arguments
from pentad.testing.subjects import Bytes, Table
from pentad_reinforcement.plugin import engine_example_builders


class Evenness(RewardFunction):
    """The share of even bytes: of the kit's random texts each has another one."""

    needs_expected = False
    right = None

    def __init__(self, options: NoOptions) -> None:
        del options

    def rewards(self, prompt: str, answers: Sequence[str], expected: str) -> list[float]:
        return [sum(byte % 2 == 0 for byte in answer.encode()) / max(1, len(answer)) for answer in answers]


(RECORD,) = engine_example_builders()
CATALOGUE = Catalogue(entry_points=())
CATALOGUE.find = lambda kind, name: _OFFER  # type: ignore[method-assign]
_OFFER = dataclasses.make_dataclass("Offered", ["options", "make"])(NoOptions, lambda options, **more: Evenness(options))


class Rewarded(Conformance):
    """The builder with a reward that tells random answers from each other."""

    implementation = dataclasses.replace(RECORD, expected_failures={})
    context_length = 32

    def builder(self):
        return self.make(**{**policy_arguments(self.context_length), "catalogue": CATALOGUE})


class TestGRPO(Rewarded, PolicyBuilderConformance):
    kind = "builder"
    options = {"answers": 3, "max_tokens": 6}


class TestGroupRelative(Rewarded, ObjectiveConformance):
    kind = "builder"
    options = {"answers": 3, "max_tokens": 6}


class TestDrGRPOWithUpdates(Rewarded, ObjectiveConformance):
    kind = "builder"
    options = {"answers": 3, "max_tokens": 6, "loss": "dr-grpo", "updates": 2, "temperature": 0.7}


class TestMeanReward(EvaluatorConformance):
    name = "mean-reward"
    expected_failures = {"a_better_model_scores_better": "the reward asks for even bytes, and not for the kit's text"}

    def _builder(self):
        made = TestGRPO().builder()
        made.context_length = self.context_length
        return made

    def runs(self):
        size = Bytes.vocab_size + 4
        model = Table(torch.zeros(size, size)).eval()
        return [Evaluated(tokenizer=Bytes(), builder=self._builder(), model=model), *super().runs()]

    def text(self, max_tokens=None):
        return dataclasses.replace(super().text(max_tokens), builder=self._builder())


def test_the_record_offers_its_own_name():
    assert RECORD.name == "grpo" and RECORD.options
    assert Reward(name="evenness", summary="", factory=Evenness).takes_options is False
    assert HeldOut.__dataclass_fields__["builder"].default is None

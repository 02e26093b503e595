from __future__ import annotations

import torch

from pentad import Evaluated
from pentad.testing import EvaluatorConformance, ExampleBuilderConformance, ObjectiveConformance
from pentad.testing.subjects import Bytes, Table
from pentad_preferences.builder import Pairs
from pentad_preferences.options import DPOOptions


class TestPairs(ExampleBuilderConformance):
    name = "dpo"
    expected_failures = {
        "examples_cover_the_text": "the rejected answer stands in extra, and a prompt is cut to the context",
        "end_of_text_is_learned": "the ends of rejected answers stand in extra",
    }


class TestORPO(ObjectiveConformance):
    name = "dpo"
    options = {"loss": "orpo"}


class TestSimPO(ObjectiveConformance):
    name = "dpo"
    options = {"loss": "simpo"}


class TestPreferenceAccuracy(EvaluatorConformance):
    name = "preference-accuracy"

    def runs(self):
        builder = Pairs(DPOOptions(template="plain"), context_length=16, vocab_size=257, end_of_text=256)
        model = Table(torch.zeros(Bytes.vocab_size, Bytes.vocab_size)).eval()
        return [Evaluated(tokenizer=Bytes(), builder=builder, model=model), *super().runs()]

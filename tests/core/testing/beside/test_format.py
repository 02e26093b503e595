"""Each wrong format is caught by the check meant for it, and by no other."""

from __future__ import annotations

import json

import pytest
import torch

from pentad import Choice, Format, Imported, ModelFormat, Trained, Vocabulary, make
from pentad.testing import FormatConformance

OPTIONS = {"n_layer": 1, "n_head": 1, "n_embd": 8}


class Right(ModelFormat):
    """Writes numbers as JSON; every other format breaks one promise."""

    def __init__(self, options):
        pass

    def write(self, trained, folder):
        tensors = {name: tensor.tolist() for name, tensor in trained.model.state_dict().items()}
        (folder / "model.json").write_text(json.dumps(tensors))
        (folder / "tokenizer").mkdir()
        trained.tokenizer.save(folder / "tokenizer")

    def tensors(self, path):
        return {name: torch.tensor(values) for name, values in json.loads((path / "model.json").read_text()).items()}

    def read(self, path):
        return Imported(
            tokenizer=Choice("byte"),
            tokenizer_folder=path / "tokenizer",
            model=Choice("gpt", **OPTIONS),
            tensors=self.tensors(path),
            context_length=16,
        )


class OnlyWrites(ModelFormat):
    __init__, write = Right.__init__, Right.write


class Refuses(Right):
    def supports(self, trained):
        return "it is too small."


class ChangesTheModel(Right):
    def write(self, trained, folder):
        super().write(trained, folder)
        with torch.no_grad():
            trained.model.embedding.weight.zero_()


class LosesPrecision(Right):
    def tensors(self, path):
        return {name: (tensor * 8).round() / 8 for name, tensor in super().tensors(path).items()}


def outcomes(factory):
    class Kit(FormatConformance):
        implementation = Format(name="mine", summary="", factory=factory)

        def trained(self):
            torch.manual_seed(0)
            tokenizer = make("tokenizer", "byte")
            model = make("model", Choice("gpt", **OPTIONS), vocab_size=257, context_length=16).eval()
            return Trained(
                tokenizer=tokenizer,
                tokenizer_choice=Choice("byte"),
                vocabulary=Vocabulary.of(tokenizer),
                model=model,
                model_choice=Choice("gpt", **OPTIONS),
                context_length=16,
            )

    return {check: Kit().run(check).outcome for check in Kit.checks()}


def test_a_right_format_passes():
    assert set(outcomes(Right).values()) == {"passed"}
    assert outcomes(OnlyWrites)["reads_what_it_wrote"] == "not checked"


@pytest.mark.parametrize(
    ("factory", "check"),
    [
        (Refuses, {"supports_says_why_not"}),
        (LosesPrecision, {"reads_what_it_wrote"}),
        (ChangesTheModel, {"writing_changes_nothing", "reads_what_it_wrote"}),
    ],
)
def test_a_wrong_format_is_caught(factory, check):
    assert {name for name, outcome in outcomes(factory).items() if outcome == "failed"} == check

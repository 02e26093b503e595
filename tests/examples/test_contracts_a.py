"""The single-file plugins of examples/contracts are trained and used through the public door."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pentad import (
    Catalogue,
    Choice,
    Evaluation,
    HeldOut,
    NoOptions,
    Output,
    Recipe,
    SpecialToken,
    StopTraining,
    Tokens,
    UsageError,
    Vocabulary,
    open_run,
    plan,
    resume,
    run,
)
from pentad.testing import ExampleBuilderConformance, ModelConformance

FOLDER = Path(__file__).parents[2] / "examples" / "contracts"

CATALOGUES = {
    name: Catalogue(plugin_files=[FOLDER / f"{name}.py"]) for name in ("masked", "early_stopping", "ngram")
}


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    return path


def recipe_of(text: Path, steps: int = 8, evaluate_every: float = 0.25, **changes: Any) -> Recipe:
    """Return the recipe of a run of milliseconds, on one thread in fp32."""
    model = Choice("gpt", n_layer=1, n_head=2, n_embd=8)
    stages = {"tokenizer": "byte", "builder": "next-token", "model": model, "optimizer": "adamw", "sampler": "temperature"}
    return Recipe(
        **{**stages, **changes},
        data=text,
        training={"steps": steps, "batch_size": 8, "context_length": 16},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        evaluation={"evaluate_every": evaluate_every},
        generation={"max_tokens": 8, "samples": 2, "prompt": "1 c"},
        reporting={"log_every": 1, "keep_checkpoints": 3},
    )


def lines_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Return the lines of one kind in a run's metrics."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


class TestMaskedBuilder(ExampleBuilderConformance):
    implementation = CATALOGUES["masked"].find("builder", "masked").record


def test_masked_run_has_a_score_of_its_own_and_writes_no_texts(text: Path, tmp_path: Path) -> None:
    catalogue, recipe = CATALOGUES["masked"], recipe_of(text, builder="masked", steps=30, optimizer=Choice("adamw", lr=0.02))
    assert any("it writes no texts" in warning for warning in plan(recipe, catalogue=catalogue).warnings)
    result = run(recipe, catalogue=catalogue, out=tmp_path / "run")
    assert result.evaluation is not None and not result.samples
    assert (result.evaluation.evaluator, result.evaluation.primary) == ("masked-accuracy", "masked_accuracy")
    assert not result.evaluation.lower_is_better and result.evaluation.n_tokens > 10
    written = lines_of(tmp_path / "run", "evaluation")
    assert written[-1]["masked_accuracy"] == result.evaluation.score > 0
    again = open_run(tmp_path / "run", catalogue=catalogue).evaluate()
    assert again.scores == result.evaluation.scores


@pytest.mark.parametrize("length", [5, 16, 40, 64])
def test_masked_accuracy_hides_each_seventh_token_once(length: int) -> None:
    """The model of this test says what it reads, so it would find what is shown, and finds nothing that is hidden."""
    ids = np.array([256, *range(length), 256])
    vocabulary = Vocabulary(tokenizer_size=257, end_of_text=256, special=(SpecialToken(name="mask"),))

    class EchoNet:
        def __call__(self, inputs: torch.Tensor, segments: torch.Tensor | None) -> Output:
            return Output(inputs)

        def logits(self, features: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot(features, 258).float()

    tokenizer = SimpleNamespace(token_bytes=lambda token: bytes([token]))
    session = SimpleNamespace(net=EchoNet(), vocabulary=vocabulary, tokenizer=tokenizer, device=torch.device("cpu"))
    text = HeldOut(tokens=Tokens.of(ids, 256), n_bytes=length, context_length=16)
    evaluator = CATALOGUES["masked"].find("evaluator", "masked-accuracy").make(NoOptions())
    scores = evaluator.evaluate(session, text)
    hidden = [token for place, token in enumerate(ids) if place % 7 == 6 and token != 256]
    assert scores == {"masked_accuracy": 0.0, "n_tokens": len(hidden), "n_bytes": len(hidden)}


def test_early_stopping_ends_the_run_with_its_reason(text: Path, tmp_path: Path) -> None:
    offer = CATALOGUES["early_stopping"].find("observer", "early-stopping")
    stopper = offer.make(offer.options(patience=2, least=100.0))
    result = run(recipe_of(text, steps=30, evaluate_every=0.1), out=tmp_path / "run", observers=[stopper])
    # The first of the evaluations at steps 3, 6 and 9 stays the best; the wish holds from the next step on.
    assert result.step == 10 and result.evaluation is not None and result.evaluation.final
    assert result.stop_reason.startswith("bits_per_byte has not improved in 2 evaluations; the best was ")
    (end,) = lines_of(tmp_path / "run", "end")
    assert (end["step"], end["stop_reason"]) == (10, result.stop_reason)
    with pytest.raises(UsageError) as raised:
        resume(tmp_path / "run")
    assert raised.value.code == "run-done"


def test_early_stopping_goes_by_the_direction_of_the_score() -> None:
    offer = CATALOGUES["early_stopping"].find("observer", "early-stopping")
    for lower_is_better, scores in ((True, (3, 2, 1, 2, 2)), (False, (1, 2, 3, 2, 3))):
        stopper = offer.make(offer.options(patience=2))
        answers = [stopper.on_evaluation(_scored(score, lower_is_better)) for score in scores]
        assert answers[:4] == [None] * 4 and isinstance(answers[4], StopTraining)


def _scored(score: float, lower_is_better: bool) -> Evaluation:
    judged = {"n_bytes": 1, "n_tokens": 1, "context_length": 1, "seconds": 0.0}
    scores = {"one": float(score)}
    return Evaluation(step=1, evaluator="e", scores=scores, primary="one", lower_is_better=lower_is_better, **judged)


class TestNgram(ModelConformance):
    implementation = CATALOGUES["ngram"].find("model", "ngram").record


def test_ngram_is_counted_opened_and_writes(text: Path, tmp_path: Path) -> None:
    catalogue, recipe = CATALOGUES["ngram"], recipe_of(text, model=Choice("ngram", order=3), steps=10)
    assert not plan(recipe, catalogue=catalogue).parameters
    result = run(recipe, catalogue=catalogue, out=tmp_path / "run")
    assert result.evaluation is not None and result.evaluation.loss < 0.6 * math.log(257)
    opened = open_run(tmp_path / "run", catalogue=catalogue)
    assert len(opened.model.keys) == len(opened.model.counts) > 100
    assert opened.evaluate().scores == result.evaluation.scores
    samples = opened.generate("1 c", max_tokens=8, samples=2)
    assert [len(sample.tokens) > 0 for sample in samples] == [True, True]


def test_ngram_predicts_what_it_has_counted() -> None:
    offer = CATALOGUES["ngram"].find("model", "ngram")
    model = offer.make(offer.options(order=2), vocab_size=4, context_length=8)
    row = torch.tensor([[0, 1, 0, 1, 0, 2]])
    model.learn_by_counting(row[:, :-1], row[:, 1:], None)
    found = model.logits(model(torch.tensor([[0]])).features)[0, 0].exp()
    # 1 was seen twice after 0 and 2 once; alone, 1 was seen twice of five times, 0 twice, 2 once.
    alone = (torch.tensor([2.0, 2.0, 1.0, 0.0]) + 3 * 0.25) / (5 + 3)
    assert torch.allclose(found, (torch.tensor([0.0, 2.0, 1.0, 0.0]) + 2 * alone) / (3 + 2))


def test_ngram_refuses_more_than_fits_into_a_key() -> None:
    offer = CATALOGUES["ngram"].find("model", "ngram")
    with pytest.raises(UsageError) as raised:
        offer.make(offer.options(order=4), vocab_size=100_000, context_length=8)
    assert raised.value.code == "ngram-too-many"

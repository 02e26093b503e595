"""The small plugins that prove the contracts of inference and of learning from rewards, through the public door."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from pentad import (
    Catalogue,
    Choice,
    Limits,
    Recipe,
    RunObserver,
    Step,
    UsageError,
    Vocabulary,
    make,
    open_run,
    run,
)
from pentad.runs.saved_run import SavedRun
from pentad.testing import RewardConformance

FOLDER = Path(__file__).parents[2] / "examples" / "contracts"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{number} eels ate {number * 7 % 13}.\n\n" for number in range(60)))
    return path


def catalogue(name: str) -> Catalogue:
    return Catalogue(plugin_files=[FOLDER / f"{name}.py"])


def recipe(data: Path, steps: int = 8, **changes: Any) -> Recipe:
    """Return the recipe of a run of milliseconds."""
    stages = {
        "tokenizer": "byte",
        "builder": "next-token",
        "model": Choice("gpt", n_layer=1, n_head=2, n_embd=8, ngram_order=0),
        "optimizer": Choice("adamw", weight_decay=0.0),
        "sampler": "temperature",
    }
    return Recipe(
        **{**stages, **changes},
        data=data,
        training={"steps": steps, "batch_size": 4, "context_length": 32},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        generation={"max_tokens": 4, "samples": 1},
    )


def trained(name: str, folder: Path, made: Recipe) -> SavedRun:
    """Train by a recipe with one of the plugins, and open the run."""
    known = catalogue(name)
    run(made, catalogue=known, out=folder)
    return open_run(folder, catalogue=known, device="cpu")


def test_every_text_matches_the_expression(tmp_path: Path, text: Path) -> None:
    saved = trained("digits", tmp_path / "run", recipe(text, sampler=Choice("digits", most=3)))
    samplers = {3: None, 2: Choice("digits", most=2), 9: "digits+temperature", 5: Choice("digits+greedy", most=5)}
    for most, sampler in samplers.items():
        samples = saved.generate("1 e", max_tokens=12, samples=20, sampler=sampler, seed=3)
        assert all(re.fullmatch(f"[0-9]{{1,{most}}}", sample.text) for sample in samples)
    assert len({sample.text for sample in saved.generate("1 e", max_tokens=12, samples=20)}) > 9
    assert {len(sample.text) for sample in saved.generate("1 e", samples=60)} == {1, 2, 3}


def test_a_number_ends_where_it_must(tmp_path: Path, text: Path) -> None:
    saved = trained("digits", tmp_path / "run", recipe(text))
    events = list(saved.stream(sampler=Choice("digits", most=1), limits=Limits(max_tokens=9, samples=5)))
    assert [event.ended for event in events if event.sequence == 4] == ["", "stop"]


def test_a_tokenizer_without_digits_is_refused() -> None:
    tokenizer = make("tokenizer", "byte")
    tokenizer.token_bytes = lambda token: b"x"
    with pytest.raises(UsageError) as raised:
        make("sampler", "digits", catalogue=catalogue("digits"), tokenizer=tokenizer, vocabulary=Vocabulary.of(tokenizer))
    assert raised.value.code == "no-digit-token"


class Watching(RunObserver):
    """Keeps the steps, and tells them from each other by what does not depend on the clock."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def on_step(self, event: Step) -> None:
        self.steps.append(event)

    @property
    def numbers(self) -> list[tuple[float, float, float]]:
        return [(step.loss, step.grad_norm, step.metrics["reward"]) for step in self.steps]


def rewarded(folder: Path, steps: int = 12, letter: str = "e", **options: Any) -> tuple[Watching, SavedRun]:
    """Train on rewards, and return what was seen with the trained run."""
    known, watching = catalogue("reward"), Watching()
    data = folder.parent / "questions.jsonl"
    data.write_text("".join(f'{{"prompt": "{number} eels?", "completion": ""}}\n' for number in range(40)))
    builder = Choice("grpo", **{"reward": (f"letter,letter={letter}",), "answers": 4, "max_tokens": 8, **options})
    made = recipe(data, steps, builder=builder, optimizer=Choice("adamw", lr=0.05))
    run(made, catalogue=known, out=folder, observers=[watching])
    return watching, open_run(folder, catalogue=known, device="cpu")


def weights(saved: SavedRun) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in saved.model.parameters()])


class TestLetter(RewardConformance):
    implementation = next(offer.record for offer in catalogue("reward").offers("reward") if offer.name == "letter")


def test_learning_from_rewards_is_the_same_twice_with_one_seed(tmp_path: Path) -> None:
    (first, one), (second, other) = (rewarded(tmp_path / name) for name in ("one", "other"))
    assert len(first.steps) == 12
    assert any(norm for _, norm, _ in first.numbers)
    assert first.numbers == second.numbers
    assert torch.equal(weights(one), weights(other))


def test_rewards_rise(tmp_path: Path) -> None:
    watching, saved = rewarded(tmp_path / "run", steps=30, answers=16)
    rewards = [reward for _, _, reward in watching.numbers]
    assert sum(rewards[-5:]) / 5 > 5 * sum(rewards[:5]) / 5
    score = saved.evaluate()
    assert (score.evaluator, score.primary, score.lower_is_better) == ("mean-reward", "reward", False)
    assert score.score > 0.2


def test_equal_rewards_move_nothing(tmp_path: Path) -> None:
    few, after_few = rewarded(tmp_path / "few", steps=1, letter="\u2603")
    many, after_many = rewarded(tmp_path / "many", steps=10, letter="\u2603")
    assert set(few.numbers + many.numbers) == {(0.0, 0.0, 0.0)}
    assert torch.equal(weights(after_few), weights(after_many))  # weight decay included

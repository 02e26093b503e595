"""The small plugins that prove the contracts of inference and of learning from rewards, through the public door."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pentad import (
    Catalogue,
    Choice,
    Limits,
    Recipe,
    RunObserver,
    Step,
    Tokens,
    UsageError,
    Vocabulary,
    make,
    open_run,
    run,
)
from pentad.runs.saved_run import SavedRun

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
        "model": Choice("gpt", n_layer=1, n_head=2, n_embd=8),
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


END_OF_TEXT = 256


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


def rewarded(folder: Path, data: Path, steps: int = 12, **options: Any) -> tuple[Watching, SavedRun]:
    """Train on rewards, and return what was seen with the trained run."""
    known, watching = catalogue("reward"), Watching()
    made = recipe(data, steps, builder=Choice("reward", **options), optimizer=Choice("adamw", lr=0.05, weight_decay=0.0))
    run(made, catalogue=known, out=folder, observers=[watching])
    return watching, open_run(folder, catalogue=known, device="cpu")


def weights(saved: SavedRun) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in saved.model.parameters()])


def test_learning_from_rewards_is_the_same_twice_with_one_seed(tmp_path: Path, text: Path) -> None:
    (first, one), (second, other) = (rewarded(tmp_path / name, text) for name in ("one", "other"))
    assert len(first.steps) == 12
    assert any(loss for loss, _, _ in first.numbers)
    assert first.numbers == second.numbers
    assert torch.equal(weights(one), weights(other))


def test_answers_do_not_depend_on_the_micro_batches(tmp_path: Path, text: Path) -> None:
    known = catalogue("reward")
    builder = make("builder", "reward", catalogue=known, context_length=32, vocab_size=257, end_of_text=END_OF_TEXT)
    saved = trained("reward", tmp_path / "run", recipe(text))
    ids = np.frombuffer(text.read_bytes(), dtype=np.uint8).astype(np.int64)
    tokens = Tokens.of(np.concatenate([[END_OF_TEXT], ids[:40], [END_OF_TEXT], ids[40:90], [END_OF_TEXT]]), END_OF_TEXT)
    whole = builder.roll_out(tokens, np.arange(4), 7, saved.session)
    parts = [builder.roll_out(tokens, np.array([index]), 7, saved.session) for index in range(4)]
    assert len(whole.inputs) == 16
    for name in ("inputs", "targets", "weights"):
        assert np.array_equal(getattr(whole, name), np.concatenate([getattr(part, name) for part in parts]))
    assert np.allclose(whole.weights[:, 0].reshape(4, 4).sum(axis=1), 0, atol=1e-6)  # the baseline is the group's mean


def test_rewards_rise(tmp_path: Path, text: Path) -> None:
    watching, _ = rewarded(tmp_path / "run", text, steps=30, answers=16)
    rewards = [reward for _, _, reward in watching.numbers]
    assert sum(rewards[-5:]) / 5 > 5 * sum(rewards[:5]) / 5


def test_equal_rewards_move_nothing(tmp_path: Path, text: Path) -> None:
    few, after_few = rewarded(tmp_path / "few", text, steps=1, letter="\u2603")
    many, after_many = rewarded(tmp_path / "many", text, steps=10, letter="\u2603")
    assert set(few.numbers + many.numbers) == {(0.0, 0.0, 0.0)}
    assert torch.equal(weights(after_few), weights(after_many))


def test_a_context_too_short_for_an_answer_is_refused(tmp_path: Path, text: Path) -> None:
    with pytest.raises(UsageError) as raised:
        rewarded(tmp_path / "run", text, answer_tokens=99)
    assert raised.value.code == "context-too-short"

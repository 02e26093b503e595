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


@pytest.fixture
def searched(tmp_path: Path, text: Path) -> SavedRun:
    learned_well = Choice("adamw", lr=0.05, weight_decay=0.0)
    return trained("beam", tmp_path / "run", recipe(text, 20, optimizer=learned_well, sampler=Choice("beam", width=2)))


def test_a_beam_as_wide_as_the_vocabulary_finds_the_likeliest_sequences(searched: SavedRun) -> None:
    session, n_ids, end = searched.session, searched.vocabulary.size, searched.vocabulary.end_of_text
    prompt = session.prompt("1 e")
    first = session.prefill(prompt[None]).log_softmax(-1)[0]  # (V,)
    rows = torch.cat([prompt.repeat(n_ids, 1), torch.arange(n_ids)[:, None]], dim=1)
    scores = first[:, None] + session.prefill(rows).log_softmax(-1)  # (V, V): all sequences of two tokens
    scores[end] = -torch.inf
    scores[end, 0] = first[end]  # the one of a single token
    best = scores.flatten().topk(5)
    expected = [[end] if place // n_ids == end else list(divmod(place, n_ids)) for place in best.indices.tolist()]
    limits = Limits(max_tokens=2, samples=5, logprobs=True, alternatives=1)
    events = list(searched.stream("1 e", sampler=Choice("beam", width=n_ids), limits=limits))
    found = [[event.token for event in events if event.sequence == number] for number in range(5)]
    totals = [sum(event.logprob for event in events if event.sequence == number) for number in range(5)]
    assert found == expected
    assert totals == pytest.approx(best.values.tolist(), abs=1e-4)
    assert all(event.alternatives[0][1] >= event.logprob - 1e-6 for event in events)


def test_a_beam_gives_as_many_sequences_as_asked_for(searched: SavedRun) -> None:
    found = searched.generate("1 e", max_tokens=40, samples=3)  # longer than the context, wider than the recipe's beam
    assert len({tuple(sample.tokens) for sample in found}) == 3
    assert all(len(sample.tokens) <= 40 for sample in found)


def test_a_beam_of_one_is_greedy(searched: SavedRun) -> None:
    narrow = searched.generate("1 e", max_tokens=12, sampler=Choice("beam", width=1))
    assert narrow[0].text == searched.generate("1 e", max_tokens=12, sampler="greedy")[0].text


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

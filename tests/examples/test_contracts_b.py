"""The small plugins that prove the contracts of inference, chat and learning from rewards, through the public door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pentad import Catalogue, Choice, Limits, Recipe, open_run, run
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

"""A run with a tokenizer of a file needs the file only once, and charges what a lossy one loses."""

from __future__ import annotations

import pytest

from pentad import Choice, Recipe, open_run, resume, run
from pentad_huggingface.example import example


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("".join(f"The number {n} comes after {n - 1}, café.\n" for n in range(150)))

    def train(tokenizer: Choice):
        recipe = Recipe(
            tokenizer=tokenizer,
            builder="next-token",
            model=Choice("gpt", n_layer=1, n_head=2, n_embd=8),
            optimizer="adamw",
            sampler="greedy",
            data=str(tmp_path / "text.txt"),
            training={"steps": 2, "batch_size": 2, "context_length": 16},
            machine={"device": "cpu", "threads": 1, "precision": "fp32", "compile": "off"},
            generation={"max_tokens": 2},
        )
        return run(recipe, out=tmp_path / "run")

    return train


def test_a_run_keeps_a_copy_of_the_file(trained, tmp_path):
    path = example(tmp_path)["path"]
    trained(Choice("huggingface", path=path))
    (tmp_path / "tokenizer.json").unlink()
    assert resume(tmp_path / "run", steps=3).step == 3
    tokenizer = open_run(tmp_path / "run", device="cpu").tokenizer
    assert tokenizer.decode(tokenizer.encode("a text")) == "a text"


def test_what_a_lossy_tokenizer_loses_is_charged_with_8_bits_a_byte(trained, tmp_path):
    lossy = trained(Choice("char", unseen="unknown", min_frequency=200)).evaluation
    tokenizer = open_run(tmp_path / "run", device="cpu").tokenizer
    assert "é" not in tokenizer.decode(tokenizer.encode("café"))
    scores = lossy.scores
    assert scores["lost_bytes"] >= 2
    charged = scores["bits_per_byte"] - scores["bits_per_byte_of_tokens"]
    assert charged == pytest.approx(8 * scores["lost_bytes"] / lossy.n_bytes)

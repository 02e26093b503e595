"""Arms that start from one run, and differ by what of it they learn."""

from __future__ import annotations

import json

from pentad import Choice, Recipe, resume, run


def base_of(tmp_path):
    (tmp_path / "base.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    recipe = Recipe(
        tokenizer="byte",
        builder="next-token",
        model=Choice("gpt", n_layer=1, n_head=2, n_embd=16, activation="swiglu"),
        optimizer="adamw",
        sampler="greedy",
        data=tmp_path / "base.txt",
        training={"steps": 2, "batch_size": 4, "context_length": 16},
        machine={"device": "cpu", "threads": 1, "precision": "fp32", "compile": "off"},
        generation={"max_tokens": 2, "samples": 1},
    )
    return run(recipe, out=tmp_path / "base").folder


def test_adapters_are_compared_from_one_run(compare, tmp_path):
    base = base_of(tmp_path)
    flags = ("--start", base, "--adapter", "none,lora,rank=2", "--adapter", "soft-prompt", "--seeds", "1", "--prompts", "0")
    found, _ = compare(*flags)
    assert {arm["label"] for arm in found["arms"]} == {"none", "lora, rank 2", "soft-prompt"}
    assert [arm["recipe"]["adapter"].get("rank") for arm in found["arms"] if arm["settings"]["adapter"] == "lora"] == [2]
    facts = [json.loads(path.read_text()) for path in tmp_path.glob("**/seed-0/run/engine.json")]
    assert sorted(fact["stages"].get("adapter", {}).get("name", "none") for fact in facts) == ["lora", "none", "soft-prompt"]
    assert {fact["start"]["run"] for fact in facts} == {str(base)}
    assert {fact["stages"]["model"]["name"] for fact in facts} == {"gpt"}
    again, _ = compare(*flags)
    assert all(seed["reused"] for arm in again["arms"] for seed in arm["seeds"])
    resume(base, steps=3)
    other, _ = compare(*flags)
    assert not any(seed["reused"] for arm in other["arms"] for seed in arm["seeds"])  # other weights, other runs

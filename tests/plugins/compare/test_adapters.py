"""Arms that start from trained runs, and differ by the run, by what of it they learn, and by the objective."""

from __future__ import annotations

import json

import pytest

from pentad import Choice, Recipe, open_run, resume, run


@pytest.fixture
def base(tmp_path):
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


def test_adapters_are_compared_from_one_run(compare, base, tmp_path):
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


def test_runs_to_start_from_make_arms_and_none_starts_from_nothing(compare, base, tmp_path):
    few = ("--seeds", "1", "--prompts", "0", "--steps", "2")
    wider = Choice("gpt", n_layer=1, n_head=2, n_embd=24)
    run(open_run(base).recipe.replace(model=wider), out=tmp_path / "wider")
    rates = ("--optimizer.lr", "1e-3,1e-2", "--baseline", "none, lr 1e-2")
    found, _ = compare("--start", f"{tmp_path / 'wider'},none", *rates, *few)
    assert [arm["label"] for arm in found["arms"]] == [
        f"{start}, lr {lr}" for start in ("wider", "none") for lr in ("1e-3", "1e-2")
    ]
    assert [arm["recipe"]["model"]["n_embd"] for arm in found["arms"]] == [24, 24, 16, 16]
    starts = [arm["recipe"].get("start", {}).get("run") for arm in found["arms"]]
    assert starts == [str(tmp_path / "wider")] * 2 + [None] * 2


def test_a_list_does_not_contradict_the_run_to_start_from(compare, base):
    compare("--start", base, "--model", "gpt,rnn", code=2, error="start-mismatch")
    compare("--start", "", code=2, error="empty-word")
    compare("--start", f"{base},nowhere", code=2, error="not-a-run")


def test_objectives_are_compared_from_one_run(compare, base, tmp_path):
    pairs = tmp_path / "pairs.jsonl"
    lines = [{"prompt": f"{n}?", "chosen": f"{n}.", "rejected": "no"} for n in range(40)]
    pairs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    few = ("--seeds", "1", "--prompts", "0", "--steps", "2")
    found, _ = compare("--start", base, "--builder", "dpo", "--builder.loss", "sigmoid,ipo", *few, data=pairs)
    assert [arm["label"] for arm in found["arms"]] == ["loss sigmoid", "loss ipo"]
    assert all("preference_accuracy" in seed["scores"] for arm in found["arms"] for seed in arm["seeds"])

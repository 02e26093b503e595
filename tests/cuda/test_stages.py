"""Every stage that is installed computes on a GPU: models and optimizers learn there, samplers and decoders write there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pentad import Catalogue, Choice, Recipe, open_run, run

CATALOGUE = Catalogue()


def names(kind: str) -> list[str]:
    return [offer.name for offer in CATALOGUE.offers(kind)]


NEEDED: dict[str, dict[str, Any]] = {
    "banned-words": {"words": ("cat",)},
    "grammar": {"rules": 'start: "the " ("cat" | "mat")+'},
    "json-schema": {"schema": '{"type": "integer"}'},
    "regex": {"pattern": "[a-z ]*"},
}
"""Options without which a sampler has nothing to do."""

SMALL = {"gpt": {"n_layer": 1, "n_head": 2, "n_embd": 32}, "bert": {"n_layer": 1, "n_head": 2, "n_embd": 32}}
BIDIRECTIONAL = {"bert"}


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["kind"] == "step"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", names("model"))
def test_every_model_learns_there(recipe_of: Any, tmp_path: Path, name: str, precision: str) -> None:
    builder = "masked" if name in BIDIRECTIONAL else "next-token"
    recipe = recipe_of(precision=precision, model=Choice(name, **SMALL.get(name, {})), builder=builder)
    result = run(recipe, out=tmp_path / "run")
    assert result.evaluation is not None and 0 < result.evaluation.score < 8
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0]


@pytest.mark.parametrize("name", names("optimizer"))
def test_every_optimizer_moves_there_as_on_a_cpu(recipe_of: Any, tmp_path: Path, name: str) -> None:
    for place, device in (("host", "cpu"), ("gpu", "cuda")):
        run(recipe_of(device, model=Choice("gpt", **SMALL["gpt"]), optimizer=name), out=tmp_path / place)
    assert losses(tmp_path / "gpu") == pytest.approx(losses(tmp_path / "host"), rel=3e-2)


@pytest.mark.parametrize("name", sorted({"prefix", "span-corruption", "fill-in-middle"} & set(names("builder"))))
def test_every_builder_of_plain_text_teaches_there(recipe_of: Any, tmp_path: Path, name: str) -> None:
    run(recipe_of(builder=name), out=tmp_path / "run")
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0]


@pytest.fixture(scope="module")
def trained(recipe_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("trained") / "run"
    run(recipe_of(training={"steps": 40, "context_length": 64}), out=folder)
    return folder


@pytest.mark.parametrize("name", names("sampler"))
def test_every_sampler_writes_there(trained: Path, name: str) -> None:
    options = {**NEEDED.get(name, {}), **({"draft": str(trained)} if name == "speculative" else {})}
    found = open_run(trained, device="cuda").generate("the ", max_tokens=12, samples=2, sampler=Choice(name, **options))
    assert len(found) == 2 and all(sample.tokens or sample.ended for sample in found)


@pytest.mark.skipif("grpo" not in names("builder"), reason="reinforcement is not installed")
def test_reinforcement_writes_and_learns_there(recipe_of: Any, tmp_path: Path) -> None:
    stages = {"data": "reversal", "training": {"steps": 3, "batch_size": 4, "context_length": 64}}
    run(recipe_of(builder="chat", **stages), out=tmp_path / "base")
    recipe: Recipe = recipe_of(builder=Choice("grpo", max_tokens=8, answers=4), start={"run": str(tmp_path / "base")}, **stages)
    assert run(recipe, out=tmp_path / "run").step == 3

"""A run that starts from another takes its tokenizer and weights, and nothing else in silence."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pentad import Catalogue, Choice, Plan, Recipe, RunObserver, SpecialToken, StartedFrom, Step, open_run, plan, resume, run
from pentad.contracts.vocabulary import Vocabulary
from pentad.system.errors import Interrupted
from pentad.testing import raises_code


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def recipe_of(data: Path, steps: int = 6, **changes: Any) -> Recipe:
    """Return the recipe of a run of milliseconds, on one thread in fp32."""
    model = Choice("gpt", n_layer=1, n_head=2, n_embd=16, dropout=0.2, ngram_order=0)
    stages = {"tokenizer": "byte", "builder": "next-token", "model": model, "optimizer": "adamw", "sampler": "temperature"}
    return Recipe(
        **{**stages, **changes},
        data=data,
        training={"steps": steps, "batch_size": 4, "context_length": 32},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        reporting={"log_every": 1},
    )


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    return path


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talks") / "talks.jsonl"
    lines = [[{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n} cats."}] for n in range(40)]
    path.write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in lines))
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, text: Path, cache: Any) -> Path:
    return run(recipe_of(text), out=tmp_path_factory.mktemp("runs") / "base").folder


class Planned(RunObserver):
    """Keeps the plan, and asks to stop after some step as Ctrl-C does."""

    def __init__(self, stop_after: int = 0) -> None:
        self.stop_after = stop_after

    def on_start(self, plan: Plan) -> None:
        self.plan = plan

    def on_step(self, step: Step) -> None:
        if step.step == self.stop_after:
            os.kill(os.getpid(), signal.SIGINT)


def weights_of(folder: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(folder / "checkpoints" / f"step-{step}" / "model.safetensors")


def test_weights_and_tokenizer_come_along(base: Path, text: Path, tmp_path: Path) -> None:
    made = run(recipe_of(text, start=base, model="gpt"), out=tmp_path / "next")
    kept = load_file(made.folder / "start" / "model.safetensors")
    there = weights_of(base, 6)
    assert kept.keys() == there.keys()
    assert all(torch.equal(kept[name], there[name]) for name in there)
    facts = [json.loads((folder / "engine.json").read_text()) for folder in (base, made.folder)]
    assert facts[0]["tokenizer"] == facts[1]["tokenizer"]
    assert facts[1]["start"] == {"run": str(base), "step": 6}
    assert open_run(made.folder).recipe.start.run == str(base)


def test_the_shape_is_inherited_and_dropout_is_not(base: Path, text: Path) -> None:
    found = plan(recipe_of(text, start=base, model="gpt"))
    assert found.recipe.model.options["n_embd"] == 16
    assert found.recipe.model.options["dropout"] == 0.0
    assert found.start == StartedFrom(folder=base, step=6, new_tokens=(), changed={"model.dropout": (0.2, 0.0)})
    said = plan(recipe_of(text, start=base, model=Choice("gpt", dropout=0.3), builder="prefix"))
    assert said.start is not None
    assert said.start.changed == {"model.dropout": (0.2, 0.3), "builder": ("next-token", "prefix")}


def test_the_base_is_not_needed_any_more(base: Path, text: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(base, copy)
    recipe = recipe_of(text, start=copy, model=Choice("gpt", dropout=0.1))
    whole = run(recipe, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(recipe, out=tmp_path / "stopped", observers=[Planned(stop_after=3)])
    shutil.rmtree(copy)
    again = resume(tmp_path / "stopped")
    one, other = weights_of(whole.folder, 6), weights_of(again.folder, 6)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_without_a_checkpoint_begins_again_from_the_base(base: Path, text: Path, tmp_path: Path) -> None:
    recipe = recipe_of(text, start=base, model="gpt")
    whole = run(recipe, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(recipe, out=tmp_path / "stopped", observers=[Planned(stop_after=1)])
    shutil.rmtree(tmp_path / "stopped" / "checkpoints")
    (tmp_path / "stopped" / "latest.json").unlink()  # as after a kill before the first checkpoint
    for name in ("metrics.jsonl", "samples.jsonl"):
        (tmp_path / "stopped" / name).write_text("")
    again = resume(tmp_path / "stopped")
    one, other = weights_of(whole.folder, 6), weights_of(again.folder, 6)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_new_special_tokens_get_rows_near_the_mean(base: Path, talks: Path, tmp_path: Path) -> None:
    catalogue, observer = Catalogue(), Planned()
    recipe = recipe_of(talks, start=base, model="gpt", builder="chat")
    made = run(recipe, out=tmp_path / "chat", catalogue=catalogue, observers=[observer])
    assert observer.plan.start is not None
    assert observer.plan.start.new_tokens == ("system", "user", "assistant", "end_of_turn")
    before, after = weights_of(base, 6), load_file(made.folder / "start" / "model.safetensors")
    for name in ("embedding.weight", "head.weight"):
        assert torch.equal(after[name][:257], before[name])
        new = after[name][257:]
        assert len(new) == 4
        assert len({tuple(row.tolist()) for row in new}) == 4
        assert ((new - before[name].mean(0)).abs() < 0.1 * before[name].std()).all()


def test_special_tokens_keep_their_rows_by_name(base: Path, talks: Path, tmp_path: Path) -> None:
    class Other:
        """The builder chat's tokens in another order, and one more."""

        special_tokens = tuple(SpecialToken(name=name) for name in ("end_of_turn", "thought", "user", "assistant"))

    catalogue = Catalogue()
    chat = run(recipe_of(talks, start=base, model="gpt", builder="chat"), out=tmp_path / "chat", catalogue=catalogue).folder
    from pentad.runs.start import inherit

    _, start = inherit(recipe_of(talks, start=chat, model="gpt", builder="chat"), catalogue)
    assert start is not None
    assert start.recorded() == {"run": str(chat), "step": 6, "start": {"run": str(base), "step": 6}}
    from pentad import make

    vocabulary = Vocabulary.of(start.run.tokenizer, Other.special_tokens)
    options = {name: value for name, value in start.run.recipe.model.options.items() if name != "dropout"}
    model = make("model", Choice("gpt", **options), vocab_size=vocabulary.size, context_length=32, catalogue=catalogue)
    start.put_into(model, vocabulary, seed=1)
    rows, there = model.state_dict()["head.weight"], weights_of(chat, 6)["head.weight"]
    for name in ("user", "assistant", "end_of_turn"):
        assert torch.equal(rows[vocabulary.id(name)], there[start.run.vocabulary.id(name)])
    assert not any(torch.equal(rows[vocabulary.id("thought")], row) for row in there)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tokenizer": "bpe"}, "start-mismatch"),
        ({"model": "rnn"}, "start-mismatch"),
        ({"model": Choice("gpt", n_embd=32)}, "start-mismatch"),
        ({"start": "nowhere"}, "not-a-run"),
    ],
)
def test_what_does_not_fit_is_refused(base: Path, text: Path, changes: dict[str, Any], code: str) -> None:
    with raises_code(code):
        plan(recipe_of(text, **{"start": base, "model": "gpt", **changes}))


def test_the_tokenizer_is_not_trained_anew(text: Path, tmp_path: Path) -> None:
    base = run(recipe_of(text, tokenizer=Choice("bpe", vocab_size=280)), out=tmp_path / "base").folder
    again = plan(recipe_of(text, start=base, tokenizer=Choice("bpe", vocab_size=280), model="gpt"))
    assert again.vocab_size == open_run(base).vocabulary.size
    with raises_code("start-mismatch"):
        plan(recipe_of(text, start=base, tokenizer=Choice("bpe", vocab_size=270), model="gpt"))

"""Which runs there are, what they say of themselves, and that only a run is removed, and only what nobody needs."""

from __future__ import annotations

import json
import re
import warnings

import pytest

from pentad import Choice, Recipe
from pentad.runs.folder import RunDirectory
from pentad.runs.listing import chain_of, find_runs, remove_run, size_of, sizes_of, summary_of, users_of
from pentad.runs.records import seal_result
from pentad.testing import raises_code


def made(path, *, start=None, step=7, done=True, **builder):
    """Write the records of a run; its weights are of no matter here."""
    (path / "checkpoints" / f"step-{step}").mkdir(parents=True)
    (path / "checkpoints" / f"step-{step}" / "model.safetensors").write_bytes(b"x" * 1000)
    stages = {"tokenizer": "byte", "builder": "chat", "model": "gpt", "optimizer": "adamw", "sampler": "greedy"}
    facts = {"format": 1, "stages": {stage: {"name": name} for stage, name in stages.items()}}
    (path / "engine.json").write_text(json.dumps({**facts, **({"start": start} if start else {})}))
    (path / "latest.json").write_text(json.dumps({"step": step}))
    scores = [{"kind": "evaluation", "final": final, "primary": "accuracy", "accuracy": 0.5 + final} for final in (False, True)]
    lines = [{"kind": "step", "step": step}, *scores[: 1 + done]]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = Recipe(**{**stages, "builder": Choice("grpo", **builder) if builder else "chat"}, data="text.txt")
    (path / "recipe.toml").write_text(recipe.to_toml())
    if done:
        (path / "result.json").write_text(json.dumps({"step": step}))
    return path


def test_runs_are_found_below_a_folder_and_not_within_each_other(tmp_path):
    made(tmp_path / "a")
    made(tmp_path / "study" / "arm" / "b", done=False, step=3)
    made(tmp_path / "a" / "checkpoints" / "c")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = {run.path.name: run for run in find_runs(tmp_path)}
    assert set(found) == {"a", "b"}
    assert (found["a"].step, found["a"].done, found["a"].scores) == (7, True, {"accuracy": 1.5})
    assert (found["b"].step, found["b"].done, found["b"].scores) == (3, False, {})
    assert found["a"].stages["model"] == "gpt" and found["a"].n_bytes > 1000
    with raises_code("folder-missing"):
        find_runs(tmp_path / "nowhere")


def test_a_damaged_run_is_listed_with_the_reason(tmp_path):
    run = made(tmp_path / "a")
    (run / "engine.json").write_text("[")
    assert summary_of(run).problem and summary_of(run).n_bytes > 1000
    (run / "engine.json").write_text('{"stages": [1]}')
    assert summary_of(run).problem


def test_a_score_that_was_edited_after_the_end_is_listed_with_a_warning(tmp_path):
    run = made(tmp_path / "a")
    (run / "samples.jsonl").write_text("")
    seal_result(run, 7, "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert summary_of(run).scores == {"accuracy": 1.5}
    (run / "metrics.jsonl").write_text((run / "metrics.jsonl").read_text().replace("1.5", "2.5"))
    with pytest.warns(UserWarning, match=re.escape("metrics.jsonl")):
        assert summary_of(run).scores == {"accuracy": 2.5}


def test_sizes_add_up(tmp_path):
    run = made(tmp_path / "a")
    assert sizes_of(run)["checkpoints"] == 1000
    assert sum(sizes_of(run).values()) == size_of(run)


def test_the_chain_of_runs_goes_back_to_the_first(tmp_path):
    first = made(tmp_path / "first")
    start = {"run": str(first), "step": 7}
    second = made(tmp_path / "second", start=start)
    third = made(tmp_path / "third", start={"run": str(tmp_path / "gone"), "step": 9, "start": start})
    assert chain_of(first) == []
    assert chain_of(third) == [
        {"run": str(tmp_path / "gone"), "step": 9, "exists": False},
        {"run": str(first), "step": 7, "exists": True},
    ]
    started, needing = users_of(first, find_runs(tmp_path))
    assert [run.path for run in started] == [second] and needing == []


def test_a_run_is_removed_also_where_others_started_from_it(tmp_path):
    first = made(tmp_path / "first")
    made(tmp_path / "second", start={"run": str(first), "step": 7})
    n_bytes = size_of(first)
    assert remove_run(first, find_runs(tmp_path)) == n_bytes
    assert not first.exists() and (tmp_path / "second" / "engine.json").exists()


@pytest.mark.parametrize("option", [{"reward_run": "{}"}, {"reward": ("exact", "reward-model,run={}")}])
def test_what_an_unfinished_run_needs_is_kept(tmp_path, option):
    scorer = made(tmp_path / "scorer")

    def named(value):
        return tuple(map(named, value)) if isinstance(value, tuple) else value.format(scorer)

    options = {name: named(value) for name, value in option.items()}
    user = made(tmp_path / "user", done=False, **options)
    with raises_code("run-needed"):
        remove_run(scorer, find_runs(tmp_path))
    (user / "result.json").write_text(json.dumps({"step": 7}))
    remove_run(scorer, find_runs(tmp_path))
    assert not scorer.exists()


def test_only_a_run_is_removed(tmp_path):
    run = made(tmp_path / "a")
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(run)
    for path in (tmp_path / "other", tmp_path / "link", tmp_path / "nowhere"):
        with raises_code("not-a-run"):
            remove_run(path, [])
    (run / "notes.txt").write_text("mine")
    with raises_code("run-not-alone"):
        remove_run(run, [])
    with RunDirectory(run).lock(), raises_code("folder-in-use"):
        remove_run(run, [], force=True)
    assert (run / "notes.txt").exists()
    remove_run(run, [], force=True)
    assert not run.exists()

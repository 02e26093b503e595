"""What would make a verdict false: old code, another text, uneven budgets, scores that are none."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import time

import pytest

from pentad.config.budget import Budget
from pentad.runs.records import seal_result
from pentad_compare import collect
from pentad_compare.verdicts.budgets import missed_by_plan
from pentad_compare.work import is_complete

MINE = """
import torch
from pentad import Implementation, Optimization, hookimpl

def make(options, parameters):
    optimizer = torch.optim.SGD([named.parameter for named in parameters], lr={rate})
    return Optimization(optimizers=[optimizer], schedule=lambda progress: 1.0)

@hookimpl
def engine_optimizers():
    return [Implementation(name="mine", summary="", factory=make)]
"""

SLOW = '''
import pathlib, time
from pentad import Implementation, hookimpl
from pentad_next_token.builder import NextToken

class Slow(NextToken):
    """Takes its time as long as a file lies there."""
    def build(self, tokens, indices, seed):
        if pathlib.Path("slowly").exists():
            pathlib.Path("slowly").rename("asleep")
            time.sleep(8)
        else:
            time.sleep(0.05)
        return super().build(tokens, indices, seed)

@hookimpl
def engine_example_builders():
    return [Implementation(name="slow", summary="", factory=Slow)]
'''

ALONE = ("--seeds", "1", "--prompts", "0")


def out(process):
    said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def test_an_edited_plugin_trains_anew(engine, place, tmp_path):
    path = place / "mine_edited.py"
    command = (
        "compare",
        "--config",
        "tiny.toml",
        "--data",
        "text.txt",
        "--plugin",
        path.name,
        "--optimizer",
        "mine",
        *ALONE,
        "--json",
    )
    scores = []
    for rate in ("1e-6", "1.0", "1.0"):
        path.write_text(MINE.format(rate=rate))
        found = json.loads(out(engine(*command, "--out", tmp_path))[0])
        scores.append((found["arms"][0]["mean"], found["arms"][0]["seeds"][0]["reused"]))
    assert scores[0][0] != scores[1][0] and [reused for _, reused in scores] == [False, False, True]
    # What is printed to make the arm again names the plugin, and is one shell word a path.
    assert shlex.split(found["arms"][0]["reproduce"])[-2:] == ["--plugin", str(path)]


def test_the_command_that_reproduces_is_quoted(compare, tmp_path):
    place = tmp_path / "a $(touch pwned) b"
    found, _ = compare(*ALONE, out=place)
    assert shlex.split(found["arms"][0]["reproduce"])[3].startswith(f"{place}/runs/")


def test_a_text_that_changes_in_the_middle_is_noticed(compare, place, tmp_path, monkeypatch):
    text = place / "text.txt"
    before = text.read_text()
    work = __import__("pentad_compare.work", fromlist=["train"])
    train = work.train

    def and_then_change(argument, folder):
        train(argument, folder)
        text.write_text(before.replace("cat", "CAT"))

    monkeypatch.setattr(work, "train", and_then_change)
    try:
        found, _ = compare("--optimizer.lr", "1e-3,2e-3", *ALONE, code=1, error="arm-failed")
        failures = [seed["failure"] for arm in found["arms"] for seed in arm["seeds"]]
        assert failures[0] == "" and failures[1] != ""
    finally:
        text.write_text(before)
    monkeypatch.undo()
    monkeypatch.chdir(place)
    monkeypatch.setenv("PENTAD_CACHE", str(place / "cache"))
    found, _ = compare("--optimizer.lr", "1e-3,2e-3", *ALONE)
    assert [seed["reused"] for arm in found["arms"] for seed in arm["seeds"]] == [True, False]
    runs = [tmp_path / "out" / seed["folder"] for arm in found["arms"] for seed in arm["seeds"]]
    texts = {json.loads((run / "engine.json").read_text())["data"]["fingerprint"] for run in runs}
    assert texts == {found["data"]["fingerprint"]}


def test_a_score_that_is_none_costs_only_its_arm(compare, tmp_path):
    diverges = (
        "--optimizer.warmup-ratio",
        "0",
        "--optimizer.schedule",
        "constant",
        "--optimizer.weight-decay",
        "0",
        "--steps",
        "1",
    )
    rates = ("--optimizer.lr", "1e38,1e-1,1e-3", "--seeds", "2", "--prompts", "0")
    found, _ = compare(*rates, *diverges, code=1, error="arm-failed")
    assert [arm["failure"] != "" for arm in found["arms"]] == [True, False, False]
    report = next((tmp_path / "out").glob("*/comparison.json")).read_text()
    json.loads(report, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    tuned, _ = compare("--tune", "optimizer.lr=1e38,1e-3", *ALONE, *diverges)
    assert [each["options"]["optimizer.lr"] for each in tuned["arms"][0]["candidates"] if each["chosen"]] == ["0.001"]


def test_tries_without_a_score_choose_nothing(compare):
    found, _ = compare("--builder", "next-token,hidden-third", "--tune", "optimizer.lr=1e-9,3e-3", *ALONE)
    arms = {arm["label"]: arm for arm in found["arms"]}
    assert not any(each["chosen"] for each in arms["hidden-third"]["candidates"])
    assert arms["hidden-third"]["recipe"]["optimizer"]["lr"] == 3e-3  # its own
    assert any("No setting that was tried gave hidden-third a score" in note for note in found["notes"])


def test_what_tuning_saw_is_not_what_is_judged(compare, place, tmp_path):
    (place / "validated.toml").write_text((place / "tiny.toml").read_text() + "[data]\nvalidation = 0.1\n")
    found, _ = compare("--config", "validated.toml", "--tune", "optimizer.lr=1e-3,3e-3", *ALONE)
    runs = [
        json.loads(path.read_text())["data"]["held_out_bytes"] for path in (tmp_path / "out").glob("runs/*/*/run/engine.json")
    ]
    judged = json.loads((tmp_path / "out" / found["arms"][0]["seeds"][0]["folder"] / "engine.json").read_text())
    assert judged["data"]["held_out_bytes"] == found["data"]["held_out_bytes"] and len(set(runs)) == 2


def test_an_uneven_budget_is_said_before_and_after(compare):
    found, said = compare("--model.n-embd", "16,64", "--budget", "3e6flops", *ALONE)
    assert re.search(r"n_embd 64 will spend [\d.]+ times the budget", said.out)
    arms = {arm["label"]: arm["seeds"][0]["flops"] / 3e6 for arm in found["arms"]}
    (note,) = [note for note in found["notes"] if note.startswith("n_embd 64 spent")]
    assert f"spent {arms['n_embd 64']:.3g} times the budget" in note and arms["n_embd 64"] > 1.02


def test_a_plan_that_fits_is_not_spoken_of():
    facts = {
        "steps": 100,
        "seconds_per_step": 0.1,
        "flops_per_step": 1e6,
        "tokens_per_step": 10,
        "train_bytes": 30,
        "train_tokens": 10,
    }
    assert not list(missed_by_plan("x", facts, Budget.parse("10s")))
    assert not list(missed_by_plan("x", facts, Budget.parse("3kb")))
    assert not list(missed_by_plan("x", facts, Budget.parse("100steps")))
    (note,) = missed_by_plan("x", facts, Budget.parse("1.1e8flops"))
    assert "0.909 times the budget" in note


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--tune", "optimizer.lr=x1,x2", "--tune-budget", "soon"), "budget-format"),
        (("--model.n-layer", ","), "value-missing"),
        (("--sampler.temperature", " , "), "value-missing"),
    ],
)
def test_what_is_refused_at_once(compare, arguments, error):
    compare(*arguments, *ALONE, code=2, error=error)


def test_an_empty_word_is_no_folder(engine):
    refused = engine("compare", "--config", "tiny.toml", "--data", "text.txt", "--json", "--out", "")
    assert "empty-word" in refused.communicate(timeout=60)[1] and refused.returncode == 2


def test_tuning_by_the_clock_is_not_shared(engine, tmp_path):
    shared = ("--tune", "optimizer.lr=x1,x2", "--tune-budget", "2s", "--jobs", "2", "--out", tmp_path)
    refused = engine("compare", "--config", "tiny.toml", "--data", "text.txt", "--json", *shared)
    assert "budget-shared" in refused.communicate(timeout=60)[1] and refused.returncode == 2


def test_one_value_written_twice_is_one_arm(compare):
    found, _ = compare("--optimizer.lr", "1e-3,0.001,2e-3", *ALONE)
    assert [arm["label"] for arm in found["arms"]] == ["lr 1e-3", "lr 2e-3"]


def test_arms_of_files_get_the_threads_of_all(compare, place):
    (place / "two.toml").write_text((place / "tiny.toml").read_text().replace("threads = 1", "threads = 2"))
    found, _ = compare("--arm", "two.toml", *ALONE)
    assert {seed["threads"] for arm in found["arms"] for seed in arm["seeds"]} == {1}


def test_damaged_files_are_made_again(compare, tmp_path):
    first, _ = compare(*ALONE, "--tokenizer", "byte,bpe", "--tokenizer.vocab-size", "300")
    folders = [(tmp_path / "out" / arm["seeds"][0]["folder"]).parent for arm in first["arms"]]
    edited = folders[0] / "run" / "metrics.jsonl"
    edited.write_text(re.sub(r'"bits_per_byte": [\d.]+', '"bits_per_byte": 0.5', edited.read_text()))
    assert not is_complete(folders[0] / "run") and is_complete(folders[1] / "run")
    (folders[0] / "outcome.json").write_text("{}")
    (folders[1] / "run" / "metrics.jsonl").write_text("")
    (folders[0].parent / "plan" / "plan.json").write_text('{"half": ')
    assert not any(collect.is_trained(folder) for folder in folders)
    second, _ = compare(*ALONE, "--tokenizer", "byte,bpe", "--tokenizer.vocab-size", "300")
    assert [arm["mean"] for arm in second["arms"]] == [arm["mean"] for arm in first["arms"]]
    assert [arm["failure"] for arm in second["arms"]] == ["", ""]


def test_figures_of_tokenizers_stand_alone(compare, tmp_path):
    compare("--seeds", "1", "--prompts", "1", "--text-bytes", "40")
    found, _ = compare("--no-train", "--tokenizer", "bpe", "--tokenizer.vocab-size", "300")
    assert [each["label"] for each in found["tokenizers"]] == ["bpe"]
    assert not found["human_texts"] and "threads" not in found["machine"]
    for path in (tmp_path / "out" / "tokenizers").glob("*/figures.json"):
        path.write_text("{}")
    again, _ = compare("--no-train", "--tokenizer", "bpe", "--tokenizer.vocab-size", "300")
    assert [each["vocab_size"] for each in again["tokenizers"]] == [each["vocab_size"] for each in found["tokenizers"]]
    lists = ("--no-train", "--tokenizer", "bpe", "--tokenizer.vocab-size", "100000")
    failed, _ = compare(*lists, code=1, error="all-failed")
    assert failed is not None


def test_called_again_at_once_after_a_kill(engine, place, tmp_path):
    (place / "slow_one.py").write_text(SLOW)
    command = ("compare", "--config", "tiny.toml", "--data", "text.txt", "--plugin", "slow_one.py", "--builder", "slow", *ALONE)
    first = engine(*command, "--out", tmp_path)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/*/seed-0/run/metrics.jsonl")):
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.05)
    (place / "slowly").touch()
    while not (place / "asleep").exists():
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    said = out(engine(*command, "--out", tmp_path))[0]  # the killed one's run is still saving
    assert "bits per byte in" in said, said


def test_a_full_disk_takes_the_files_and_not_the_answer(compare, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pentad_compare.summary.write_atomically", full)
    found, said = compare("--optimizer.lr", "1e-3,2e-3", *ALONE, code=1, error="not-writable")
    assert found is None and "lr 2e-3" in said.out


ODD = (5, None, "x", [], {}, {"plan": 5}, {"plan": {}, "wall_seconds": "x"})


def _means(found):
    return {arm["label"]: arm["mean"] for arm in found["arms"]}


def test_results_of_another_form_are_made_anew(compare, tmp_path):
    arguments = ("--model.n-embd", "8,16", "--seeds", "1", "--steps", "3", "--prompts", "1", "--text-bytes", "8")
    means = _means(compare(*arguments, out=tmp_path / "out")[0])
    for name in ("plan.json", "outcome.json", "texts.json", "clock.json"):
        for path, odd in zip(sorted((tmp_path / "out").glob(f"runs/**/{name}")), ODD[3:], strict=False):
            values = json.loads(path.read_text())
            path.write_text(json.dumps({**dict.fromkeys(values, "x"), **odd} if odd else odd))
    assert _means(compare(*arguments, out=tmp_path / "out")[0]) == means


def test_forged_records_are_no_figures(compare, tmp_path):
    arguments = ("--model.n-embd", "8,16", "--seeds", "1", "--steps", "3", "--prompts", "0")
    compare(*arguments, out=tmp_path / "out")
    run = sorted((tmp_path / "out").glob("runs/*/seed-0/run"))[0]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (run / "metrics.jsonl").write_text("".join(json.dumps({**line, "tokens": [], "timing": 1}) + "\n" for line in lines))
    seal_result(run, 3, "")
    found, _ = compare(*arguments, out=tmp_path / "out", code=1, error="arm-failed")
    assert sorted(bool(arm["failure"]) for arm in found["arms"]) == [False, True]


def _swap(one, other):
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


WITH_SEEDS = ("--model.n-embd", "8,16", "--seeds", "2", "--steps", "3", "--prompts", "1", "--text-bytes", "8")


@pytest.fixture(scope="module")
def compared(place, tmp_path_factory):
    """A comparison of two widths with two seeds, to be copied: its folder and its figures."""
    from pentad_cli import main

    out = tmp_path_factory.mktemp("compared") / "out"
    plugins = ("--plugin", "here.py", "--plugin", "inline.py", "--executor", "inline", "--name", "mine")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(place)
        patched.setenv("PENTAD_CACHE", str(place / "cache"))
        words = ("compare", *WITH_SEEDS, "--config", "tiny.toml", "--data", "text.txt", *plugins, "--out", str(out))
        assert main.call(list(words)) == 0
    return out, json.loads((out / "mine" / "comparison.json").read_text())


def _scored(found):
    return [(arm["label"], arm["mean"], [seed["score"] for seed in arm["seeds"]], arm["samplers"]) for arm in found["arms"]]


SWAPPED = {
    "arms": ".",
    "seeds' folders": "seed-0",
    "runs": "seed-0/run",
    "records": ("seed-0/run/metrics.jsonl", "seed-0/run/samples.jsonl", "seed-0/run/result.json"),
    "records with recipes": tuple(
        f"seed-0/run/{name}" for name in ("metrics.jsonl", "samples.jsonl", "result.json", "recipe.toml")
    ),
    "outcomes": "seed-0/outcome.json",
    "texts": "seed-0/texts.json",
    "plans": "plan/plan.json",
}


@pytest.mark.parametrize("names", SWAPPED.values(), ids=SWAPPED)
def test_what_is_swapped_between_arms_changes_no_figure(compare, compared, tmp_path, names):
    source, first = compared
    out = shutil.copytree(source, tmp_path / "out")
    one, other = sorted((out / "runs").iterdir())
    for name in (names,) if isinstance(names, str) else names:
        _swap(one / name, other / name)
    found, _ = compare(*WITH_SEEDS, "--name", "mine", out=out)
    assert _scored(found) == _scored(first)


def test_what_is_swapped_between_seeds_changes_no_figure(compare, compared, tmp_path):
    source, first = compared
    out = shutil.copytree(source, tmp_path / "out")
    for arm in (out / "runs").iterdir():
        _swap(arm / "seed-0" / "run", arm / "seed-1" / "run")
    assert _scored(compare(*WITH_SEEDS, "--name", "mine", out=out)[0]) == _scored(first)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [("outcome.json", "lossless", False), ("outcome.json", "causal", False), ("outcome.json", "peak_memory_bytes", 1)],
)
def test_an_edited_fact_beside_the_score_is_made_anew(compare, compared, tmp_path, name, key, value):
    source, first = compared
    out = shutil.copytree(source, tmp_path / "out")
    path = sorted((out / "runs").glob(f"*/seed-0/{name}"))[0]
    facts = json.loads(path.read_text())
    assert facts[key] != value
    path.write_text(json.dumps({**facts, key: value}))
    found, _ = compare(*WITH_SEEDS, "--name", "mine", out=out)
    assert _scored(found) == _scored(first) and found["groups"] == first["groups"]
    assert json.loads(path.read_text())[key] != value


@pytest.mark.parametrize(
    "name", ["mine", "runs", "runs/*", "runs/*/seed-0", "runs/*/seed-0/run", "runs/*/seed-0/run/metrics.jsonl"]
)
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_nothing_is_written_through_a_link_and_no_pipe_is_waited_for(compare, compared, tmp_path, name, kind):
    out = shutil.copytree(compared[0], tmp_path / "out")
    path = sorted(out.glob(name))[0]
    elsewhere = path.rename(tmp_path / "elsewhere")
    before = _content(elsewhere)
    path.symlink_to(elsewhere) if kind == "link" else os.mkfifo(path)
    compare(*WITH_SEEDS, "--name", "mine", out=out, code=1, error="not-a-plain-file")
    assert _content(elsewhere) == before


def _content(path):
    if path.is_file():
        return path.read_bytes()
    return {each.relative_to(path): each.read_bytes() for each in path.rglob("*") if each.is_file()}

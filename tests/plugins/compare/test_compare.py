"""Whole comparisons through the command line: what is found, what is used again, what fails."""

from __future__ import annotations

import io
import json
import math
import shutil
import signal
import time
from pathlib import Path

import pytest
import rich.text
from safetensors.numpy import load_file

from pentad_compare import records
from pentad_compare.measures.figures import TokenizerFigures
from pentad_compare.terminal.screen import Screen
from pentad_compare.verdicts.groups import FAILED, NOT_JUDGED, NOT_LOSSLESS

ROOT = Path(__file__).parents[3]
SHORT = ("--text-bytes", "60")


def weights(run):
    newest = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name.removeprefix("step-")))
    return load_file(newest / "model.safetensors")


def same_weights(one, other):
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def test_a_comparison_from_lists_to_verdicts(compare, tmp_path, place):
    found, said = compare(
        "--model", "gpt,rnn", "--model.cell", "gru", "--seeds", "2", "--baseline", "rnn", "--prompts", "2", *SHORT
    )
    arms = {arm["label"]: arm for arm in found["arms"]}
    assert list(arms) == ["gpt", "rnn"]
    assert found["seeds"] == [0, 1]
    assert found["budget"] == "12 steps"
    for arm in arms.values():
        scores = [seed["score"] for seed in arm["seeds"]]
        assert len(scores) == 2
        assert scores[0] != scores[1]
        assert arm["mean"] == pytest.approx(sum(scores) / 2)
        assert arm["bytes_per_token"] == pytest.approx(1, abs=0.01)
        for seed in arm["seeds"]:
            assert (seed["steps"], seed["tokens"]) == (12, 12 * 4 * 16)
            assert seed["flops"] == 12 * arm["flops_per_step"] > 0
            assert [point["final"] for point in seed["curve"]] == [False, True]
            assert seed["curve"][-1]["score"] == seed["score"] == seed["scores"]["bits_per_byte"]
            run = tmp_path / "out" / seed["folder"]
            assert json.loads((run / "engine.json").read_text())["data"]["held_out_bytes"] == found["data"]["held_out_bytes"]
        assert sum(len(sampler["texts"]) for sampler in arm["samplers"]) == 2
    (group,) = found["groups"]
    assert group["baseline"] == "rnn"
    assert sorted(group["arms"], key=lambda label: arms[label]["mean"]) == group["arms"]
    (difference,) = group["differences"]
    paired = [a["score"] - b["score"] for a, b in zip(arms["gpt"]["seeds"], arms["rnn"]["seeds"], strict=True)]
    assert difference["mean"] == pytest.approx(sum(paired) / 2)
    assert difference["low"] < difference["mean"] < difference["high"]
    assert difference["words"] in said.out
    assert "--model.cell applies to rnn only" in said.out
    assert "bits/byte ± sd" in said.out and "difference [95%]" in said.out and "tokens/s" in said.out
    report = (tmp_path / "out" / found["name"] / "report.html").read_text(encoding="utf-8")
    assert report.startswith("<!doctype html>")
    assert records.from_dict(records.Comparison, found).to_json(report) == (
        tmp_path / "out" / found["name"] / "comparison.json"
    ).read_text(encoding="utf-8")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(write, columns, monkeypatch):
    """Return the lines that a screen writes in a terminal of so many columns."""
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = Screen(Terminal())
    write(screen)
    return rich.text.Text.from_ansi(screen.console.file.getvalue()).plain.splitlines()


def test_tables_fit_the_terminal(compare, monkeypatch):
    found, _ = compare("--seeds", "2", "--prompts", "1", *SHORT, "--optimizer.lr", "1e-3,2e-3", "--confidence", "0.9")
    comparison = records.from_dict(records.Comparison, found)
    tokenizers = [TokenizerFigures(label="bpe", recipe={}, vocab_size=50_257, encode_bytes_per_second=5e8)]
    for columns in (100, 80, 60, 44):
        lines = shown(lambda screen: screen.result(comparison), columns, monkeypatch)
        assert max(map(len, lines)) <= columns
        said = "\n".join(lines)
        assert "difference [90%]" in said and "…" not in said
        for arm in comparison.arms:
            assert f"{arm.mean:.3f}" in said
        assert ("in the report" in said) == (columns < 100)
        lines = shown(lambda screen: screen.tokenizers(tokenizers), columns, monkeypatch)
        assert max(map(len, lines)) <= columns and "…" not in "".join(lines)


def test_a_plan_fits_a_narrow_terminal(compare, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setattr("pentad_compare.terminal.screen.is_terminal", lambda stream: True)
    _, said = compare("--model", "gpt,rnn", "--dry-run")
    lines = rich.text.Text.from_ansi(said.out).plain.splitlines()
    assert any("parameters" in line for line in lines) and max(map(len, lines)) <= 50


def test_options_behind_a_name_are_that_arms_alone(compare, tmp_path):
    lists = ("--model", "gpt,gpt,n-layer=2", "--model", "rnn,n-layer=1,n-embd=16,cell=gru")
    found, _ = compare(*lists, "--baseline", "n_layer 2", "--seeds", "1", "--prompts", "0")
    labels = ["gpt", "gpt, n_layer 2", "rnn, n_layer 1, n_embd 16, cell gru"]
    assert [arm["label"] for arm in found["arms"]] == labels
    models = [arm["recipe"]["model"] for arm in found["arms"]]
    assert [(model["name"], model["n_layer"], model.get("cell")) for model in models] == [
        ("gpt", 1, None),
        ("gpt", 2, None),
        ("rnn", 1, "gru"),
    ]
    assert {group["baseline"] for group in found["groups"]} == {"gpt, n_layer 2"}
    (report,) = tmp_path.glob("out/*/report.html")
    assert f"Compared: {'; '.join(labels)}" in report.read_text()


def test_a_baseline_is_found_by_a_part_of_its_label(compare):
    lists = ("--model", "gpt,rnn", "--optimizer", "adamw,muon", "--arm", "tiny.toml")
    for word, label in [("rnn, muon", "rnn, muon"), ("tiny", "tiny")]:
        _, said = compare(*lists, "--baseline", word, "--dry-run", "--json")
        assert json.loads(said.out)["baseline"] == label
    _, said = compare("--model", "gpt,rnn", "--model.n-head", "1,2", "--baseline", "n_head 2", "--dry-run", "--json")
    assert json.loads(said.out)["baseline"] == "gpt, n_head 2"


def test_the_command_that_reproduces_an_arm_does(compare, place, tmp_path, engine):
    found, _ = compare("--seeds", "1", "--prompts", "0")
    command = found["arms"][0]["reproduce"].split(" ")
    assert command[0] == "engine"
    again = engine(*command[1:], "--out", tmp_path / "again")
    assert again.wait() == 0, again.stderr.read()
    assert same_weights(weights(tmp_path / "again"), weights(tmp_path / "out" / found["arms"][0]["seeds"][0]["folder"]))


def test_what_is_there_is_used_again_and_more_seeds_and_arms_add_to_it(compare, tmp_path):
    first, _ = compare("--seeds", "1", "--model.n-layer", "1", "--prompts", "0")
    run = tmp_path / "out" / first["arms"][0]["seeds"][0]["folder"]
    written = (run / "metrics.jsonl").stat().st_mtime_ns
    second, said = compare("--seeds", "2", "--model.n-layer", "1,2", "--prompts", "0")
    by_label = {arm["label"]: arm for arm in second["arms"]}
    assert [seed["reused"] for seed in by_label["n_layer 1"]["seeds"]] == [True, False]
    third, said = compare("--seeds", "2", "--model.n-layer", "1,2", "--prompts", "0")
    assert all(seed["reused"] for arm in third["arms"] for seed in arm["seeds"])
    assert "4 runs found from before" in said.out
    assert (run / "metrics.jsonl").stat().st_mtime_ns == written
    assert by_label["n_layer 1"]["seeds"][0]["folder"] == first["arms"][0]["seeds"][0]["folder"]


def test_another_text_or_recipe_is_another_run(compare, place, tmp_path):
    first, _ = compare("--seeds", "1", "--prompts", "0")
    other, _ = compare("--seeds", "1", "--prompts", "0", "--batch-size", "5")
    text = (place / "text.txt").read_text()
    try:
        (place / "text.txt").write_text(text + "one more line.\n")
        third, _ = compare("--seeds", "1", "--prompts", "0")
    finally:
        (place / "text.txt").write_text(text)
    folders = {found["arms"][0]["seeds"][0]["folder"] for found in (first, other, third)}
    assert len(folders) == 3
    assert not any(found["arms"][0]["seeds"][0]["reused"] for found in (first, other, third))


def test_what_is_said_once_holds_for_hand_written_arms_too(compare, tmp_path):
    (tmp_path / "hand.toml").write_text('[model]\nname = "rnn"\nn_hidden = 8\n[training]\nbatch_size = 9\n')
    found, _ = compare(
        "--arm", tmp_path / "hand.toml", "--batch-size", "3", "--model.n-embd", "24", "--seeds", "1", "--prompts", "0"
    )
    hand = found["arms"][1]["recipe"]
    assert (hand["training"]["batch_size"], hand["model"]["n_embd"], hand["model"]["n_hidden"]) == (3, 24, 8)
    assert len({arm["seeds"][0]["tokens"] for arm in found["arms"]}) == 1


def test_reports_of_other_questions_lie_apart(compare, tmp_path):
    compare("--tokenizer", "byte,bpe", "--tokenizer.vocab-size", "280", "--no-train")
    compare("--tokenizer", "byte,bpe", "--tokenizer.vocab-size", "280", "--seeds", "1", "--prompts", "0")
    assert len(list((tmp_path / "out").glob("*/report.html"))) == 2


def test_a_folder_that_cannot_be_made_is_said(compare, tmp_path):
    (tmp_path / "file").write_text("")
    compare("--dry-run", "--seeds", "1", out=tmp_path / "file" / "out", code=1, error="not-writable")


@pytest.mark.parametrize("way", ["list", "file"])
def test_the_same_recipe_twice_is_a_null_test(compare, place, tmp_path, way):
    """Both arms are trained, each by itself, and differ in nothing."""
    shutil.copy(place / "tiny.toml", tmp_path / "copy.toml")
    twice = {"list": ("--model", "gpt,gpt"), "file": ("--arm", tmp_path / "copy.toml")}[way]
    found, said = compare(*twice, "--seeds", "3", "--prompts", "0")
    labels = ["gpt", {"list": "gpt (2)", "file": "copy"}[way]]
    assert [arm["label"] for arm in found["arms"]] == labels
    assert f"{labels[0]} and {labels[1]} have the same recipe: a null test" in found["notes"][0] and "null test" in said.out
    folders = [seed["folder"] for arm in found["arms"] for seed in arm["seeds"]]
    assert len(set(folders)) == 6
    (difference,) = found["groups"][0]["differences"]
    assert difference["verdict"] == "none"
    assert difference["mean"] == 0


def test_a_recipe_that_is_known_to_be_better_wins(compare):
    """The power test: one optimizer hardly moves."""
    found, _said = compare("--optimizer.lr", "0.01,0.000001", "--seeds", "3", "--prompts", "0")
    assert found["groups"][0]["arms"] == ["lr 0.01", "lr 0.000001"]
    (difference,) = found["groups"][0]["differences"]
    assert difference["verdict"] == "worse"
    assert 0 < difference["low"] < difference["high"]


def test_arms_that_fail_are_shown_and_the_others_go_on(compare):
    arguments = ("--optimizer.lr", "0.01,1e30", "--seeds", "2", "--prompts", "0")
    found, said = compare(*arguments, code=1, error="arm-failed")  # a script notices; the report is there all the same
    good, bad = found["arms"]
    assert good["mean"] is not None
    assert bad["mean"] is None
    assert "not finite" in bad["failure"]
    assert [seed["failure"] != "" for seed in bad["seeds"]] == [True, True]
    assert found["groups"][1]["reason"] == FAILED
    assert found["groups"][0]["differences"] == []
    assert any("lr 1e30" in note for note in found["notes"])
    assert "failed" in said.out


def test_arms_that_no_evaluator_judges_are_not_ranked(compare):
    found, said = compare("--builder", "next-token,hidden-third", "--seeds", "1", "--prompts", "0")
    ranked, other = found["groups"]
    assert (ranked["arms"], ranked["reason"]) == (["next-token"], "")
    assert (other["arms"], other["reason"], other["metric"], other["differences"]) == (["hidden-third"], NOT_JUDGED, None, [])
    assert NOT_JUDGED in said.out


def test_each_evaluator_ranks_its_own_arms(compare, tmp_path):
    found, said = compare(
        *("--builder", "next-token,guessed", "--model.n-embd", "16,32"),
        *("--seeds", "2", "--prompts", "1", *SHORT, "--figures", tmp_path / "figures"),
    )
    causal, bidirectional = found["groups"]
    assert [group["metric"]["evaluator"] for group in found["groups"]] == ["bits-per-byte", "masked-accuracy,apart=4"]
    assert {label.partition(",")[0] for label in causal["arms"]} == {"next-token"}
    assert {label.partition(",")[0] for label in bidirectional["arms"]} == {"guessed"}
    arms = {arm["label"]: arm for arm in found["arms"]}
    means = [arms[label]["mean"] for label in bidirectional["arms"]]
    assert means == sorted(means, reverse=True) and bidirectional["metric"]["lower_is_better"] is False
    assert {difference["arm"].partition(",")[0] for difference in bidirectional["differences"]} == {"guessed"}
    scores = [arms[label]["seeds"][0]["scores"] for label in bidirectional["arms"]]
    assert all(score["masked_accuracy"] == pytest.approx(arms[label]["seeds"][0]["score"]) for score, label in
               zip(scores, bidirectional["arms"], strict=True))  # fmt: skip
    assert not [sampler for label in bidirectional["arms"] for sampler in arms[label]["samplers"]]  # they write no texts
    assert "masked accuracy ± sd" in said.out
    names = {path.name for path in (tmp_path / "figures").glob("*.svg")}
    assert {"scores-0.svg", "scores-1.svg", "differences-0.svg", "differences-1.svg"} <= names


def test_tuning_follows_the_direction_of_the_score(compare):
    found, _ = compare("--builder", "guessed", "--tune", "optimizer.lr=1e-9,0.03", "--seeds", "1", "--prompts", "0")
    (arm,) = found["arms"]
    low, high = (candidate["scores"][0] for candidate in arm["candidates"])
    assert high > low and [candidate["chosen"] for candidate in arm["candidates"]] == [False, True]


def test_a_lossy_tokenizer_gets_no_verdict_against_a_lossless_one(compare):
    found, _ = compare("--tokenizer", "byte,lower", "--seeds", "2", "--prompts", "0")
    assert [(group["arms"], group["reason"]) for group in found["groups"]] == [(["byte"], ""), (["lower"], NOT_LOSSLESS)]
    assert not [difference for group in found["groups"] for difference in group["differences"]]


def test_bytes_of_text_are_equal_across_tokenizers(compare):
    found, _ = compare(
        "--tokenizer", "byte,bpe", "--tokenizer.vocab-size", "300", "--seeds", "1", "--budget", "3kB", "--prompts", "0"
    )
    byte, bpe = (arm["seeds"][0] for arm in found["arms"])
    assert found["arms"][1]["bytes_per_token"] > 1.3
    assert byte["bytes"] == pytest.approx(3000, rel=0.08)
    assert bpe["bytes"] == pytest.approx(3000, rel=0.08)
    assert byte["tokens"] > 1.2 * bpe["tokens"]


def test_flops_are_equal_across_models(compare):
    found, _ = compare("--model.n-embd", "16,64", "--seeds", "1", "--budget", "2e8flops", "--prompts", "0")
    small, large = (arm["seeds"][0] for arm in found["arms"])
    assert small["flops"] == pytest.approx(2e8, rel=0.1)
    assert large["flops"] == pytest.approx(2e8, rel=0.3)
    assert small["steps"] > 2 * large["steps"]


def test_time_is_equal_and_not_shared(compare):
    found, _ = compare("--model.n-embd", "16,64", "--seeds", "1", "--budget", "0.4s", "--prompts", "0")
    for arm in found["arms"]:
        assert 0.4 <= arm["seeds"][0]["training_seconds"] < 2


def test_a_budget_of_time_is_refused_where_runs_share_a_processor(engine, tmp_path):
    text = ("--config", "tiny.toml", "--data", "text.txt", "--out", tmp_path)
    started = engine("compare", *text, "--budget", "1s", "--jobs", "2", "--seeds", "2", "--json")
    _, err = started.communicate(timeout=60)
    assert started.returncode == 2
    assert "budget-shared" in err and "--jobs 1" in err


def test_a_dry_run_trains_nothing(compare, tmp_path):
    found, said = compare("--model.n-layer", "1,2", "--dry-run")
    assert found is None
    assert "2 arms with 3 seeds: 6 runs of 12 steps" in said.out
    assert "nothing was trained" in said.out
    assert not list((tmp_path / "out").glob("runs/*/seed-*"))
    _, said = compare("--model.n-layer", "1,2", "--dry-run", "--json")
    planned = json.loads(said.out)
    assert [arm["label"] for arm in planned["arms"]] == ["n_layer 1", "n_layer 2"]
    assert all(arm["plan"]["steps"] == 12 for arm in planned["arms"])


def test_json_goes_to_stdout_and_all_else_to_stderr(compare):
    found, said = compare("--seeds", "1", "--prompts", "0", "--json")
    assert json.loads(said.out)["name"] == found["name"]
    assert "Comparing" in said.err


@pytest.mark.parametrize(
    ("wrong", "error", "hint"),
    [
        (["--model", "gpt,rn"], "unknown-name", "Did you mean rnn?"),
        (["--model.n-layerz", "1,2"], "unknown-option", "--model.n-layer"),
        (["--baseline", "gtp", "--seeds", "1"], "unknown-arm", "Did you mean gpt?"),
        (["--model.n-layer", "1,2", "--baseline", "rnn"], "unknown-arm", "n_layer 1; n_layer 2"),
        (
            ["--model", "gpt,rnn", "--model.n-embd", "16,32", "--baseline", "rnn"],
            "ambiguous-arm",
            "rnn, n_embd 16; rnn, n_embd 32",
        ),
        ([], "nothing-to-compare", "engine compare --model gpt,rnn"),
        (["--dry-run", "--steps", "3"], "nothing-to-compare", "--seeds 3"),
        (["--tune", "optimizer.lr"], "tune-format", "optimizer.lr=3e-4"),
        (["--tune", "optimizer.lrr=1,2"], "unknown-option", "Did you mean lr?"),
        (["--tune", "sampler.k=1,2"], "tune-unknown", ""),
        (["--steps", "5", "--budget", "3s"], "options-conflict", "one of them"),
        (["--held-out", "0", "--seeds", "1"], "nothing-held-out", ""),
        (["--arm", "nowhere.toml"], "file-missing", ""),
        (["--seeds", "0"], "option-bounds", ""),
        (["--tune", "training.steps=5,40"], "tune-shared", "flag of its own"),
        (["--model.n-layer", "1,2", "--tune", "model.n-layer=1,2"], "tune-axis", ""),
        (["--tune-budget", "3kB", "--seeds", "1"], "tune-missing", ""),
        (["--name", "../x", "--seeds", "1"], "name-format", ""),
        (["--name", "runs", "--seeds", "1"], "name-format", ""),
        (["--model", ","], "value-missing", ""),
    ],
)
def test_what_is_wrong_is_said_in_two_lines(compare, wrong, error, hint):
    found, said = compare(*wrong, code=2, error=error)
    assert found is None
    assert hint in said.err
    assert "Traceback" not in said.err
    assert len(said.err.strip().splitlines()) <= 6


def test_tuning_gives_every_arm_its_best_on_other_seeds_and_other_text(compare, tmp_path):
    found, _said = compare(
        "--optimizer",
        "adamw,muon",
        "--tune",
        "optimizer.lr=x0.001,x1",
        "--tune-budget",
        "0.5kB",
        "--seeds",
        "1",
        "--prompts",
        "0",
    )
    for arm in found["arms"]:
        assert len(arm["candidates"]) == 2
        assert [candidate["chosen"] for candidate in arm["candidates"]] == [False, True]
        tried = [float(candidate["options"]["optimizer.lr"]) for candidate in arm["candidates"]]
        assert arm["recipe"]["optimizer"]["lr"] == pytest.approx(tried[1]) == pytest.approx(1000 * tried[0])
        assert arm["recipe"]["data"]["validation"] == 0
    runs = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("runs/*/seed-*/run/engine.json")]
    assert len(runs) == 2 * 2 + 2
    held_out = {run["data"]["held_out_bytes"] for run in runs}
    assert len(held_out) == 2
    seeds = {path.name for path in (tmp_path / "out").glob("runs/*/seed-*")}
    assert seeds == {"seed-0", "seed-1000003"}


def test_killed_in_the_middle_it_goes_on_and_ends_as_if_nothing_had_been(engine, place, tmp_path):
    def arguments(out):
        return (
            "compare", "--config", "tiny.toml", "--data", "text.txt", "--seeds", "2", "--steps", "100", "--out", out,
            "--checkpoint-seconds", "0.05", "--prompts", "0", "--json",
        )  # fmt: skip

    calm = engine(*arguments(tmp_path / "calm"))
    out, err = calm.communicate(timeout=200)
    assert calm.returncode == 0, err
    expected = json.loads(out)
    killed = engine(*arguments(tmp_path / "killed"))
    deadline = time.monotonic() + 100
    while not list((tmp_path / "killed").glob("runs/*/seed-1/run/checkpoints/step-*")):
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    again = engine(*arguments(tmp_path / "killed"))  # at once: the run under way may be saving still
    out, err = again.communicate(timeout=200)
    assert again.returncode == 0, err
    found = json.loads(out)
    first, second = found["arms"][0]["seeds"]
    assert first["reused"]
    for ours, theirs in zip((first, second), expected["arms"][0]["seeds"], strict=True):
        assert ours["score"] == theirs["score"]
        assert same_weights(weights(tmp_path / "killed" / ours["folder"]), weights(tmp_path / "calm" / theirs["folder"]))
    assert math.isfinite(found["arms"][0]["mean"])


@pytest.mark.parametrize(("number", "how"), [(signal.SIGINT, "fresh_engine"), (signal.SIGTERM, "engine")])
def test_a_stopped_comparison_saves_and_says_how_to_go_on(request, tmp_path, number, how):
    text = ("--config", "tiny.toml", "--data", "text.txt")
    long = ("--seeds", "1", "--steps", "100000", "--compile", "off")
    started = request.getfixturevalue(how)("compare", *text, *long, "--out", tmp_path / "out")
    deadline = time.monotonic() + 100
    while not any(path.stat().st_size for path in (tmp_path / "out").glob("runs/*/seed-0/run/metrics.jsonl")):
        assert time.monotonic() < deadline
        assert started.poll() is None, started.communicate()
        time.sleep(0.02)
    started.send_signal(number)
    _out, err = started.communicate(timeout=100)
    assert started.returncode == 130, err
    assert "0 of 1 runs are finished" in err
    assert "engine compare --config tiny.toml" in err
    assert list((tmp_path / "out").glob("runs/*/seed-0/run/checkpoints/step-*"))


def test_samplers_train_once_and_are_compared_by_their_texts(compare, tmp_path):
    found, said = compare("--sampler", "greedy,temperature", "--seeds", "2", "--prompts", "3", *SHORT)
    (arm,) = found["arms"]
    assert len(list((tmp_path / "out").glob("runs/*/seed-*/run"))) == 2
    greedy, drawn = arm["samplers"]
    assert [greedy["sampler"], drawn["sampler"]] == ["greedy", "temperature"]
    assert greedy["figures"]["repetition"] > drawn["figures"]["repetition"]
    assert greedy["figures"]["bits_per_byte"] < drawn["figures"]["bits_per_byte"]
    prompts = [text["prompt"] for text in found["human_texts"]]
    for sampler in (greedy, drawn):
        assert list(sampler["by_seed"]) == ["0", "1"]
        assert [text["prompt"] for text in sampler["texts"]] == prompts
        assert all(len(text["text"].encode()) <= 60 for text in sampler["texts"])
    assert found["human"]["bits_per_byte"] is not None
    assert "held-out text" in said.out
    again, _ = compare("--sampler", "greedy", "--seeds", "2", "--prompts", "3", *SHORT)
    assert all(seed["reused"] for seed in again["arms"][0]["seeds"])
    assert again["arms"][0]["samplers"][0]["figures"] == greedy["figures"]


def test_tokenizers_alone(compare, tmp_path):
    lists = ("--tokenizer", "byte,bpe", "--tokenizer.vocab-size", "280,300,9000", "--no-train")
    found, said = compare(*lists, code=1, error="arm-failed")
    byte, *bpe = found["tokenizers"]
    assert [each["label"] for each in found["tokenizers"]] == ["byte", *(f"bpe, vocab_size {n}" for n in (280, 300, 9000))]
    assert (byte["bytes_per_token"], byte["round_trip_failures"]) == (1, 0)
    assert 1 < bpe[0]["bytes_per_token"] < bpe[1]["bytes_per_token"]
    assert "vocab" in bpe[2]["failure"]
    assert sum(bpe[0]["lengths"].values()) == bpe[0]["n_tokens"]
    assert "bpe, vocab_size 300" in said.out
    assert (found["arms"], found["groups"], found["notes"]) == ([], [], [])
    assert not (tmp_path / "out" / "runs").exists()
    _, said = compare("--tokenizer", "byte,bpe", "--model", "gpt,rnn", "--no-train", code=2, error="options-conflict")

"""What a command line asks for is what is done, and what is not as it was asked for is done anew."""

from __future__ import annotations

import json
import time
import tomllib

import pytest
import torch

from pentad import Catalogue

ONE = ("--seeds", "1", "--prompts", "0")
"""One run of each arm, and nothing else."""


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def recipes(out):
    """Return the recipe of every run, by its folder."""
    return {path.parent: tomllib.loads(path.read_text()) for path in out.glob("runs/*/seed-*/run/recipe.toml")}


def steps_done(run):
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return max(line["step"] for line in lines if line["kind"] == "step")


# What is used again


def is_reused(found):
    (arm,) = found["arms"]
    return [seed["reused"] for seed in arm["seeds"]] == [True]


def test_another_version_of_the_engine_trains_anew(compare, monkeypatch):
    first, _ = compare(*ONE)
    again, _ = compare(*ONE)
    assert is_reused(again)
    monkeypatch.setattr("pentad.__version__", "99.0")
    newer, _ = compare(*ONE)
    assert not is_reused(newer)
    assert newer["arms"][0]["seeds"][0]["folder"] != first["arms"][0]["seeds"][0]["folder"]
    assert newer["arms"][0]["mean"] == first["arms"][0]["mean"]  # nothing else has changed


ELSEWHERE = """
from pentad import Implementation, hookimpl

@hookimpl
def engine_optimizers():
    return [Implementation(name="adamw-elsewhere", summary="AdamW.", factory={factory!r}, options={options!r})]
"""


def test_another_version_of_a_plugin_trains_anew(compare, monkeypatch, tmp_path):
    record = Catalogue().find("optimizer", "adamw").record
    site = tmp_path / "site"
    info = site / "elsewhere_of_compare.dist-info"
    info.mkdir(parents=True)
    (site / "elsewhere_of_compare.py").write_text(ELSEWHERE.format(factory=record.factory, options=record.options))
    (info / "entry_points.txt").write_text("[pentad]\nelsewhere = elsewhere_of_compare\n")
    monkeypatch.syspath_prepend(str(site))

    def of_version(version):
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: elsewhere-of-compare\nVersion: {version}\n")
        return compare("--optimizer", "adamw-elsewhere", *ONE)[0]

    first, again, newer = of_version("1.0"), of_version("1.0"), of_version("1.1")
    assert [is_reused(found) for found in (first, again, newer)] == [False, True, False]
    assert newer["arms"][0]["mean"] == first["arms"][0]["mean"]


def test_wall_time_counts_earlier_attempts(compare, tmp_path):
    first, _ = compare(*ONE)
    (outcome,) = tmp_path.glob("out/runs/*/seed-0/outcome.json")
    outcome.unlink()  # as if it had been killed between the end of the training and this file
    began = time.perf_counter()
    second, _ = compare(*ONE)
    elapsed = time.perf_counter() - began
    (before,), (after,) = first["arms"][0]["seeds"], second["arms"][0]["seeds"]
    assert not after["reused"]
    assert after["score"] == before["score"]
    assert before["wall_seconds"] < after["wall_seconds"] < before["wall_seconds"] + elapsed


# What is asked for


def test_detect_is_the_effect_size_of_the_power_analysis(compare):
    # Almost certain intervals are so wide that two seeds never show a difference.
    arms = ("--precision", "fp32,bf16", "--seeds", "2", "--prompts", "0", "--confidence", "0.999")
    found = {detect: compare(*arms, "--detect", detect)[0] for detect in (50, 1e-7)}
    words = {detect: each["groups"][0]["differences"][0]["words"] for detect, each in found.items()}
    assert {detect: each["detect"] for detect, each in found.items()} == {50: 50, 1e-7: 1e-7}
    assert "a difference of 50 would probably have been shown" in words[50]
    assert "would be needed to show 1e-07" in words[1e-7]
    assert any("computed in different ways" in note for note in found[50]["notes"])  # as two formats of numbers are


def test_the_best_of_what_was_tried_wins_wherever_it_stands(compare, tmp_path):
    found, _ = compare("--tune", "optimizer.lr=1e-6,0.01,1e-5", "--tune-budget", "0.3kB", *ONE)
    (arm,) = found["arms"]
    assert [candidate["chosen"] for candidate in arm["candidates"]] == [False, True, False]
    scores = [candidate["scores"][0] for candidate in arm["candidates"]]
    assert min(scores) == scores[1]
    assert arm["recipe"]["optimizer"]["lr"] == 0.01
    assert [note for note in found["notes"] if "0.01, is the highest that was tried" in note]
    tries = [run for run, recipe in recipes(tmp_path / "out").items() if recipe["data"].get("validation")]
    assert len(tries) == 3
    assert all(steps_done(run) in (4, 5) for run in tries)  # 300 bytes are 4.7 steps of 64
    assert arm["seeds"][0]["steps"] == 12


def test_a_recipe_file_ends_as_the_comparison_does(compare, tmp_path):
    (tmp_path / "short.toml").write_text("[training]\nsteps = 3\n")
    (tmp_path / "little.toml").write_text('[training]\nbudget = "0.2kB"\n')
    found, _ = compare("--arm", tmp_path / "short.toml", "--arm", tmp_path / "little.toml", "--budget", "0.5kB", *ONE)
    assert [arm["label"] for arm in found["arms"]] == ["gpt", "short", "little"]
    (steps,) = {arm["seeds"][0]["steps"] for arm in found["arms"]}
    assert steps in (7, 8)  # 500 bytes are 7.8 steps of 64


# What fails


def test_an_arm_that_cannot_be_planned_is_not_trained(compare, tmp_path):
    found, said = compare("--tokenizer", "byte,bpe", "--tokenizer.vocab-size", "9000", *ONE, code=1, error="arm-failed")
    byte, bpe = found["arms"]
    assert byte["mean"] is not None
    assert "9000" in bpe["failure"].replace(",", "")
    assert (bpe["seeds"], bpe["mean"]) == ([], None)
    assert len(list((tmp_path / "out").glob("runs/*/seed-*"))) == 1
    assert "failed" in said.out


def test_where_no_run_came_to_an_end_the_command_fails(compare):
    found, said = compare("--optimizer.lr", "1e30", *ONE, code=1, error="all-failed")
    assert found["arms"][0]["failure"] in said.err  # the report is there all the same

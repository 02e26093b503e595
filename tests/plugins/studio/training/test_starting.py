"""A form becomes a command, and the command is what is planned and started."""

from __future__ import annotations

import json
import shlex
import time

import pytest

from pentad.testing import raises_code
from pentad_studio.training.starting import arguments_of, command_of, name_of

FORM = {
    "tokenizer": "byte",
    "model": "gpt",
    "model.n_layer": "2",
    "model.dropout": "",
    "sampler": "top-k+temperature",
    "sampler.top_k__k": "5",
    "data": "my text.txt\n\nshakespeare",
    "budget": "90s",
    "seed": "3",
    "training.batch_size": "4",
    "start": "",
}


def test_a_form_is_a_command():
    assert arguments_of(FORM) == [
        "--tokenizer=byte",
        "--model=gpt",
        "--model.n-layer=2",
        "--sampler=top-k+temperature",
        "--sampler.top-k.k=5",
        "--data=my text.txt",
        "--data=shakespeare",
        "--budget=90s",
        "--seed=3",
        "--training.batch-size=4",
    ]
    assert arguments_of({"budget": "500"}) == ["--steps=500"]


def test_the_command_that_is_shown_means_the_same():
    shown = command_of(arguments_of({**FORM, "data": "-x; rm 'a'"}), "runs/a b")
    words = shlex.split(shown)
    assert words[:4] == ["engine", "run", "--tokenizer", "byte"]
    assert "--data=-x; rm 'a'" in words
    assert words[-2:] == ["--out", "runs/a b"]


def test_no_option_is_smuggled_in():
    with raises_code("unknown-option"):
        arguments_of({"model.x --out": "1"})
    with raises_code("form-unreadable"):
        arguments_of({"model": "gpt\n--out=/tmp"})


def test_a_run_gets_a_name_that_is_free_and_no_path(studio):
    assert name_of(studio, {"name": "mine"}) == "mine"
    assert name_of(studio, {"model": "gpt"}).endswith("-gpt")
    with raises_code("run-name"):
        name_of(studio, {"name": "../mine"})
    with raises_code("folder-taken"):
        name_of(studio, {"name": "tiny"})


def test_the_command_is_shown_while_the_form_is_filled_in(page):
    html = page.ask("start-command", **FORM, name="mine")
    assert "engine run --tokenizer byte --model gpt --model.n-layer 2" in html
    assert page.get("start").text.count('name="model"') == 1


@pytest.fixture
def small(text_file):
    return {
        "tokenizer": "byte",
        "model": "gpt",
        "model.n_layer": "1",
        "model.n_head": "1",
        "model.n_embd": "16",
        "optimizer": "adamw",
        "data": str(text_file),
        "training.context_length": "32",
        "machine.threads": "1",
        "machine.device": "cpu",
        "machine.compile": "off",
    }


def test_the_plan_comes_before_the_run(page, small, tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path))
    html = page.ask("start-plan", **small, budget="20")
    assert "<dt>steps</dt><dd>20</dd>" in html and "<dt>vocabulary</dt><dd>257</dd>" in html


def test_a_run_is_started_seen_and_stopped(page, studio, small, tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path))
    answer = json.loads(page.ask("start-run", **small, budget="1000000", name="started"))
    assert answer["address"] == "training?runs=started"
    end = time.monotonic() + 60
    while not page.get("started?name=started").json()["there"]:
        assert page.get("started?name=started").json()["running"] and time.monotonic() < end
        time.sleep(0.1)
    assert 'class="state-training"' in page.ask("training-list", filter="START")
    assert page.refusal("run-resume", name="started") == "run-in-use"
    page.ask("run-stop", name="started")
    job = studio.jobs.get("started")
    assert job.process.wait(60) == 130
    assert list((studio.runs / "started" / "checkpoints").iterdir())
    assert page.refusal("run-stop", name="started") == "not-started-here"


def test_a_run_is_resumed_by_the_command(page, studio, monkeypatch):
    given = []
    monkeypatch.setattr(studio.jobs, "start", lambda name, arguments: given.append((name, arguments)))
    page.ask("run-resume", name="tiny", steps="40")
    assert given == [("tiny", ["resume", str(studio.runs / "tiny"), "--steps=40"])]
    assert page.refusal("run-resume", name="nothing") == "unknown-run"

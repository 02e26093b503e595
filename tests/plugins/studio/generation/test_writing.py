"""What is written: the same as the command writes, with what there was to choose from, and led another way by a token."""

from __future__ import annotations

import json
import math

import pytest
import torch

from pentad import make, open_run
from pentad_studio.generation.watching import Watched
from pentad_studio.generation.writing import Wish, write
from pentad_studio.sources.models import open_model, sampler_of


@pytest.fixture(scope="module")
def run(studio):
    return open_model(studio, "tiny")


def tokens(run, method, **wish):
    told = list(write(run, method, Wish(**{"prompt": "9 bot", "kept": (), "max_tokens": 12, "seed": 3, **wish})))
    assert [name for name, _ in told][:1] + [name for name, _ in told][-1:] == ["start", "done"]
    return [data for name, data in told if name == "token"]


def test_the_text_is_that_of_the_command(studio, run, home):
    written = tokens(run, sampler_of(studio, run, "", {}))
    (sample,) = open_run(home / "runs" / "tiny").generate("9 bot", max_tokens=12, seed=3)
    assert [token["id"] for token in written] == list(sample.tokens)


def test_probabilities_are_the_models(studio, run):
    first = tokens(run, sampler_of(studio, run, "top-k", {"k": "5"}))[0]
    logits = run.session.prefill(run.session.prompt("9 bot")[None])[0]
    model = logits.softmax(-1)
    assert first["p"] == pytest.approx(float(model[first["id"]]), abs=1e-5)
    assert first["entropy"] == pytest.approx(float(-(model * model.log2()).sum()), abs=1e-4)
    best = model.topk(5)
    assert first["kept"] == pytest.approx(float(best.values.sum()), abs=1e-5)
    assert first["choices"] == 5
    assert [other["id"] for other in first["others"][:5]] == best.indices.tolist()
    assert sum(other["q"] for other in first["others"]) == pytest.approx(1, abs=1e-5)
    assert all(other["q"] == 0 for other in first["others"][5:])


def test_another_token_is_taken_and_the_text_goes_on_from_there(studio, run):
    first = tokens(run, sampler_of(studio, run, "greedy", {}))
    other = first[2]["others"][1]["id"]
    kept = [first[0]["id"], first[1]["id"], other]
    rest = tokens(run, sampler_of(studio, run, "greedy", {}), kept=kept, max_tokens=3)
    expected = run.session.generate(torch.cat([run.session.prompt("9 bot"), torch.tensor(kept)]), make("sampler", "greedy"))
    assert [token["id"] for token in rest] == [next(expected).token for _ in range(3)]


def test_the_prompt_is_scored_and_nothing_need_be_written(run):
    (_, start), (_, done) = write(run, None, Wish(prompt="9 bottles", kept=(), max_tokens=0, seed=0))
    bits = -sum(math.log2(piece["p"]) for piece in start["prompt"])
    assert bits == pytest.approx(run.session.score("9 bottles").nats / math.log(2), rel=1e-3)
    assert done["tokens"] == 0


def test_without_a_sampler_nothing_is_cut_away(run):
    assert {token["kept"] for token in tokens(run, None)} == {1.0}


def test_a_watched_sampler_changes_nothing():
    logits = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))
    seen = torch.zeros(3, 1, dtype=torch.int64)
    inner = make("sampler", "top-p")
    assert torch.equal(Watched(inner, 5).probabilities(logits, seen), inner.probabilities(logits, seen))


def test_the_stream_tells_it_as_events(page):
    fields = {"run-0": "tiny", "prompt": "<b>", "max_tokens": "3", "column": "0", "sampler-0": "top-k", "sampler-0.k": "4"}
    answer = page.post("generation-stream", data=fields)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event.split("\n") for event in answer.text.strip().split("\n\n")]
    assert [name for name, _ in events] == ["event: start", *["event: token"] * 3, "event: done"]
    assert json.loads(events[1][1].removeprefix("data: "))["choices"] == 4


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"run-0": "nothing"}, "unknown-run"),
        ({"run-0": "tiny", "sampler-0": "nothing"}, "unknown-name"),
        ({"run-0": "tiny", "sampler-0": "top-k", "sampler-0.k": "0"}, "option-bounds"),
        ({"run-0": "tiny", "kept": "300"}, "unknown-token"),
        ({"run-0": "tiny", "prompt": "\ud800"}, "form-unreadable"),
    ],
)
def test_what_cannot_be_is_the_last_event(page, fields, code):
    if "prompt" in fields:
        answer = page.post(
            "generation-stream", content=b"prompt=%ED%A0%80", headers={"content-type": "application/x-www-form-urlencoded"}
        )
    else:
        answer = page.post("generation-stream", data=fields)
    assert f'"code": "{code}"' in answer.text or answer.json()["code"] == code


def test_fields_of_a_form_that_are_none(page):
    assert page.refusal("generation-stream", **{"run-0": "tiny", "kept": "a"}) == "form-unreadable"
    assert page.refusal("generation-stream", **{"run-0": "tiny", "max_tokens": "-1"}) == "form-number"


def test_the_page_lists_runs_and_samplers(page):
    text = page.get("generation?run=tiny").text
    assert '<option value="tiny" selected>' in text
    assert '<option value="top-k">' in text

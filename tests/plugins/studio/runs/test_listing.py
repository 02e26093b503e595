"""The list of runs: from the ends of their files, kept until these change, and a damaged run costs itself alone."""

from __future__ import annotations

import json
import os
import time

import pytest

from pentad.tools import locked
from pentad_studio.runs.listing import Listing, last_lines, summary_of

STAGES = {stage: {"name": f"a-{stage}"} for stage in ("model", "tokenizer", "builder")}
JUDGED = {"kind": "evaluation", "step": 9, "primary": "accuracy_share", "accuracy_share": 0.5}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "engine.json").write_text(json.dumps({"stages": STAGES}))
    (folder / "metrics.jsonl").write_text('{"kind": "step", "step": 7}\n' + json.dumps(JUDGED) + "\n")
    return folder


def test_a_run_says_what_it_is(run):
    found = summary_of(run)
    assert (found.name, found.model, found.tokenizer, found.step) == ("one", "a-model", "a-tokenizer", 9)
    assert (found.score, found.scored) == (0.5, "accuracy share")


def test_its_state_is_that_of_its_files_and_of_the_studios_own_trainings(run):
    trained: dict[str, bool] = {}
    listing = Listing(trained.get)
    assert listing.of([run])[0].state == "training"  # it was just written
    for name in ("engine.json", "metrics.jsonl"):
        os.utime(run / name, (1, 1))
    assert listing.of([run])[0].state == "stopped"
    trained["one"] = True
    assert listing.of([run])[0].state == "training"
    trained.clear()
    (run / "result.json").write_text("{}")
    assert listing.of([run])[0].state == "done"


def test_a_run_that_was_stopped_can_be_resumed_at_once(run):
    assert Listing(lambda name: False).of([run])[0].state == "stopped"  # the studio's own training has ended


def test_the_lock_of_a_run_tells_whether_it_is_trained(run):
    listing = Listing(lambda name: None)
    (run / ".lock").touch()
    for name in ("engine.json", "metrics.jsonl"):
        os.utime(run / name, (1, 1))
    with locked(run / ".lock"):  # a step may take minutes
        assert listing.of([run])[0].state == "training"
        assert Listing(lambda name: False).of([run])[0].state == "training"  # resumed in a terminal
    assert listing.of([run])[0].state == "stopped"
    os.utime(run / "metrics.jsonl", (time.time() - 20,) * 2)
    assert listing.of([run])[0].state == "stopped"


def test_what_has_not_changed_is_not_read_again(run, monkeypatch):
    listing = Listing(lambda name: False)
    listing.of([run])
    monkeypatch.setattr("pentad_studio.runs.listing.summary_of", lambda path: pytest.fail("read again"))
    assert listing.of([run])[0].step == 9


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stages": 7}', '{"stages": {"model": {"name": 7}}}'])
def test_a_damaged_run_is_listed(run, text):
    (run / "engine.json").write_text(text)
    found = summary_of(run)
    assert found.name == "one" and (found.problem or found.model == "")


def test_of_a_long_file_the_end_is_read(run):
    lines = "".join(json.dumps({"kind": "step", "step": number, "pad": "x" * 100}) + "\n" for number in range(1000))
    (run / "metrics.jsonl").write_text(lines + '{"half')
    found = last_lines(run / "metrics.jsonl")
    assert found[-1]["step"] == 999 and len(found) < 200


def test_no_link_is_followed(run, tmp_path):
    (tmp_path / "else.jsonl").write_text('{"kind": "step", "step": 5000}\n')
    (run / "metrics.jsonl").unlink()
    (run / "metrics.jsonl").symlink_to(tmp_path / "else.jsonl")
    assert summary_of(run).problem

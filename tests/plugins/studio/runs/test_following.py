"""A run that is followed: each line once, whatever stands in it, and anew where the files are others."""

from __future__ import annotations

import json
import math

import pytest

from pentad_studio.runs.following import MOST_STEPS, Followed, fewer


def step(number, **more):
    return json.dumps({"kind": "step", "step": number, "loss": 2.0, "timing": {"seconds": number / 10}, **more}) + "\n"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(step(1) + step(2))
    (tmp_path / "samples.jsonl").write_text('{"step": 1, "prompt": "a", "text": "b"}\n')
    return tmp_path


def test_what_is_added_is_read_once(run):
    followed = Followed(run)
    first = followed.refresh()
    assert followed.refresh() == first
    with open(run / "metrics.jsonl", "a") as file:
        file.write(step(3) + step(4)[:10])
    assert followed.refresh() > first
    assert list(followed.figures.columns["step"]) == [1, 2, 3]
    with open(run / "metrics.jsonl", "a") as file:
        file.write(step(4)[10:])
    followed.refresh()
    assert list(followed.figures.columns["seconds"]) == [0.1, 0.2, 0.3, 0.4]
    assert [sample["text"] for sample in followed.figures.samples] == ["b"]


def test_a_run_that_resumed_is_read_anew(run):
    followed = Followed(run)
    followed.refresh()
    (run / "metrics.new").write_text(step(1) + step(9) + step(10))
    (run / "metrics.new").replace(run / "metrics.jsonl")
    followed.refresh()
    assert list(followed.figures.columns["step"]) == [1, 9, 10]


def test_scores_bring_what_makes_bits_of_a_loss(run):
    with open(run / "metrics.jsonl", "a") as file:
        judged = {"step": 2, "primary": "bits_per_byte", "bits_per_byte": 3.0, "loss": 2.0, "tokens": 7, "final": True}
        file.write(json.dumps({"kind": "evaluation", **judged}) + "\n")
    followed = Followed(run)
    followed.refresh()
    (found,) = followed.figures.judged
    assert (found.score, found.factor, found.tokens, found.final) == (3.0, 1.5, 7.0, True)


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "step", "step": "x", "loss": [1], "timing": 7}',
        '{"kind": "step", "step": true, "loss": 1' + "0" * 400 + "}",
        '{"kind": "evaluation", "primary": 7}',
        '{"kind": "evaluation", "primary": "a", "a": null}',
        '{"kind": {}}',
        "[1]",
        "{",
    ],
)
def test_a_strange_line_costs_itself(run, line):
    with open(run / "metrics.jsonl", "a") as file:
        file.write(line + "\n" + step(3))
    followed = Followed(run)
    followed.refresh()
    assert followed.figures.column("step")[-1] == 3
    assert followed.figures.judged == []
    assert all(math.isnan(value) or value > 0 for value in followed.figures.columns["loss"])


def test_of_a_long_run_every_so_many_steps_are_read_and_every_score(run):
    score = json.dumps({"kind": "evaluation", "step": 7, "primary": "a", "a": 1.0}).encode()
    lines = [step(number).encode() for number in range(3 * MOST_STEPS)]
    lines[100:100] = [score]
    kept = fewer(lines)
    assert len(kept) <= MOST_STEPS + 2 and score in kept and kept[0] == lines[0] and kept[-1] == lines[-1]
    assert fewer(lines[:50]) == lines[:50]

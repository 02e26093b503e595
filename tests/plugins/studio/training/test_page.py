"""The page Training: the list, and the stream of chart, cards and samples."""

from __future__ import annotations

import json
import shutil

import anyio
import pytest

from pentad_studio.runs.following import Figures
from pentad_studio.server.studio import Studio
from pentad_studio.training.cards import groups_of, remaining_of, share_of
from pentad_studio.training.page import _live


def first_events(studio, names, count=3, **asked):
    async def take():
        found = {}
        events = _live(studio, names, asked.get("measure", "bits"), asked.get("over", "step"))
        with anyio.fail_after(20):
            async for event in events:
                name, data = event.split("\n")[:2]
                found[name.removeprefix("event: ")] = json.loads(data.removeprefix("data: "))["html"]
                if len(found) == count:
                    break
        await events.aclose()
        return found

    return anyio.run(take)


def test_the_page_lists_runs_and_chooses_the_newest(page):
    text = page.get("training").text
    assert 'data-chosen="' in text and 'value="tiny"' in text


def test_a_stream_shows_curve_card_and_samples(studio):
    found = first_events(studio, ["tiny"])
    assert "curve s0" in found["chart"] and "mark s0" in found["chart"]
    assert "state-done" in found["cards"] and "engine run --config" in found["cards"]
    assert "written" in found["samples"]


def test_a_run_that_is_not_there_is_left_out(studio):
    assert "Nothing" in first_events(studio, ["nothing", "../tiny"])["chart"]


@pytest.fixture
def copies(studio, tmp_path):
    """The run, and a copy of another seed."""
    shutil.copytree(studio.runs / "tiny", tmp_path / "runs" / "one")
    shutil.copytree(studio.runs / "tiny", tmp_path / "runs" / "two")
    recipe = tmp_path / "runs" / "two" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("seed = 0", "seed = 1"))
    return Studio(catalogue=studio.catalogue, runs=tmp_path / "runs")


def test_seeds_stand_together_and_other_recipes_apart(copies):
    assert groups_of(copies, ["one", "two"]) == [("one and 1 more", ["one", "two"])]
    recipe = copies.runs / "two" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("batch_size = 4", "batch_size = 8"))
    assert len(groups_of(Studio(catalogue=copies.catalogue, runs=copies.runs), ["one", "two"])) == 2


def test_lines_that_are_added_are_shown(copies):
    before = first_events(copies, ["one"], measure="loss")["chart"]
    with open(copies.runs / "one" / "metrics.jsonl", "a") as file:
        file.write('{"kind": "step", "step": 500, "loss": 0.5}\n')
    after = first_events(copies, ["one"], measure="loss")["chart"]
    assert before != after


@pytest.mark.parametrize(
    ("training", "share"),
    [({"steps": 24}, 0.5), ({"budget": "12steps"}, 1.0), ({"budget": "none"}, None), ({"budget": "x"}, None), ({}, None)],
)
def test_how_far_a_run_is(studio, training, share):
    followed = studio.followed("tiny")
    followed.refresh()
    assert share_of({}, {"training": training}, followed.figures) == share


def test_the_time_left_is_that_of_the_last_steps():
    figures = Figures()
    for step in range(1, 31):  # a compiler took 80 s of the first
        figures.columns["step"].append(step)
        figures.columns["seconds"].append(80 + step)
    assert remaining_of({"training": {"steps": 60}}, 0.5, figures) == pytest.approx(30)
    assert remaining_of({"training": {"budget": "220s"}}, 0.5, figures) == pytest.approx(110)
    assert remaining_of({}, 1.0, figures) is remaining_of({}, None, figures) is remaining_of({}, 0.5, Figures()) is None
    one = Figures()
    one.columns["step"].append(1)
    one.columns["seconds"].append(80.0)
    assert remaining_of({"training": {"steps": 60}}, 0.01, one) is None


def test_markup_in_a_run_stays_text(copies):
    with open(copies.runs / "one" / "samples.jsonl", "a") as file:
        file.write(json.dumps({"step": 99, "prompt": "<b>", "text": "<script>alert(1)</script>"}) + "\n")
    shown = first_events(copies, ["one"])["samples"]
    assert "<script" not in shown and "&lt;script&gt;" in shown

"""The page Text: both texts, places of a passage, one document, and the stream of scores."""

from __future__ import annotations

import html
import json
import re

import pytest

from pentad_studio.server.studio import Shelf
from pentad_studio.text.held_out import open_held_out
from pentad_studio.text.repeats import is_compared, open_duplicates
from pentad_studio.trace.index import open_index


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory, studio, talker, catalogue):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        for keep in (open_index, open_held_out):  # here, where no process of its own is needed
            keep(studio.runs / "tiny", catalogue)
            keep(studio.runs / talker, catalogue)
        yield


def test_the_texts_are_told_apart(page, text_file, studio, catalogue):
    held_out = open_held_out(studio.runs / "tiny", catalogue)
    text = text_file.read_bytes()
    assert held_out.cut.rule == "tails" and held_out.cut.train_bytes + held_out.cut.held_out_bytes == len(text)
    assert held_out.documents.slice(0, 10**9) == text[held_out.cut.train_bytes :] + b"\xff"
    assert "0 bottles of beer" in page.ask("text-part", run="tiny")
    assert "0 bottles of beer" not in page.ask("text-part", run="tiny", part="held-out", document="1").split("\n")[4][:40]


def test_a_passage_is_found_and_opened(page):
    found = page.ask("text-part", run="tiny", find="\n17 bottles")
    assert "once" in found
    at = re.search(r'data-document="1" data-at="(\d+)"', found)
    assert "17 bottles of beer" in page.ask("text-part", run="tiny", document="1", at=at[1])
    assert "does not stand" in page.ask("text-part", run="tiny", find="<b>wine")
    assert "does not stand" in page.ask("text-part", run="tiny", part="held-out", find="\n17 bottles")
    assert page.ask("text-part", run="tiny", find="bottles", first="26").count("<li>") == 25


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"run": "nothing"}, "unknown-run"),
        ({"run": "tiny", "document": "2"}, "form-number"),
        ({"run": "tiny", "document": "1", "at": "-1"}, "form-number"),
        ({"run": "tiny", "find": "x" * 2000}, "text-too-long"),
    ],
)
def test_what_cannot_be_is_said(page, fields, code):
    assert page.refusal("text-part", **fields) == code


def test_scores_come_with_how_far_they_are(page, studio, monkeypatch):
    monkeypatch.setattr(studio, "records", Shelf(10))  # another test of the session may have scored it
    told = [event.split("\n") for event in page.post("text-scores", data={"run": "tiny"}).text.strip().split("\n\n")]
    assert [name for name, _ in told][-1] == "event: done" and len(told) > 3
    shown = html.unescape(json.loads(told[-1][1].removeprefix("data: "))["html"])
    assert "Worst" in shown and "% of all bits" in shown and 'class="token p' in shown
    again = page.post("text-scores", data={"run": "tiny"}).text
    assert again.startswith("event: done")  # what was scored is kept
    assert '"code": "unknown-run"' in page.post("text-scores", data={"run": "nothing"}).text


def test_what_stands_there_twice_is_shown_and_kept(page, studio, catalogue):
    path = studio.runs / "talker"
    found = open_duplicates(path, catalogue)
    assert is_compared(path) and not is_compared(studio.runs / "tiny")
    assert found == open_duplicates(path, catalogue) and found.by_document
    assert found.exact == 0 and found.total == 60  # no question is asked twice
    shown = page.ask("text-duplicates", run="talker")
    assert "repeated to the letter" in shown and "No document stands there twice." in shown
    assert page.refusal("text-duplicates", run="nothing") == "unknown-run"


def test_the_page_opens_where_trace_leads(page):
    text = page.get("text?run=tiny&document=1&at=20").text
    assert 'name="document" value="1"' in text and 'name="at" value="20"' in text

"""`engine trace` and the page: the same answer, for a person and for a machine."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pentad_studio.trace.command import trace

WANTED = "and 12 bottles of beer on the wall.\n13 bot"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path_factory.getbasetemp() / "trace-cache"))


def test_it_says_what_stands_where(studio):
    done = CliRunner().invoke(trace, [str(studio.runs / "tiny"), WANTED])
    assert done.exit_code == 0, done.output
    assert "document 1, byte" in done.output and "12 bottles of beer" in done.output
    found = json.loads(CliRunner().invoke(trace, [str(studio.runs / "tiny"), WANTED, "--json"]).stdout)
    assert found["passages"][0]["count"] == 1 and found["share"] == found["covered"] / len(WANTED)


def test_a_text_may_be_piped_in(studio):
    arguments = [str(studio.runs / "tiny"), "-", "--json", "--least", "5"]
    found = json.loads(CliRunner().invoke(trace, arguments, input="bottles of beer").stdout)
    assert found["passages"][0]["count"] > 100


def test_a_text_shorter_than_a_passage_is_looked_for_as_a_whole(studio):
    found = json.loads(CliRunner().invoke(trace, [str(studio.runs / "tiny"), "bottles of beer", "--json"]).stdout)
    assert found["share"] == 1 and found["passages"][0]["count"] > 100


def test_the_page_shows_the_same(page):
    html = page.ask("trace-part", run="tiny", text=WANTED + "<b>", least="24")
    assert "<mark>" in html and "&lt;b&gt;" in html and "<b>" not in html
    assert "Paste a text" in page.ask("trace-part", run="tiny", text="")
    assert page.refusal("trace-part", run="nothing", text="a") == "unknown-run"
    assert page.refusal("trace-part", run="tiny", text="a" * 20_001) == "text-too-long"
    assert '<option value="tiny"' in page.get("trace").text

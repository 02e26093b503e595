"""The page Comparisons: reports listed with what they found, and shown without any power over the studio."""

from __future__ import annotations

import hashlib
import json

import pytest

from pentad.tools import stamped
from pentad_studio.comparisons.page import facts_of

RECORD = {
    "budget": "60s",
    "created": "2026-11-27T01:36:16+00:00",
    "seeds": [0, 1],
    "arms": [
        {"label": "<b>gpt</b>", "mean": 2.5, "metric": {"name": "bits_per_byte", "lower_is_better": True}},
        {"label": "rnn", "mean": 2.25},
        {"label": "lost", "mean": None},
    ],
}


@pytest.fixture
def comparison(studio):
    folder = studio.comparisons / "models"
    folder.mkdir(parents=True, exist_ok=True)
    report = "<script>alert(1)</script><p>A report</p>"
    record = stamped({**RECORD, "report": hashlib.sha256(report.encode()).hexdigest()})
    (folder / "comparison.json").write_text(json.dumps(record))
    (folder / "report.html").write_text(report)
    return "models"


def test_the_best_stands_first():
    found = facts_of("x", RECORD)
    assert found.arms == [("rnn", 2.25), ("<b>gpt</b>", 2.5), ("lost", None)]
    assert (found.metric, found.seeds, found.budget, found.created) == ("bits per byte", "2", "60s", "2026-11-27")
    assert facts_of("x", {**RECORD, "arms": [{"label": "a", "mean": 1, "metric": {"lower_is_better": False}},
                                             {"label": "b", "mean": 2}]}).arms[0] == ("b", 2.0)  # fmt: skip


@pytest.mark.parametrize("record", [{}, {"arms": 7}, {"arms": [7, {"label": 7}, {"label": "a", "mean": "x", "metric": 3}]}])
def test_a_strange_record_is_listed(record):
    assert facts_of("x", record).name == "x"


def test_a_comparison_is_listed_and_opened(page, comparison):
    text = page.get("comparisons").text
    assert 'href="comparison?name=models"' in text and "&lt;b&gt;gpt" in text
    assert "sandbox" in page.get("comparison?name=models").text


@pytest.mark.parametrize(("name", "old", "new"), [("comparison.json", "2.25", "1.25"), ("report.html", "A report", "B report")])
def test_an_edited_comparison_is_listed_with_a_warning(page, studio, comparison, name, old, new):
    warning = f"{name} was changed after it was written."
    assert warning not in page.get("comparisons").text
    path = studio.comparisons / "models" / name
    path.write_text(path.read_text().replace(old, new))
    text = page.get("comparisons").text
    assert warning in text and 'href="comparison?name=models"' in text


def test_a_report_has_no_power_over_the_studio(page, comparison):
    answer = page.get("comparison-report?name=models")
    assert answer.text.endswith("<p>A report</p>")
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[0] == "sandbox" and "default-src 'none'" in policy
    assert not any("script" in part for part in policy)


@pytest.mark.parametrize("name", ["nothing", "../runs/tiny", "models/..", ""])
def test_only_what_is_listed_is_opened(page, comparison, name):
    assert page.get("comparison-report", params={"name": name}).json()["code"] == "unknown-comparison"


def test_a_report_that_is_a_link_is_not_followed(page, studio, comparison, text_file):
    (studio.comparisons / "models" / "report.html").unlink()
    (studio.comparisons / "models" / "report.html").symlink_to(text_file)
    assert page.get("comparison-report?name=models").json()["code"] == "not-a-plain-file"

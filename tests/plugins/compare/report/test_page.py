from __future__ import annotations

import dataclasses
import hashlib
import html.parser
import json
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pentad.testing import raises_code
from pentad.tools import is_stamped
from pentad_cli.tools import visible
from pentad_compare.records import Comparison, from_dict
from pentad_compare.report.page import render
from pentad_compare.summary import save

TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "footer",
        "section",
        "nav",
        "aside",
        "figure",
        "figcaption",
    ),
    *(
        "h1",
        "h2",
        "h3",
        "h4",
        "p",
        "a",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
        "div",
        "span",
        "strong",
        "small",
        "b",
        "bdi",
        "pre",
        "code",
    ),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary"),
    *("svg", "desc", "text", "line", "path", "circle", "rect", "clippath"),
}
ATTRIBUTES = {
    *(
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "id",
        "class",
        "href",
        "dir",
        "tabindex",
        "open",
        "role",
        "scope",
        "data-name",
    ),
    *("aria-label", "aria-labelledby", "aria-describedby", "aria-hidden", "viewbox", "text-anchor", "clip-path"),
    *("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "d", "width", "height"),
}
EMPTY = {"meta"}

NASTY = [
    "</svg></text><script>alert(1)</script>",
    "\" onload='alert(1)' x=\"",
    "<!-- ]]> --> <img src=x onerror=alert(1)>",
    "&lt;b&gt; &amp;#60; {{ 7 * 7 }} {% raw %}",
    "</style></title></pre><iframe>",
    "\u202egnp.exe\u2066\x00\x1b[2J\ud800\u2028\r\n\ufffe",
]


class Page(html.parser.HTMLParser):
    """What a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.written: list[str] = []
        self.text = ""
        self._depth = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in EMPTY:
            self.open.append(tag)
        if ("class", "written") in attrs:
            self._depth = len(self.open)
            self.written.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag
        if len(self.open) < self._depth:
            self._depth = 0

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._depth:
            self.written[-1] += data


texts = st.text(st.characters(exclude_categories=()), max_size=40) | st.sampled_from(NASTY)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ending=texts, name=st.sampled_from(["apart", "tokenizers", "samplers"]))
@example(ending=NASTY[0], name="usual")
@example(ending=NASTY[1], name="usual")
@example(ending=NASTY[5], name="many")
def test_no_text_becomes_markup(
    cases: Mapping[str, Comparison], spoil: Callable[[Comparison, str], Comparison], ending: str, name: str
) -> None:
    comparison = spoil(cases[name], ending)
    page = render(comparison)
    page.encode()  # no lone surrogate is left
    found = Page(page)
    assert set(found.tags) <= TAGS
    assert {key for key, _ in found.attributes} <= ATTRIBUTES
    assert all(value and value.startswith("#") for key, value in found.attributes if key == "href")
    assert not found.open
    assert found.tags.count("style") == 1
    expected = {visible(text.prompt + text.text) for arm in comparison.arms for each in arm.samplers for text in each.texts}
    assert expected <= {visible(text) for text in found.written}
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
    for shown in [comparison.command, *comparison.notes, *(arm.reproduce for arm in comparison.arms)]:
        assert visible(shown) in found.text


def shaken(value: Any, draw: random.Random, numbers: Sequence[float]) -> Any:
    """Put other numbers in the place of a third of a record's numbers, and None in the place of a few."""
    if isinstance(value, float):
        return draw.choice(numbers) if draw.random() < 0.3 else value
    if isinstance(value, (list, tuple)):
        return [shaken(each, draw, numbers) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {each.name: shaken(getattr(value, each.name), draw, numbers) for each in dataclasses.fields(value)}
        return dataclasses.replace(value, **changed)
    return value


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    numbers=st.lists(st.floats(-1e30, 1e30) | st.sampled_from([math.nan, math.inf, -math.inf, 0.0]), min_size=1, max_size=5),
    name=st.sampled_from(["usual", "apart", "samplers", "tokenizers"]),
)
def test_no_number_stops_the_page(cases: Mapping[str, Comparison], seed: int, numbers: list[float], name: str) -> None:
    found = Page(render(shaken(cases[name], random.Random(seed), numbers)))
    assert not found.open
    assert not [value for _, value in found.attributes if re.search(r"\bnan\b|\binf\b", value or "")]


def test_every_kind_of_comparison_is_rendered(each_case: Comparison) -> None:
    found = Page(render(each_case))
    assert set(found.tags) <= TAGS
    assert not found.open
    names = [value for key, value in found.attributes if key == "id"]
    assert len(names) == len(set(names))
    links = [str(value)[1:] for key, value in found.attributes if key == "href"]
    assert set(links) <= set(names)


def test_a_comparison_that_was_read_back_gives_the_same_page(each_case: Comparison) -> None:
    again = from_dict(Comparison, json.loads(each_case.to_json()))
    assert render(again) == render(each_case)


def test_the_policy_allows_this_style_and_nothing_else(cases: Mapping[str, Comparison]) -> None:
    page = render(cases["usual"])
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert policy.group(1).startswith("default-src &#39;none&#39;; style-src &#39;sha256-")
    assert "script-src" not in policy.group(1)
    assert not re.search(r"https?://|url\((?!#)|@import|src=|style=", page)


def test_sections_without_data_are_left_out(cases: Mapping[str, Comparison]) -> None:
    def titles(name: str) -> list[str]:
        return re.findall(r"<h2>([^<]+)</h2>", render(cases[name]))

    assert titles("tokenizers") == ["Tokenizers", "Repeat it", "How to read this"]
    assert titles("nothing") == ["Scores", "Repeat it", "How to read this"]
    assert titles("apart") == ["Ranking", "Learning curves", "Repeat it", "How to read this"]
    assert titles("usual") == [
        "Before you read the figures",
        "Ranking",
        "Learning curves",
        "Cost against quality",
        "Generated text in figures",
        "Samples side by side",
        "Tuning",
        "Repeat it",
        "How to read this",
    ]


def test_what_failed_is_shown_with_its_cause(cases: Mapping[str, Comparison]) -> None:
    text = Page(render(cases["usual"])).text
    assert "RuntimeError: out of memory: tried to get 512 MB" in text
    assert "The loss was not finite at step 12" in text
    assert "2 of 3" in text


def test_a_group_that_stands_apart_is_in_no_ranking(cases: Mapping[str, Comparison]) -> None:
    page = render(cases["apart"])
    apart = page.index("Stands apart: gpt, masked")
    assert "No evaluator fits these arms" in page[apart:]
    assert page.index('id="scores-0-wide-title"') < apart
    assert 'id="scores-1-wide-title"' not in page


def test_the_verdicts_are_words(cases: Mapping[str, Comparison]) -> None:
    text = Page(render(cases["usual"])).text
    assert "bpe, gpt scores best: 1.9" in text
    assert "no difference shown; about 6 more seeds would be needed to show 0.01" in text
    assert "bpe, rnn and byte, rnn are measurably worse than bpe, gpt." in text
    assert "No difference shown between bpe, gpt and byte, gpt." in text


def test_the_recipe_is_shown_as_toml(cases: Mapping[str, Comparison]) -> None:
    text = Page(render(cases["usual"])).text
    assert '[model]\nname = "gpt"\nn_layer = 4' in text
    assert 'rope_base = "none"' in text


def test_the_files_are_replaced_whole_and_the_record_knows_its_report(cases: Mapping[str, Comparison], tmp_path: Path) -> None:
    report, record = tmp_path / "report.html", tmp_path / "comparison.json"
    report.write_text("before")
    save(cases["apart"], tmp_path)
    assert report.read_text(encoding="utf-8") == render(cases["apart"])
    assert sorted(tmp_path.iterdir()) == [record, report]
    found = json.loads(record.read_text(encoding="utf-8"))
    assert is_stamped(found) and found["report"] == hashlib.sha256(report.read_bytes()).hexdigest()
    assert not is_stamped({**found, "confidence": 0.5})
    (tmp_path / "file").write_text("")
    with raises_code("not-writable"):
        save(cases["apart"], tmp_path / "file" / "below")

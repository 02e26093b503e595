"""The page Tokens: tokenizers that are published, a run's own, or trained for it."""

from __future__ import annotations

import re


def ids(html):
    return re.search(r'<pre class="numbers"[^>]*>(.*?)</pre>', html).group(1)


def test_the_page_begins_with_the_seed_sentence_and_offers_what_is_installed(page):
    text = page.get("tokens").text
    assert ">This is me training</textarea>" in text
    assert 'value="named:gpt2" selected' in text
    assert 'value="run:tiny"' in text


def test_published_and_a_runs_own_side_by_side(page):
    fields = {"text": "This is me training", "tokenizer__0": "named:gpt2", "tokenizer__1": "run:tiny"}
    assert ids(page.ask("tokens-part?column=0", **fields)) == "1212 318 502 3047"
    assert ids(page.ask("tokens-part?column=1", **fields)).startswith("84 104 105 115")


def test_one_is_trained_for_the_page(page, text_file, tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path))
    fields = {"text": "bottles of beer", "tokenizer-0": "named:bpe", "option-0.vocab_size": "300", "data-0": str(text_file)}
    html = page.ask("tokens-part?column=0", **fields)
    assert int(re.search(r"<dd>(\d+)</dd>", html).group(1)) < len("bottles of beer")


def test_markup_comes_back_as_text(page):
    html = page.ask("tokens-part?column=0", text="<img src=x onerror=alert(1)>", tokenizer__0="named:byte")
    assert "<img" not in html and "<script" not in html


def test_what_cannot_be_is_said_by_a_code(page, text_file):
    assert page.refusal("tokens-part?column=0", **{"tokenizer-0": "run:nothing"}) == "unknown-run"
    assert page.refusal("tokens-part?column=0", **{"tokenizer-0": "run:../tiny"}) == "unknown-run"
    assert page.refusal("tokens-part?column=0", **{"tokenizer-0": "gpt2"}) == "unknown-tokenizer"
    assert page.refusal("tokens-part?column=0", **{"tokenizer-0": "named:gpt2", "option-0.x": "1"}) == "unknown-option"
    assert page.refusal("tokens-part?column=9", **{"tokenizer-0": "named:gpt2"}) == "form-number"
    assert page.refusal("tokens-part?column=0", **{"tokenizer-0": "named:gpt2", "text": "a" * 200_001}) == "text-too-long"
    lost = {"tokenizer-0": "named:bpe", "data-0": str(text_file) + "x"}
    assert page.refusal("tokens-part?column=0", **lost) == "data-not-found"


def test_options_are_those_of_what_is_chosen(page):
    fields = page.get("options?kind=tokenizer&name=named:bpe&prefix=option-0&data=data-0").text
    assert 'name="option-0.vocab_size"' in fields and 'name="data-0"' in fields
    assert 'name="data-0"' not in page.get("options?kind=tokenizer&name=named:gpt2&prefix=option-0&data=data-0").text
    assert page.get("options?kind=tokenizer&name=run:tiny&prefix=option-0").text.strip() == ""
    assert page.get("options?kind=fridge&name=x&prefix=y").json()["code"] == "form-unreadable"


def test_one_that_needs_a_file_is_offered_and_says_so(page, studio, monkeypatch, catalogue):
    from pentad import UsageError
    from pentad_studio.sources import tokenizers
    from pentad_studio.tokens.page import tokenizer_groups

    real = tokenizers.make

    def make(stage, choice, **named):
        if choice == "byte":
            raise UsageError("It needs a file.", code="file-missing")
        return real(stage, choice, **named)

    monkeypatch.setattr(tokenizers, "make", make)
    fresh = type(studio)(catalogue=catalogue, runs=studio.runs)
    groups = dict(tokenizer_groups(fresh))
    assert ("named:byte", "byte") in groups["From a file"]
    assert ("named:gpt2", "gpt2") in groups["Published"] and ("named:bpe", "bpe") in groups["Trained on a text"]

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from pentad import SpecialToken, TokenEvent, Vocabulary
from pentad.testing.subjects import Bytes
from pentad_cli.terminal import probabilities
from pentad_cli.terminal.probabilities import others, row, shade, spelled, summary, to_json

SAVED = SimpleNamespace(tokenizer=Bytes(), vocabulary=Vocabulary.of(Bytes(), (SpecialToken(name="turn"),)))


def event(token=97, probability=0.25, alternatives=()):
    pairs = tuple((other, math.log(p)) for other, p in alternatives)
    return TokenEvent(sequence=0, token=token, text="", logprob=math.log(probability), alternatives=pairs)


def test_less_likely_is_another_colour():
    shades = [shade(math.log(p)) for p in (1.0, 0.5, 0.49, 0.2, 0.1, 0.05, 0.049, 1e-9)]
    assert shades == ["green", "green", "cyan", "cyan", "yellow", "yellow", "red", "red"]
    assert shade(math.nan) == ""


def test_a_token_is_spelled_on_one_line():
    assert [spelled(SAVED, token) for token in (97, 10, 0x1B, 0xC3, 256, 257)] == [
        '"a"',
        '"\\n"',
        '"\\x1b"',
        '"\\xc3"',
        "<|endoftext|>",
        "<|turn|>",
    ]


def test_others_leave_out_the_token_itself():
    drawn = event(98, 0.3, [(97, 0.4), (98, 0.3), (99, 0.2)])
    assert [token for token, _ in others(drawn, 2)] == [97, 99]
    assert [token for token, _ in others(drawn, 1)] == [97]
    assert row(SAVED, drawn, 2).split() == ["30.0%", '"b"', '"a"', "40.0%", '"c"', "20.0%"]
    assert row(SAVED, drawn, 0).split() == ["30.0%", '"b"']
    found = to_json(SAVED, drawn, 1)
    assert found["alternatives"] == [{"token": 97, "text": '"a"', "logprob": math.log(0.4)}]
    assert "alternatives" not in to_json(SAVED, drawn, 0)


@pytest.mark.parametrize(("probability", "shown"), [(1, "100.0%"), (0.0012, "0.1%"), (0.00012, "0.012%"), (1e-9, "1e-07%")])
def test_small_probabilities_are_not_nothing(probability, shown):
    assert row(SAVED, event(probability=probability), 0).split()[0] == shown


def test_the_summary_counts_the_unlikely():
    words = summary([math.log(p) for p in (0.5, 0.5, 0.01, 0.04)])
    assert "2 of 4 tokens below 5%" in words
    assert f"perplexity {(0.5 * 0.5 * 0.01 * 0.04) ** -0.25:.1f}" in words
    assert summary([]) == summary([math.nan]) == ""


def test_the_legend_names_every_shade(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert probabilities.legend().count("\x1b[0m") == len(probabilities.SHADES)

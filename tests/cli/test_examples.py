from __future__ import annotations

import json
from collections.abc import Callable

from .conftest import Result

Cli = Callable[..., Result]

SENTENCE = "This is me training a large language model, to learn the phrase large language model"


def test_the_worked_example(cli: Cli) -> None:
    lines = cli("examples", "--builder", "prefix", "--tokenizer", "gpt2", SENTENCE).out.splitlines()
    assert lines[0].startswith("[] -> 1212")
    assert lines[4].startswith("[1212, 318, 502, 3047] -> 257 ")
    assert lines[5].startswith("[1212, 318, 502, 3047, 257] -> 1588 ")
    assert lines[6].startswith("[1212, 318, 502, 3047, 257, 1588] -> 3303 ")
    assert lines[4].endswith("This is me training -> a")
    assert len(lines) == 17
    assert lines[-1].endswith("large language model -><|endoftext|>")


def test_next_token_is_shown_position_by_position(cli: Cli) -> None:
    lines = cli("examples", "--builder", "next-token", "--tokenizer", "gpt2", "This is me").out.splitlines()
    assert lines == [
        "example 1: reads 4 tokens, learns 4 targets",
        "50256 <|endoftext|>  ->   1212 This",
        " 1212 This           ->    318  is",
        "  318  is            ->    502  me",
        "  502  me            ->  50256 <|endoftext|>",
    ]


def test_windows_and_limits(cli: Cli) -> None:
    arguments = ["examples", "--builder", "next-token", "--tokenizer", "byte", "--context-length", "4", "abcdefghij"]
    lines = cli(*arguments, "--limit", "2").out.splitlines()
    assert sum(line.startswith("example ") for line in lines) == 2
    assert "… and 2 more positions: --limit 4 shows all" in lines
    assert lines[-1] == "… and 1 more example: --limit 3 shows all"
    facts = json.loads(cli(*arguments, "--json").out)
    assert facts["count"] == 3
    assert facts["examples"][1]["inputs"] == [100, 101, 102, 103]
    assert facts["examples"][1]["targets"] == [101, 102, 103, 104]


def test_json_of_one_target(cli: Cli) -> None:
    facts = json.loads(cli("examples", "--builder", "prefix", "--tokenizer", "byte", "abc", "--json").out)
    example = facts["examples"][2]
    assert (example["context"], example["target"], example["text"], example["next"]) == ([97, 98], 99, "ab", "c")
    assert example["targets"].count(None) == 3


def test_a_character_cut_in_two_is_whole_again_in_the_context(cli: Cli) -> None:
    lines = cli("examples", "--builder", "prefix", "--tokenizer", "byte", "é").out.splitlines()
    assert lines[1].endswith(r"\xc3 ->\xa9")
    assert lines[2].endswith("é -><|endoftext|>")


def test_a_text_too_short_for_the_context(cli: Cli) -> None:
    result = cli("examples", "--builder", "next-token", "--tokenizer", "byte", "--context-length", "64", "abc")
    assert result.code == 2
    assert "--context-length" in result.err.splitlines()[1]

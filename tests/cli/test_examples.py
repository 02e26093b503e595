from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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


MASKED = """
import numpy as np
from pentad import IGNORED, Batch, ExampleBuilder, Implementation, SpecialToken, hookimpl


class Masked(ExampleBuilder):
    attention, special_tokens = "bidirectional", (SpecialToken(name="mask"),)

    def __init__(self, options, *, context_length, vocab_size, end_of_text):
        self.context_length, self.end_of_text, self.mask = context_length, end_of_text, vocab_size

    def count(self, tokens):
        return 1

    def build(self, tokens, indices, seed):
        inputs = np.repeat(np.asarray(tokens.ids)[None, :-1].astype(np.int64), len(indices), axis=0)
        targets = np.full_like(inputs, IGNORED)
        targets[:, 2] = inputs[:, 2]
        inputs[:, 2] = self.mask
        return Batch(inputs=inputs, targets=targets)


@hookimpl
def engine_example_builders():
    return [Implementation(name="hide-one", summary="Hide one.", factory=Masked)]
"""


def test_a_bidirectional_example_is_drawn_with_both_sides(cli: Cli, tmp_path: Path) -> None:
    plugin = tmp_path / "masked.py"
    plugin.write_text(MASKED)
    arguments = ["examples", "--plugin", str(plugin), "--builder", "hide-one", "--tokenizer", "byte", "abc"]
    lines = cli(*arguments).out.splitlines()
    assert lines[0] == "example 1: reads 4 tokens, learns 1 target"
    assert lines[1] == "from both sides: <|endoftext|>a[<|mask|>]c"
    assert lines[4].split() == ["257", "<|mask|>", "->", "98", "b"]
    assert "context" not in json.loads(cli(*arguments, "--json").out)["examples"][0]

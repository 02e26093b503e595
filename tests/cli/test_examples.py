from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

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
        "reads    <|endoftext|>This is me",
        "learns   This is me<|endoftext|>",
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


BUILDERS = '''
import numpy as np
from pentad import IGNORED, Batch, Document, ExampleBuilder, Implementation, NoOptions, Span, SpecialToken, hookimpl


class Masked(ExampleBuilder):
    """Row i is a document, in which its i-th token, or each of the first two, is hidden."""

    attention, special_tokens, hidden = "bidirectional", (SpecialToken(name="mask"),), 1

    def __init__(self, options, *, context_length, vocab_size, end_of_text):
        self.context_length, self.mask, self.end_of_text = context_length, vocab_size, end_of_text

    def count(self, tokens):
        return len(tokens) - 2

    def build(self, tokens, indices, seed):
        inputs = np.full((len(indices), len(tokens) + 2), self.end_of_text, dtype=np.int64)  # filled behind the end
        inputs[:, : len(tokens)] = tokens.ids
        targets = np.full_like(inputs, IGNORED)
        for row, index in enumerate(indices):
            hidden = slice(index + 1, index + 1 + self.hidden)
            targets[row, hidden], inputs[row, hidden] = inputs[row, hidden], self.mask
        return Batch(inputs=inputs, targets=targets)


class MaskedTwice(Masked):
    hidden = 2


class Chat(ExampleBuilder):
    special_tokens = (SpecialToken(name="user"), SpecialToken(name="assistant"))

    def __init__(self, options, *, context_length, vocab_size, end_of_text):
        self.context_length, self.end_of_text = context_length, end_of_text

    def render(self, record):
        turns = [{"role": "assistant", "content": record}] if isinstance(record, str) else record["messages"]
        spans = []
        for turn in turns:
            spans += [Span(special=turn["role"], learn=False), Span(turn["content"], turn["role"] == "assistant")]
        return [Document(tuple(spans))]

    def count(self, tokens):
        return len(tokens.starts) - 1

    def build(self, tokens, indices, seed):
        inputs = np.full((len(indices), self.context_length), self.end_of_text, dtype=np.int64)
        targets = np.full_like(inputs, IGNORED)
        for row, index in enumerate(indices):
            start, end = tokens.starts[index], tokens.starts[index + 1]
            learn = np.ones(end - start, dtype=bool) if tokens.learn is None else tokens.learn[start + 1 : end + 1]
            inputs[row, : end - start] = tokens.ids[start:end]
            targets[row, : end - start] = np.where(learn, tokens.ids[start + 1 : end + 1].astype(np.int64), IGNORED)
        return Batch(inputs=inputs, targets=targets)


@hookimpl
def engine_example_builders():
    made = {"one-hidden": Masked, "two-hidden": MaskedTwice, "talks": Chat}
    return [Implementation(name=name, summary="", factory=factory, options=NoOptions) for name, factory in made.items()]
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plugin") / "builders_plugin.py"
    path.write_text(BUILDERS)
    return path


@pytest.fixture
def shown(cli: Cli, plugin: Path) -> Cli:
    """Return a function that shows the examples of one of the builders above."""

    def run(builder: str, *arguments: str) -> Result:
        return cli("examples", "--plugin", plugin, "--builder", builder, "--tokenizer", "byte", *arguments)

    return run


def test_one_masked_target_is_shown_with_what_stands_on_both_sides(shown: Cli) -> None:
    lines = shown("one-hidden", "cats").out.splitlines()
    assert lines == [
        "[257, 97, 116, 115, 256] -> 99    [<|mask|>]ats<|endoftext|> ->c",
        "[99, 257, 116, 115, 256] -> 97    c[<|mask|>]ts<|endoftext|> ->a",
        "[99, 97, 257, 115, 256] -> 116    ca[<|mask|>]s<|endoftext|> ->t",
        "[99, 97, 116, 257, 256] -> 115    cat[<|mask|>]<|endoftext|> ->s",
    ]
    example = json.loads(shown("one-hidden", "cats", "--json").out)["examples"][1]
    assert (example["context"], example["position"], example["target"]) == ([99, 257, 116, 115, 256], 1, 97)
    assert (example["text"], example["next"]) == ("c<|mask|>ts<|endoftext|>", "a")


def test_many_masked_targets_are_shown_in_place(shown: Cli) -> None:
    lines = shown("two-hidden", "--limit", "7", "cat").out.splitlines()
    assert lines[:3] == [
        "example 1: reads 7 tokens, learns 2 targets where they stand",
        "reads    <|endoftext|>[<|mask|><|mask|>]t<|endoftext|><|endoftext|><|endoftext|>",
        "learns   <|endoftext|>[ca]t<|endoftext|><|endoftext|><|endoftext|>",
    ]
    assert lines[4:7] == [
        "257 <|mask|>       ->   99 c   hidden",
        "257 <|mask|>       ->   97 a   hidden",
        "116 t               ·",
    ]


def test_records_of_data_are_shown_as_the_builder_renders_them(shown: Cli) -> None:
    turns = [{"role": "user", "content": "2+2"}, {"role": "assistant", "content": "4"}]
    Path("chat.jsonl").write_text(json.dumps({"messages": turns}) + "\n" + json.dumps({"text": "hi"}) + "\n")
    result = shown("talks", "--data", "chat.jsonl")
    assert result.code == 0, result.err
    assert result.out.splitlines()[:10] == [
        "example 1: reads 7 tokens, learns 2 targets",
        "reads    <|endoftext|><|user|>2+2<|assistant|>4",
        "learns   …4<|endoftext|>",
        "256 <|endoftext|>   ·",
        "257 <|user|>        ·",
        " 50 2               ·",
        " 43 +               ·",
        " 50 2               ·",
        "258 <|assistant|>  ->   52 4",
        " 52 4              ->  256 <|endoftext|>",
    ]
    assert len(json.loads(shown("talks", "--data", "chat.jsonl", "--json").out)["examples"]) == 2
    assert json.loads(shown("talks", "--data", "chat.jsonl", "--limit", "1", "--json").out)["count"] == 1
    given = json.loads(shown("talks", "--data", "chat.jsonl", "--json", "hey").out)
    assert given["count"] == 1 and given["examples"][0]["inputs"][1] == 258


def test_documents_of_a_row_and_its_padding_are_told_apart(cli: Cli) -> None:
    turns = [{"role": "user", "content": "2"}, {"role": "assistant", "content": "4"}]
    Path("chat.jsonl").write_text(2 * (json.dumps({"messages": turns}) + "\n"))
    lines = cli(
        *("examples", "--builder", "chat", "--tokenizer", "byte", "--data", "chat.jsonl", "--context-length", "18")
    ).out.splitlines()
    assert lines[0] == "example 1: reads 14 tokens, learns 4 targets, 4 positions of padding"
    assert lines[2] == "learns   …4<|end_of_turn|>…4<|end_of_turn|>…"
    assert lines[10] == "another document, which sees nothing of those above:"
    assert len(lines) == 3 + 14 + 1


def test_what_an_answer_is_preferred_to_is_shown(cli: Cli) -> None:
    Path("pairs.jsonl").write_text(json.dumps({"prompt": "2", "chosen": "4", "rejected": "five"}) + "\n")
    lines = cli("examples", "--builder", "dpo", "--tokenizer", "byte", "--data", "pairs.jsonl").out.splitlines()
    assert lines[2:4] == ["learns   …4<|end_of_turn|>…", "against  …five<|end_of_turn|>…"]


def test_text_never_becomes_a_special_token(shown: Cli) -> None:
    example = json.loads(shown("one-hidden", "<|mask|>", "--json").out)["examples"][0]
    assert example["inputs"].count(257) == 1

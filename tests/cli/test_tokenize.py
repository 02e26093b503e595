from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import TEXT, Result

Cli = Callable[..., Result]

SENTENCE = "This is me training a large language model, to learn the phrase large language model"
IDS = "1212 318 502 3047 257 1588 3303 2746 11 284 2193 262 9546 1588 3303 2746"


def test_the_worked_example(cli: Cli) -> None:
    lines = cli("tokenize", "--tokenizer", "gpt2", SENTENCE).out.splitlines()
    assert lines[0] == IDS
    assert lines[1].startswith("This| is| me| training| a| large| language| model|,")
    assert lines[2] == "16 tokens for 84 bytes, 5.25 bytes per token; 13 of 50,257 ids used"


def test_json(cli: Cli) -> None:
    facts = json.loads(cli("tokenize", "--tokenizer", "gpt2", SENTENCE, "--json").out)
    assert facts["ids"] == [int(word) for word in IDS.split()]
    assert facts["pieces"][:2] == ["This", " is"]
    assert (facts["n_tokens"], facts["n_bytes"], facts["vocab_size"]) == (16, 84, 50257)


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_stdin(arguments: list[str], cli: Cli) -> None:
    assert cli("tokenize", "--tokenizer", "byte", *arguments, stdin="hé").out.splitlines()[:2] == [
        "104 195 169",
        r"h|\xc3|\xa9",
    ]


def test_stdin_that_is_no_text(cli: Cli) -> None:
    result = cli("tokenize", "--tokenizer", "byte", stdin=b"ab\xff")
    assert (result.code, result.error) == (2, "text-not-utf8")
    assert "byte 2 " in result.err


def test_a_text_with_control_characters_reaches_nobody_raw(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = cli("tokenize", "--tokenizer", "byte", "a\x1b]0;title\x07\nb").out
    assert "\x1b]" not in out
    assert "\\x1b" in out
    assert "\\n\x1b[0m\n" in out


def test_colours_alternate(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = cli("tokenize", "--tokenizer", "byte", "abc").out
    assert "\x1b[97;48;5;24ma\x1b[0m\x1b[97;48;5;54mb\x1b[0m\x1b[97;48;5;24mc\x1b[0m" in out


def test_special_tokens_only_where_they_are_asked_for(cli: Cli) -> None:
    text = "a<|endoftext|>b"
    assert len(cli("tokenize", "--tokenizer", "byte", text).out.split("\n")[0].split()) == 15
    assert cli("tokenize", "--tokenizer", "byte", "--special", text).out.splitlines()[:2] == ["97 256 98", "a|<|endoftext|>|b"]


def test_a_trainable_tokenizer_is_trained_once(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    arguments = [
        "tokenize",
        "--tokenizer",
        "bpe",
        "--tokenizer.vocab-size",
        "300",
        "--data",
        "text.txt",
        "The number 7",
        "--json",
    ]
    first, second = cli(*arguments), cli(*arguments)
    assert first.out == second.out
    facts = json.loads(first.out)
    assert facts["vocab_size"] == 300
    assert len(facts["ids"]) < 12
    assert "".join(facts["pieces"]) == "The number 7"


def test_validation_text_is_kept_from_the_tokenizer_too(cli: Cli, tmp_path: Path) -> None:
    lines = [f"{'abcdefghijklmnopqrstuvwxyz'[number % 26] * 9} {number}\n\n" for number in range(120)]
    (tmp_path / "text.txt").write_text("".join(lines))
    command = ["tokenize", "--tokenizer", "bpe", "--tokenizer.vocab-size", "300", "--data", "text.txt", "--json"]
    pieces = [json.loads(cli(*command, *flags, "".join(lines)).out)["ids"] for flags in ([], ["--validation", "0.5"])]
    assert pieces[0] != pieces[1]


def test_a_fixed_tokenizer_needs_no_data(cli: Cli) -> None:
    assert cli("tokenize", "--tokenizer", "byte", "--data", "nope.txt", "a").code == 0
    assert cli("tokenize", "--tokenizer", "bpe", "--data", "nope.txt", "a").code == 2


def test_the_tokenizer_of_a_run(cli: Cli, trained: Path) -> None:
    facts = json.loads(cli("tokenize", "--run", trained, "abc", "--json").out)
    assert facts["ids"] == [97, 98, 99]
    assert facts["tokenizer"] == f"that of {trained}"


def test_of_a_run_the_tokenizer_alone_is_opened(cli: Cli, trained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained, tmp_path / "copy")
    shutil.rmtree(run / "checkpoints")
    facts = json.loads((run / "engine.json").read_text())
    facts["stages"]["model"]["distribution"] = "acme-gone"
    (run / "engine.json").write_text(json.dumps(facts))
    assert cli("tokenize", "--run", run, "abc").out.startswith("97 98 99\n")
    (run / "tokenizer" / "more").write_text("")
    damaged = cli("tokenize", "--run", run, "abc")
    assert (damaged.code, damaged.error) == (1, "run-changed")


def test_an_empty_text(cli: Cli) -> None:
    assert cli("tokenize", "--tokenizer", "byte", "").out == "0 tokens for 0 bytes; 0 of 257 ids used\n"


SEVERAL = ["--tokenizer", "gpt2,byte", "a  caf\u00e9\n"]


def test_several_side_by_side_in_a_pipe(cli: Cli) -> None:
    assert cli("tokenize", *SEVERAL).out.splitlines() == [
        "tokenizer  ids     tokens  bytes/token  lost bytes",
        "gpt2       50,257  4       2.25         0",
        "byte       257     9       1.00         0",
        "",
        r"gpt2  a|·|·café|\n",
        r"byte  a|·|·|c|a|f|\xc3|\xa9|\n",
    ]


def test_several_with_ids_below_their_pieces(cli: Cli) -> None:
    lines = cli("tokenize", *SEVERAL, "--ids").out.splitlines()[4:]
    assert lines[0] == r"gpt2  a |·  |·café|\n"
    assert lines[1] == "      64 220 40304 198"
    assert lines[3].split() == [str(byte) for byte in "a  caf\u00e9\n".encode()]


def test_several_in_colour_stay_within_the_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = "A sentence that is longer than a line, with a \x1b[2J control. " * 3
    for more in ([], ["--ids"]):
        out = cli("tokenize", "--tokenizer", "gpt2,byte", text, *more).out
        plain = re.sub("\x1b\\[[0-9;]*m", "", out)
        assert "\x1b" not in plain and r"\x1b" in plain
        assert max(map(len, plain.splitlines())) <= 80
        pieces = [line for line in plain.splitlines()[4:] if not more or not re.fullmatch(r"[ 0-9]+", line)]
        assert "".join(line[6:] for line in pieces).replace(" ", "").count("·") == 2 * text.count(" ")


def test_several_as_json(cli: Cli) -> None:
    facts = json.loads(cli("tokenize", *SEVERAL, "--json").out)
    assert [(one["tokenizer"], one["n_tokens"], one["lost_bytes"]) for one in facts] == [("gpt2", 4, 0), ("byte", 9, 0)]


def test_an_option_is_for_each_tokenizer_that_has_it(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    flags = ["--data", "text.txt", "--tokenizer.vocab-size", "300", "--tokenizer.unseen", "unknown", "--json", "caf\u00e9 #"]
    facts = json.loads(cli("tokenize", "--tokenizer=byte,bpe,char", *flags).out)
    assert [one["vocab_size"] for one in facts[:2]] == [257, 300]
    assert [one["lossless"] for one in facts] == [True, True, False]
    assert facts[2]["lost_bytes"] == 1
    assert facts[2]["pieces"][-1] == ""
    shown = cli("tokenize", "--tokenizer", "byte,char", *flags[:2], *flags[4:6], "caf\u00e9 #").out
    assert shown.splitlines()[-1] == "char  c|a|f|\u00e9|\u00b7|\u2205"


def test_a_list_with_a_name_that_nobody_offers(cli: Cli) -> None:
    assert cli("tokenize", "--tokenizer", "byte,bit", "a").error == "unknown-name"
    assert cli("tokenize", "--tokenizer", "byte,bpe", "--tokenizer.colour", "red", "a").code == 2


def test_a_list_and_a_run_are_two_answers(cli: Cli, trained: Path) -> None:
    assert cli("tokenize", "--tokenizer", "byte,bpe", "--run", trained, "a").error == "options-conflict"

"""`engine generate RUN --interactive`, through a pipe in this process; and the prompts that come from files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pentad import SavedRun

from .conftest import Result

Cli = Callable[..., Result]
FLAGS = ("--max-tokens", "6", "--ignore-end-of-text")


def alone(cli: Cli, trained: Path, prompt: str, *flags: str) -> str:
    return cli("generate", trained, *FLAGS, "--prompt", prompt, *flags).out


def test_lines_are_continued_and_slashes_obeyed(cli: Cli, trained: Path) -> None:
    lines = (
        "The n",
        "/seed 7",
        "The n",
        "/sampler greedy",
        "A\\nb",
        "/sampler top-k,k=1",
        "//x",
        "/max-tokens 3",
        "The n",
        "/quit",
        "no",
    )
    result = cli("generate", trained, *FLAGS, "--interactive", stdin="".join(f"{line}\n" for line in lines))
    greedy = ("--sampler", "greedy")
    expected = [
        alone(cli, trained, "The n"),
        alone(cli, trained, "The n", "--seed", "7"),
        alone(cli, trained, "A\nb", *greedy),
        alone(cli, trained, "/x", *greedy),
        alone(cli, trained, "The n", *greedy, "--max-tokens", "3"),
    ]
    assert (result.code, result.out) == (0, "".join(expected))
    assert all(f"seed {seed}\n" in result.err for seed in (0, 7, 8, 9, 10))


def test_an_empty_line_goes_on(cli: Cli, trained: Path) -> None:
    result = cli("generate", trained, *FLAGS, "--interactive", "--sampler", "greedy", stdin="\nThe n\n\n")
    first = alone(cli, trained, "The n", "--sampler", "greedy")
    assert result.out == first + alone(cli, trained, first[:-1], "--sampler", "greedy")


def test_mistakes_are_told_and_the_program_goes_on(cli: Cli, trained: Path) -> None:
    lines = ("/rest", "/sampler nobody", "/sampler top-k,k=0", "/sampler", "/seed x", "/max-tokens 0", "/help", "The n")
    result = cli("generate", trained, *FLAGS, "--interactive", stdin="\n".join(lines))
    assert (result.code, result.out) == (0, alone(cli, trained, "The n"))
    for word in ("/rest", "nobody", "--sampler.k", "/seed expects", "/max-tokens expects", "/quit  "):
        assert word in result.err


def test_ctrl_c_ends_the_text_and_not_the_program(cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, stops = SavedRun.stream, iter([3, 99])

    def stopped(*args: object, **named: object) -> Iterator[object]:
        most = next(stops)
        for number, event in enumerate(stream(*args, **named)):  # type: ignore[arg-type]
            if number == most:
                raise KeyboardInterrupt
            yield event

    monkeypatch.setattr(SavedRun, "stream", stopped)
    result = cli("generate", trained, *FLAGS, "--interactive", "--sampler", "greedy", stdin="The n\nThe n\n")
    cut, whole = result.out.splitlines()
    assert result.code == 0
    assert whole.startswith(cut) and cut.startswith("The n") and len(cut) < len(whole)
    assert "ended by Ctrl-C" in result.err and "ended at --max-tokens 6" in result.err


def test_probabilities_are_shown_when_asked_for(cli: Cli, trained: Path) -> None:
    result = cli("generate", trained, *FLAGS, "--interactive", stdin="The n\n/probabilities\nThe n\n/probabilities\nThe n\n")
    assert result.out.count("probability  token") == 1
    assert result.out.count("%") == 6


def test_what_does_not_go_with_lines_is_refused(cli: Cli, trained: Path) -> None:
    for flags in (("--prompt", "x"), ("--prompts", "x"), ("--prompt-file", "x"), ("--json",), ("--samples", "2")):
        assert cli("generate", trained, "--interactive", *flags).error == "options-conflict"


def test_prompts_come_from_files_and_pipes(cli: Cli, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("The n\n\n  \nA caf\\n\n", encoding="utf-8")
    (tmp_path / "whole.txt").write_text("The n\nA caf", encoding="utf-8")
    one, other = (alone(cli, trained, text) for text in ("The n", "A caf\n"))
    found = cli("generate", trained, *FLAGS, "--prompts", "lines.txt").out
    assert found == f"--- prompt 1 of 2\n{one}--- prompt 2 of 2\n{other}"
    assert cli("generate", trained, *FLAGS, "--prompts", "-", stdin="The n\nA caf\\n\n").out == found
    whole = alone(cli, trained, "The n\nA caf")
    assert cli("generate", trained, *FLAGS, "--prompt-file", "whole.txt").out == whole
    assert cli("generate", trained, *FLAGS, "--prompt-file", "-", stdin="The n\nA caf").out == whole
    samples = json.loads(cli("generate", trained, *FLAGS, "--prompts", "lines.txt", "--samples", "2", "--json").out)["samples"]
    assert [(sample["prompt"], sample["index"]) for sample in samples] == [
        (prompt, index) for prompt in ("The n", "A caf\n") for index in (0, 1)
    ]
    assert samples[0]["prompt"] + samples[0]["text"] + "\n" == one


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--prompts", "gone.txt"), "file-not-readable"),
        (("--prompt-file", "gone.txt"), "file-not-readable"),
        (("--prompts", "empty.txt"), "text-missing"),
        (("--prompts", "bytes.txt"), "text-not-utf8"),
        (("--prompts", "empty.txt", "--prompt", "x"), "options-conflict"),
        (("--prompts", "empty.txt", "--prompt-file", "x"), "options-conflict"),
    ],
)
def test_prompts_that_cannot_be_had(cli: Cli, trained: Path, tmp_path: Path, flags: tuple[str, ...], code: str) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "bytes.txt").write_bytes(b"a\xff\n")
    assert cli("generate", trained, *flags).error == code

"""What a shell asks when TAB is pressed."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from pentad_cli.group import engine


def complete(line: str) -> list[str]:
    *arguments, incomplete = line.split(" ")
    shell = ShellComplete(engine, {}, "engine", "_ENGINE_COMPLETE")
    return [item.value for item in shell.get_completions(arguments, incomplete)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ru", ["run", "runs"]),
        ("run --mod", ["--model"]),
        ("run --model ", ["gpt", "rnn"]),
        ("run --model gpt --model.n-l", ["--model.n-layer"]),
        ("run --model rnn --model.ce", ["--model.cell"]),
        ("run --model.position l", ["learned"]),
        ("run --precision b", ["bf16"]),
        ("run --data py", ["python-docs", "py"]),
        ("run --held-out-data my", ["my"]),
        ("evaluate RUN --data bo", ["bo"]),
        ("plugins show to", ["top-k", "top-n-sigma", "top-p"]),
        ("plugins show python", ["python-docs"]),
        ("run --batch", ["--batch-size"]),
        ("run --training.batch", ["--training.batch-size"]),
        ("generate RUN --sampler gre", ["greedy"]),
        ("plugins sh", ["show"]),
        ("compare --model gpt,r", ["gpt,retnet", "gpt,rnn"]),
        ("compare --model.position rotary,l", ["rotary,learned"]),
    ],
)
def test_completions(line: str, expected: list[str]) -> None:
    found = complete(line)
    assert [word for word in expected if word not in found] == []
    assert line in ("run --mod", "run --model ") or found == expected


@pytest.mark.parametrize("line", ["run --data my", "evaluate RUN --data my", "run --config my", "run --plugin my"])
def test_files_are_completed_by_the_shell(line: str) -> None:
    *arguments, incomplete = line.split(" ")
    found = ShellComplete(engine, {}, "engine", "_ENGINE_COMPLETE").get_completions(arguments, incomplete)
    assert [(item.value, item.type) for item in found] == [("my", "file")]


def test_a_wrong_name_completes_without_an_error() -> None:
    assert "--batch-size" in complete("run --model gtp --batch-s") or complete("run --model gtp --batch-s") == []


def test_the_shell_gets_its_script(engine, tmp_path) -> None:  # type: ignore[no-untyped-def]
    done = engine(cwd=tmp_path, env={"_ENGINE_COMPLETE": "zsh_source"})
    assert done.code == 0
    assert "_ENGINE_COMPLETE=zsh_complete" in done.out

"""Failures are two lines and an exit code, never a traceback; results go to stdout and all else to stderr."""

from __future__ import annotations

import errno
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from pentad.system.errors import EngineError, Interrupted
from pentad_cli import group, main
from pentad_cli.errors import as_engine_error, show

from .conftest import Result, command, environment

Cli = Callable[..., Result]

WRONG = {
    "rnu": ("unknown-command", "Did you mean run?"),
    "--foo": ("unknown-option", "engine --help"),
    "run --modle gpt": ("unknown-option", "Did you mean --model?"),
    "run --model gtp": ("unknown-name", "Did you mean gpt?"),
    "run --model.n-layr 3": ("unknown-option", "Did you mean --model.n-layer?"),
    "run --n-layer 3": ("unknown-option", "Did you mean --model.n-layer?"),
    "run --model.n-layer x": ("option-type", "Number of blocks."),
    "run --model.n-layer 0": ("option-bounds", "Number of blocks."),
    "run --model rnn --model.cell lsmt": ("option-choice", "Did you mean lstm?"),
    "run --batch-size 0": ("option-bounds", "Examples per step"),
    "run --training.batch-size -1": ("option-bounds", "Examples per step"),
    "run --steps 5 --budget 5s": ("options-conflict", "Use one of them."),
    "run --steps 5 --epochs 5": ("options-conflict", "Use one of them."),
    "run --epochs 0": ("option-bounds", "Passes over"),
    "run --budget soon": ("budget-format", "--steps"),
    "run --seed": ("value-missing", "engine run --help"),
    "run extra": ("data-not-found", "Check the path"),
    "doctor extra": ("unexpected-argument", "put several words in quotes"),
    "run --config nope.toml": ("file-missing", "Check the path."),
    "run --plugin nope.py": ("file-missing", "Check the path."),
    "run --observe nobody": ("unknown-name", "Installed:"),
    "run --data nope.txt": ("data-not-found", "shakespeare"),
    "resume": ("argument-missing", "Usage: engine resume [OPTIONS] RUN"),
    "resume nope": ("not-a-run", "engine run makes one"),
    "generate nope": ("not-a-run", "engine run makes one"),
    "generate nope --sampler gredy": ("unknown-name", "Did you mean greedy?"),
    "generate nope --sampler.kk 3": ("unknown-option", "Did you mean --sampler.k?"),
    "evaluate nope --jsn": ("unknown-option", "Did you mean --json?"),
    "examples --limit 0 text": ("option-bounds", "Maximum number of examples"),
    "tokenize --tokenizer gtp2 text": ("unknown-name", "Did you mean gpt2?"),
    "tokenize --tokenizer byte --run nope text": ("options-conflict", "Use one of them."),
    "plugins lst": ("unknown-command", "Did you mean list?"),
    "plugins show gtp": ("unknown-name", "Did you mean gpt?"),
    "plugins check gpt": ("unknown-name", "Did you mean pentad-gpt?"),
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_use_is_two_lines_and_code_2(line: str, cli: Cli) -> None:
    result = cli(*line.split())
    expected, advice = WRONG[line]
    assert (result.code, result.error) == (2, expected), result
    error, hint = result.err.splitlines()
    assert error.startswith("Error: ")
    assert hint.startswith("Hint: ")
    assert advice in hint


@pytest.mark.parametrize(
    "line",
    [
        *("run --data=", "run --out=", "run --held-out-data=", "resume EMPTY", "evaluate EMPTY", "evaluate RUN --data="),
        *("generate EMPTY", "tokenize --run= text", "plugins new mine --stage model --out="),
    ],
)
def test_an_empty_word_is_not_the_current_folder(line: str, cli: Cli, trained: Path, tmp_path: Path) -> None:
    """As from `--data "$UNSET"`."""
    (tmp_path / "text.txt").write_text("text")
    result = cli(*(str(trained) if word == "RUN" else word.replace("EMPTY", "") for word in line.split()))
    assert (result.code, result.error) == (2, "empty-word"), result
    assert "a variable of the shell" in result.err.splitlines()[1]


def test_debug_shows_the_traceback(cli: Cli) -> None:
    result = cli("run", "--debug", "--model", "gtp")
    assert result.code == 2
    assert "Traceback" in result.err
    assert "\nError: No model named 'gtp' is installed.\n" in result.err
    assert result.err.endswith("\nCode: unknown-name\n")


def test_a_script_is_told_the_code(cli: Cli) -> None:
    assert "Code:" not in cli("evaluate", "nope").err
    error, hint, code = cli("evaluate", "nope", "--json").err.splitlines()
    assert error.startswith("Error: ") and hint.startswith("Hint: ") and code == "Code: not-a-run"


def test_control_characters_of_a_message_are_spelled(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(EngineError("bad \x1b[2Jname\nsecond", "do \x9b this", code="bad"), debug=False) == 1
    err = capsys.readouterr().err
    assert err == "Error: bad \\x1b[2Jname\\nsecond\nHint: do \\x9b this\n"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk-full", ""),
        (MemoryError(), "memory-full", ""),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), "not-permitted", "runs"),
        (ZeroDivisionError("division by zero"), "bug", "ZeroDivisionError: division by zero"),
    ],
)
def test_what_nobody_foresaw_is_told_in_two_sentences(error: Exception, code: str, words: str) -> None:
    told = as_engine_error(error)
    assert (told.exit_code, told.code) == (1, code)
    assert words in told.message
    assert told.hint


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "Stopped: interrupted.\n"),
        (Interrupted("Stopped at step 3.", "engine resume r"), 130, "Stopped at step 3.\nHint: engine resume r\n"),
        (RuntimeError("boom"), 1, "Error: Something unforeseen went wrong (RuntimeError: boom).\n"),
    ],
)
def test_exit_codes(error: BaseException, code: int, words: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(group.EngineGroup, "get_command", lambda *_: click.Command("fail", callback=fail))
    result = cli("fail")
    assert result.code == code
    assert result.err.lstrip().startswith(words)
    assert "Traceback" not in result.err


def test_warnings_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        from pentad_cli.errors import show_warnings_in_one_line

        show_warnings_in_one_line()
        warnings.warn("The observer \x1b raised.", stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().err == "Warning: The observer \\x1b raised.\n"


def test_no_argument_shows_the_help(cli: Cli) -> None:
    result = cli()
    assert result.code == 2
    assert "Commands:" in result.err


def test_version(cli: Cli) -> None:
    assert cli("--version").out.startswith("pentad ")


@pytest.mark.parametrize("line", ["plugins show gpt", "run --help"])
def test_a_broken_pipe_is_silent(line: str, tmp_path: Path, cache: Path) -> None:
    process = subprocess.Popen(
        command(*line.split()),
        cwd=tmp_path,
        env=environment(cache),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("plugins >&-", 0),
        ("plugins >&- 2>&- <&-", 0),
        ("tokenize --tokenizer byte <&-", 0),
        ("rnu 2>&-", 2),
        ("plugins show gpt --json <&- 2>&-", 0),
    ],
)
def test_closed_streams(line: str, code: int, tmp_path: Path, cache: Path) -> None:
    called = shlex.join(command()) + " " + line
    done = subprocess.run(["sh", "-c", called], cwd=tmp_path, env=environment(cache), capture_output=True, text=True)
    assert done.returncode == code, done
    assert done.stderr == ""


def test_main_leaves_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "call", lambda arguments: 7)
    with pytest.raises(SystemExit) as stopped:
        main.main(["run"])
    assert stopped.value.code == 7

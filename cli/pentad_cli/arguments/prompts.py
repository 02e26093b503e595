"""What `engine generate` goes on from: a text, a file, or each line of a file."""

from __future__ import annotations

from pathlib import Path

import click

from pentad.system.errors import UsageError
from pentad_cli.arguments.command import read_text

_STDIN = "-"


def prompt_options() -> list[click.Option]:
    """Declare the flags beside --prompt."""
    return [
        click.Option(
            ["--prompt-file"], metavar="FILE", help="Continue the text of this file, in place of --prompt; - is stdin."
        ),
        click.Option(
            ["--prompts"],
            metavar="FILE",
            help="Continue each line of this file by itself, empty ones left out (\\n in a line is a newline); - is stdin.",
        ),
    ]


def read_prompts(prompt: str, given: bool, whole: str | None, lines: str | None) -> list[str]:
    """Return the prompts, one or several.

    Args:
        prompt: of --prompt, or the run's own; `-` is stdin.
        given: whether --prompt was given.
        whole, lines: the files of --prompt-file and --prompts.

    Raises:
        UsageError: more than one of the three is given, a file cannot be read or is not UTF-8, or has no line with a prompt.
    """
    named = [flag for flag, value in (("--prompt-file", whole), ("--prompts", lines)) if value is not None]
    named += ["--prompt"] if given else []
    if len(named) > 1:
        raise UsageError(f"A prompt comes from one place; found {' and '.join(named)}.", "Use one.", code="options-conflict")
    if whole is not None:
        return [_read(whole, "--prompt-file")]
    if lines is None:
        return [read_text(_STDIN, "--prompt") if prompt == _STDIN else prompt]
    found = [unescaped(line) for line in _read(lines, "--prompts").splitlines() if line.strip()]
    if not found:
        raise UsageError(
            f"--prompts expects a line for each prompt; found none in {lines}.", "Fill the file.", code="text-missing"
        )
    return found


def unescaped(text: str) -> str:
    r"""Return a text with \n and \t as what they stand for: a shell hands them over as they are typed."""
    return text.replace("\\n", "\n").replace("\\t", "\t")


def _read(path: str, flag: str) -> str:
    if path == _STDIN:
        return read_text(_STDIN, flag)
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} must be UTF-8; byte {error.start} is not.", "Convert it, for example with iconv.", code="text-not-utf8"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{flag} expects a file that can be read; {path}: {error.strerror}.", "Correct the path.", code="file-not-readable"
        ) from None

"""The way in: runs the group and turns every failure into two lines and an exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

import click

from pentad_cli.errors import show, show_warnings_in_one_line, silence_broken_pipe
from pentad_cli.group import ReaderGone, engine
from pentad_cli.terminal.output import paint, say


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `engine` and leave the interpreter with its exit code."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    show_warnings_in_one_line()
    code = call(list(sys.argv[1:] if arguments is None else arguments))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # what could not be written stays in the buffer, and the interpreter would fail over it
            silence_broken_pipe()
    if "torch" not in sys.modules:
        # As it ends, the interpreter would look through all that was imported for garbage: 6% of `engine --help`.
        # Where something was trained, a plugin may have left what only that look closes.
        gc.freeze()
    sys.exit(code)


def _open_closed_streams() -> None:
    """Give nobody the streams that the caller closed (`>&-`), for which Python has None: a file could get their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def call(arguments: list[str]) -> int:
    """Run `engine` with these arguments and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        result = engine.main(arguments, prog_name="engine", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message(), err=True)
        return 2
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        say(f"{paint('Stopped:', 'bold yellow', sys.stderr)} interrupted.", err=True)
        return 130
    except ReaderGone:
        silence_broken_pipe()
        return 0
    except Exception as error:
        return show(error, debug="--debug" in arguments, with_code="--json" in arguments)

"""How failures are shown: `Error:` what was expected and found, `Hint:` what to do next, and nothing else.

For scripts, and with --debug, `Code:` and the kind of the mistake stand below.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import warnings
from typing import TextIO

import click

from pentad.registry.failures import plugin_failure
from pentad.system.errors import EngineError, UsageError, is_out_of_memory
from pentad_cli.terminal.output import paint, say
from pentad_cli.terminal.started import runnable
from pentad_cli.terminal.text import size, visible_line


def as_engine_error(error: BaseException) -> EngineError:
    """Say any failure as two sentences; what nobody foresaw is called a bug."""
    if isinstance(error, EngineError):
        return error
    if isinstance(error, click.ClickException):
        return _from_click(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EngineError("The disk is full.", "Free some space; what is complete on the disk stays usable.", code="disk-full")
    if isinstance(error, PermissionError) and error.filename:
        return EngineError(
            f"{error.filename} cannot be used: {error.strerror}.",
            "Change its rights, or name another place.",
            code="not-permitted",
        )
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        name = max(str(error.filename or "").split(os.sep), key=len)
        return UsageError(
            f"{name[:30]}… cannot be used: that is a name longer than the system takes.",
            "Choose a shorter name.",
            code="name-too-long",
        )
    if is_out_of_memory(error):
        return _out_of_memory(str(error))
    of_plugin = plugin_failure(error)
    if of_plugin is not None:
        return of_plugin
    first = (str(error).strip().splitlines() or [""])[0]
    return EngineError(
        f"Something unforeseen went wrong ({type(error).__name__}: {first}).",
        "This is a bug in pentad or in a plugin: report it with what the same command with --debug shows.",
        code="bug",
    )


def _out_of_memory(message: str) -> EngineError:
    asked = re.search(r"(?:allocate|buffer size:) ([\d.]+) ?([KMGTPE]i?B|bytes)", message)
    more = ""
    if asked:
        number, unit = asked.groups()
        more = f": {size(float(number)) if unit == 'bytes' else f'{number} {unit}'} at once cannot be had"
    return EngineError(
        f"The memory is full{more}.",
        "Lower --batch-size, raise --gradient-accumulation, or choose a smaller model; "
        "to generate, lower --samples or --max-tokens.",
        code="memory-full",
    )


def _from_click(error: click.ClickException) -> EngineError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "engine"
    if isinstance(error, click.NoSuchOption):
        known = [flag for param in context.command.get_params(context) for flag in param.opts] if context else []
        near = _meant(error.option_name, known, context)
        return UsageError(
            f"{command} has no option {error.option_name}.",
            near or f"{command} --help lists its options.",
            code="unknown-option",
        )
    usage = f"Usage: {' '.join([command, *context.command.collect_usage_pieces(context)])}" if context else ""
    more = f"{command} --help says more."
    if isinstance(error, click.MissingParameter) and error.param and context:
        return UsageError(
            f"{command} expects {error.param.make_metavar(context)}, found nothing.",
            f"{usage}; {more}",
            code="argument-missing",
        )
    if isinstance(error, click.BadOptionUsage) and "requires an argument" in error.message:
        return UsageError(f"{error.option_name} expects a value, found nothing.", more, code="value-missing")
    if isinstance(error, click.BadParameter) and error.param:
        return _wrong_value(
            f"{error.param.opts[0]}: {error.message}", getattr(error.param, "help", "") or more, error.param.type
        )
    extra = re.fullmatch(r"Got unexpected extra arguments? \((.*)\)", error.message, re.DOTALL)
    if extra and any(os.path.exists(word) for word in extra[1].split()):
        return UsageError(
            f"{command} expects nothing more, found {extra[1]!r}.",
            'A shell replaces *.txt by many names: put it in quotes (--data "*.txt"), or repeat the flag for each file.',
            code="unexpected-argument",
        )
    if extra:
        return UsageError(
            f"{command} expects nothing more, found {extra[1]!r}.",
            _not_taken(command, extra[1], context) or f"{usage}; put several words in quotes.",
            code="unexpected-argument",
        )
    return UsageError(error.format_message().strip(), more, code="usage")


def _wrong_value(message: str, hint: str, expected: object) -> UsageError:
    """Give what click says of a value the code that the same mistake has elsewhere."""
    if isinstance(expected, click.Choice):
        return UsageError(message, hint, code="option-choice")
    if "is not in the range" in message:
        return UsageError(message, hint, code="option-bounds")
    return UsageError(message, hint, code="option-type")


def _meant(flag: str, known: list[str], context: click.Context | None) -> str:
    from pentad_cli.arguments.hints import option_hint

    request = context.obj if context else None
    stages = getattr(context.command, "stages", ()) if context else ()
    return option_hint(flag, known, stages, getattr(request, "catalogue", None))


def _not_taken(command: str, words: str, context: click.Context | None) -> str:
    from pentad_cli.arguments.hints import extra_argument_hint

    if context is None:
        return ""
    return extra_argument_hint(command, words, context, getattr(context.obj, "catalogue", None))


def show(error: BaseException, *, debug: bool, with_code: bool = False) -> int:
    """Write a failure to stderr and return the exit code that goes with it.

    Args:
        error: what escaped the command.
        debug: whether the traceback stands above, and the error's code below.
        with_code: whether the error's code stands below all the same.
    """
    if debug:
        import traceback

        say("".join(traceback.format_exception(error)).rstrip(), err=True)
    told = as_engine_error(error)
    stopped = told.exit_code == 130
    label = paint("Stopped:" if stopped else "Error:", "bold yellow" if stopped else "bold red", sys.stderr)
    message = visible_line(told.message)
    say(message if stopped and message.startswith("Stopped") else f"{label} {message}", err=True)
    if told.hint:
        say(f"{paint('Hint:', 'bold cyan', sys.stderr)} {visible_line(runnable(told.hint))}", err=True)
    if debug or with_code:
        say(f"{paint('Code:', 'bold cyan', sys.stderr)} {visible_line(told.code)}", err=True)
    return told.exit_code


def show_warnings_in_one_line() -> None:
    """Show Python's warnings without their source line."""

    def show_one(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del filename, lineno, file, line
        if not issubclass(category, (DeprecationWarning, PendingDeprecationWarning, ResourceWarning)):
            say(f"{paint('Warning:', 'bold yellow', sys.stderr)} {visible_line(runnable(str(message)))}", err=True)

    warnings.showwarning = show_one


def silence_broken_pipe() -> None:
    """Give the unread streams to nobody, so that the interpreter's last flush does not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue

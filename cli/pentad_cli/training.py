"""What `engine run` and `engine resume` share: their flags, and a training under a display."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

import click

from pentad_cli.arguments.command import epochs_option, json_option, observe_option
from pentad_cli.arguments.stage_command import Request
from pentad_cli.terminal.output import is_terminal, say_json

if TYPE_CHECKING:
    from pentad.contracts.observer import RunObserver, RunResult
    from pentad_cli.terminal.display import Display


def train_options() -> list[click.Option]:
    """Declare --epochs, --observe and --json."""
    return [epochs_option(), observe_option(), json_option()]


def display_for(stream: TextIO) -> Display:
    """Return the display that suits a stream; under torchrun only the first process has one."""
    from pentad_cli.terminal.display import Display, PlainDisplay, is_first_process

    if not is_first_process():
        return Display(io.StringIO())
    if not is_terminal(stream):
        return PlainDisplay(stream)
    from pentad_cli.terminal.live import LiveDisplay

    return LiveDisplay(stream)


def train(run_it: Callable[[list[RunObserver]], RunResult], request: Request, as_json: bool) -> None:
    """Train, show it on the way, and show how it ended.

    Args:
        run_it: trains, and tells the observers that it is given.
        request: what the command line asks for.
        as_json: whether the result goes to stdout as JSON, and all else to stderr.
    """
    from pentad.system.machine import prepare_process
    from pentad_cli.terminal.display import is_first_process

    prepare_process()  # before an observer or the pipeline imports torch
    watchers = request.watchers()
    with display_for(sys.stderr if as_json else sys.stdout) as display:
        result = run_it([display, *watchers])
    if not is_first_process():
        return
    if as_json:
        say_json(result_record(result))
    display.show_result(result, request.catalogue, typed=request.typed, plugins=request.plugin_files)


def result_record(result: RunResult) -> dict[str, Any]:
    """Return a run's end for --json: its fields, with the scores by name beside the evaluation's own fields."""
    evaluation = result.evaluation
    scored = None if evaluation is None else {**vars(evaluation), **evaluation.scores}
    return {**vars(result), "evaluation": scored}

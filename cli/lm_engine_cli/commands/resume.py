"""`engine resume`: go on with a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lm_engine_cli.command import json_option, observe_option, run_argument
from lm_engine_cli.output import say_json
from lm_engine_cli.stage_command import Request, StageCommand


def _resume(run: Path, as_json: bool) -> None:
    request: Request = click.get_current_context().obj
    end = request.tables.get("training", {})
    steps, budget = (None if end.get(word) in (None, "none") else end[word] for word in ("steps", "budget"))
    from lm_engine.runtime import prepare_process
    from lm_engine_cli.display import display_for, is_first_process

    prepare_process()  # before an observer or the pipeline imports torch
    watchers = request.watchers()
    with display_for(sys.stderr if as_json else sys.stdout) as display:
        from lm_engine import pipeline

        result = pipeline.resume(run, catalogue=request.catalogue, observers=[display, *watchers], steps=steps, budget=budget)
    if not is_first_process():
        return
    if as_json:
        say_json(result)
    display.show_result(result, request.catalogue)


resume = StageCommand(
    "resume",
    callback=_resume,
    stages=(),
    tables=("training.steps", "training.budget"),
    short_help="Go on with a run.",
    help="""Go on with a run that was stopped, exactly where its newest checkpoint stands.

    With --steps or --budget the run, also one that is done, is trained to that new end.

    \b
      engine resume runs/NAME
      engine resume runs/NAME --budget 10m""",
    params=[
        run_argument(),
        observe_option(),
        json_option(),
    ],
)

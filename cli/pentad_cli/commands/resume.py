"""`engine resume`: train a run on from its newest checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pentad_cli.command import run_argument
from pentad_cli.layers import is_given
from pentad_cli.stage_command import Request, StageCommand
from pentad_cli.training import train, train_options

if TYPE_CHECKING:
    from pentad.contracts.observer import RunObserver, RunResult


def _resume(run: Path, as_json: bool) -> None:
    request: Request = click.get_current_context().obj
    end = request.tables.get("training", {})
    steps, budget = (end[word] if is_given(end.get(word)) else None for word in ("steps", "budget"))

    def resume_it(observers: list[RunObserver]) -> RunResult:
        from pentad import pipeline

        return pipeline.resume(run, catalogue=request.catalogue, observers=observers, steps=steps, budget=budget)

    train(resume_it, request, as_json)


resume = StageCommand(
    "resume",
    callback=_resume,
    stages=(),
    tables=("training.steps", "training.budget"),
    of_run=("training.steps", "training.budget"),
    short_help="Resume a run.",
    help="""Resume a run that was stopped, exactly where its newest checkpoint stands.

    Without --steps and --budget the run's own end holds; with one of them a run is trained to that new end, also one
    that is done.

    \b
      engine resume runs/NAME
      engine resume runs/NAME --budget 10m""",
    params=[run_argument(), *train_options()],
)

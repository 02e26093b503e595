"""`engine resume`: train a run on from its newest checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pentad.config.options import describe
from pentad.system.errors import EngineError
from pentad_cli.arguments.command import run_argument
from pentad_cli.arguments.layers import is_given
from pentad_cli.arguments.scanning import positional
from pentad_cli.arguments.stage_command import Request, SpecOption, StageCommand
from pentad_cli.training import train, train_options

if TYPE_CHECKING:
    from pentad.contracts.observer import RunObserver, RunResult


class ResumeCommand(StageCommand):
    """Has the options of the optimizer that the run has, without a choice of another one."""

    def look(self, ctx: click.Context, args: Sequence[str]) -> Request:
        """Look; then find out what the run's optimizer is."""
        request = super().look(ctx, args)
        request.tables.pop("optimizer", None)  # the defaults' one: what stands there from now on is what flags change
        folder = positional(args, self.flags_with_value())
        if not folder:
            return request
        from pentad.runs.folder import RunDirectory

        with contextlib.suppress(EngineError) if "--help" in args else contextlib.nullcontext():
            offer = RunDirectory.open(Path(folder)).maker("optimizer", request.catalogue).offer
            request.tables["optimizer"] = {"name": offer.name}
            request.offers["optimizer"] = offer
            request.named = ("optimizer",)
            request.params += [SpecOption("optimizer", spec, default_shown=False) for spec in describe(offer.options)]
        return request


def _resume(run: Path, as_json: bool) -> None:
    request: Request = click.get_current_context().obj
    end = request.tables.get("training", {})
    steps, budget = (end[word] if is_given(end.get(word)) else None for word in ("steps", "budget"))

    def resume_it(observers: list[RunObserver]) -> RunResult:
        from pentad import pipeline

        return pipeline.resume(
            run,
            catalogue=request.catalogue,
            observers=observers,
            steps=steps,
            budget=budget,
            optimizer=request.options("optimizer"),
            machine={name: value for name, value in request.tables.get("machine", {}).items() if is_given(value)},
        )

    train(resume_it, request, as_json)


resume = ResumeCommand(
    "resume",
    callback=_resume,
    stages=(),
    tables=("training.steps", "training.budget", "machine"),
    of_run=("training.steps", "training.budget", "machine"),
    short_help="Resume a run.",
    help="""Resume a run that was stopped, exactly where its newest checkpoint stands.

    Without --steps and --budget the run's own end holds; with one of them a run is trained to that new end, also one
    that is done. Options of the run's optimizer may be changed, for a run that diverged, and those of the machine, to go on
    elsewhere: they hold from the newest checkpoint on, and the recipe and metrics.jsonl say so.

    \b
      engine resume runs/NAME
      engine resume runs/NAME --budget 10m
      engine resume runs/NAME --optimizer.lr 1e-4
      engine resume runs/NAME --device cpu  where it was trained on a GPU
      engine resume runs/NAME --help       the options of its optimizer""",
    params=[run_argument(), *train_options()],
)

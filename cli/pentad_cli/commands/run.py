"""`engine run`: from text to a trained model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pentad.config.recipe import Recipe, to_toml
from pentad.config.tables import TABLES
from pentad.system.errors import UsageError
from pentad_cli.arguments.command import Folder
from pentad_cli.arguments.stage_command import TEXTS, Request, StageCommand
from pentad_cli.terminal.output import say, say_json
from pentad_cli.training import display_for, train, train_options

if TYPE_CHECKING:
    from pentad.contracts.observer import RunObserver, RunResult


def _run(config: Path | None, out: Path | None, dry_run: bool, find_lr: bool, print_config: bool, as_json: bool) -> None:
    if dry_run and find_lr:
        raise UsageError("--dry-run trains nothing, and --find-lr does.", "Use one of them.", code="options-conflict")
    from pentad.registry.resolving import resolve, written_tables

    request: Request = click.get_current_context().obj
    recipe = Recipe.from_dict(request.tables, f"--config {config}" if config else "The recipe")
    resolved = resolve(recipe, request.catalogue)
    if print_config and not dry_run:
        tables = written_tables(resolved)
        say_json(tables) if as_json else say(to_toml(tables).rstrip())
        return
    if dry_run:
        _plan(recipe, request, out, as_json, print_config)
    else:
        (_find_lr if find_lr else _train)(recipe, request, out, as_json)


def _plan(recipe: Recipe, request: Request, out: Path | None, as_json: bool, as_recipe: bool) -> None:
    from pentad.system.machine import prepare_process
    from pentad_cli.terminal.display import is_first_process

    prepare_process()  # before the pipeline imports torch
    with display_for(sys.stderr if as_json or as_recipe else sys.stdout) as display:
        from pentad import pipeline

        plan = pipeline.plan(recipe, catalogue=request.catalogue, out=out, observers=[display])
        display.show_plan(plan)
    if not is_first_process():
        return
    if as_recipe:
        say_json(plan.recipe.to_dict()) if as_json else say(plan.recipe.to_toml().rstrip())
    elif as_json:
        say_json(plan)
    else:
        say("  Dry run: no model was trained. The tokenizer and the tokens are kept for the run.")


def _find_lr(recipe: Recipe, request: Request, out: Path | None, as_json: bool) -> None:
    from pentad.system.machine import prepare_process
    from pentad_cli.terminal.display import is_first_process
    from pentad_cli.terminal.rates import sweep_lines

    prepare_process()  # before an observer or the pipeline imports torch
    watchers = request.watchers()
    with display_for(sys.stderr if as_json else sys.stdout) as display:
        from pentad import pipeline

        found = pipeline.find_lr(recipe, catalogue=request.catalogue, out=out, observers=[display, *watchers])
    if not is_first_process():
        return
    if as_json:
        say_json(found)
        return
    for line in sweep_lines(found, sys.stdout, saved_to=out):
        say(line)


def _train(recipe: Recipe, request: Request, out: Path | None, as_json: bool) -> None:
    def run_it(observers: list[RunObserver]) -> RunResult:
        from pentad import pipeline

        return pipeline.run(recipe, catalogue=request.catalogue, out=out, observers=observers)

    train(run_it, request, as_json)


run = StageCommand(
    "run",
    callback=_run,
    tables=tuple(TABLES),
    adapter=True,
    help="""Train a model on text: tokenize, build examples, learn, generate.

    Without options it trains on Shakespeare's plays. What flags leave open, --config says; what that leaves open, the
    defaults do. The sizes of the vocabulary and the model are chosen for the text, the budget and the machine, unless given.

    \b
      engine run my.txt --budget 5m        the same as --data my.txt
      engine run --data books/ --model rnn --model.n-layer 2
      engine run --model gpt --help        the options of the model gpt
      engine run --find-lr                 suggest a learning rate
      engine run --print-config > mine.toml; engine run --config mine.toml
      engine run --dry-run --print-config > sized.toml    with the chosen sizes""",
    short_help="Train a model on text.",
    params=[
        click.Argument([TEXTS], nargs=-1, metavar="[TEXT]..."),
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A recipe: the TOML file that --print-config writes.",
        ),
        click.Option(
            ["--out"],
            type=Folder(),
            metavar="DIR",
            help="Folder to save the run to; a new one in runs/ unless given.",
        ),
        click.Option(["--dry-run"], is_flag=True, help="Show the plan and what it costs, and stop there."),
        click.Option(
            ["--find-lr"],
            is_flag=True,
            help="Try rising learning rates for a tenth of the steps (100 to 300), suggest one, and stop there; saves nothing "
            "but the curve, and that where --out is given.",
        ),
        click.Option(
            ["--print-config"],
            is_flag=True,
            help="Print the recipe as TOML and stop there, without the sizes that a run chooses: it sizes itself wherever it "
            "runs. With --dry-run, every size that was chosen is in it.",
        ),
        *train_options(),
    ],
)

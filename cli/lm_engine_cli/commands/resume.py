"""`engine resume`: go on with a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lm_engine.catalogue import Catalogue
from lm_engine.errors import UsageError
from lm_engine_cli.command import EngineCommand, json_option, plugin_option, run_argument
from lm_engine_cli.group import installed
from lm_engine_cli.output import say_json


def _resume(run: Path, steps: int | None, budget: str | None, plugin: tuple[Path, ...], as_json: bool) -> None:
    if steps is not None and budget is not None:
        raise UsageError("A run ends by --steps or by --budget, found both.", "Say one of them.")
    catalogue = Catalogue(plugin_files=plugin) if plugin else installed()
    from lm_engine.runtime import prepare_process
    from lm_engine_cli.display import display_for

    prepare_process()
    with display_for(sys.stderr if as_json else sys.stdout) as display:
        from lm_engine import pipeline

        result = pipeline.resume(run, catalogue=catalogue, observers=[display], steps=steps, budget=budget)
    if as_json:
        say_json(result)
    display.show_result(result, catalogue)


resume = EngineCommand(
    "resume",
    callback=_resume,
    short_help="Go on with a run.",
    help="""Go on with a run that was stopped, exactly where its newest checkpoint stands.

    With --steps or --budget the run, also one that is done, is trained to that new end.

    \b
      engine resume runs/NAME
      engine resume runs/NAME --budget 10m""",
    params=[
        run_argument(),
        click.Option(["--steps"], type=click.IntRange(min=1), metavar="N", help="A new end: optimizer steps in all."),
        click.Option(["--budget"], metavar="AMOUNT", help="A new end: 90s, 5m, 2h, 2e15flops or 50MB of text in all."),
        plugin_option(),
        json_option(),
    ],
)

"""`engine chat`: talk with a trained model."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from pentad import Catalogue, UsageError
from pentad.tools import prepare_process
from pentad_cli.tools import EngineCommand, Folder, installed, offers_of, plugin_option, visible_line, weights_option


def _chat(
    run: Path,
    system: str,
    sampler: str | None,
    max_tokens: int,
    seed: int,
    device: str,
    weights: str | None,
    plugin: tuple[Path, ...],
) -> None:
    prepare_process()
    from pentad import open_run
    from pentad.tools import Conversation
    from pentad_chat.console import Console, sampler_of

    catalogue = Catalogue(plugin_files=[path.absolute() for path in plugin]) if plugin else installed()
    saved = open_run(run, catalogue=catalogue, device=device, weights=weights)
    if not saved.model.causal:
        raise UsageError(
            f"engine chat expects a model that writes; {visible_line(str(run))} is bidirectional, and fills in masks.",
            f'Use engine generate {shlex.quote(str(run))} --prompt "To be or <mask> to be"',
            code="not-causal",
        )
    choice = sampler_of(sampler, saved) if sampler else None
    Console(saved, Conversation(saved, max_tokens=max_tokens, seed=seed, system=system), choice).run()


chat = EngineCommand(
    "chat",
    callback=_chat,
    short_help="Talk with a trained model.",
    help="""Talk with a model that learned conversations; any other causal model continues each line as plain text.

    The model reads as much of the conversation as its context holds, cut at turns. An answer ends where the model ends its
    turn. Through a pipe each line is a question; answers go to stdout, all else to stderr. /help lists what else can be typed.

    \b
      engine chat runs/NAME
      engine chat runs/NAME --sampler greedy --system "Be brief."
      printf '%s\\n' "What is 2 + 2?" "And 3 + 3?" | engine chat runs/NAME""",
    params=[
        click.Argument(["run"], type=Folder(), metavar="RUN"),
        click.Option(["--system"], default="", metavar="TEXT", help="What the system says first."),
        click.Option(
            ["--sampler"],
            metavar="NAME[,OPTION=VALUE]…",
            shell_complete=offers_of("sampler"),
            help="How answers are drawn, in place of the run's own sampler.",
        ),
        click.Option(
            ["--max-tokens"],
            type=click.IntRange(min=1),
            default=256,
            show_default=True,
            metavar="INT",
            help="Maximum new tokens of an answer.",
        ),
        click.Option(
            ["--seed"], type=click.IntRange(min=0), default=0, show_default=True, metavar="INT", help="Decides every draw."
        ),
        click.Option(
            ["--device"],
            type=click.Choice(["auto", "cpu", "cuda", "mps"]),
            default="auto",
            show_default=True,
            help="Where to compute.",
        ),
        weights_option(),
        plugin_option(),
    ],
)

"""`engine evaluate`: score a trained model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pentad.config.options import parse
from pentad_cli.arguments.command import json_option, offers_of, run_argument, strict_option, without_adapter_option
from pentad_cli.arguments.stage_command import Request, StageCommand
from pentad_cli.terminal.display import error_words, lossy_words
from pentad_cli.terminal.output import paint, say, say_json, table
from pentad_cli.terminal.progress import ProgressLine
from pentad_cli.terminal.text import count, duration, plural, size, visible_line

if TYPE_CHECKING:
    from pentad.contracts.observer import Evaluation


def _evaluate(
    run: Path,
    data: tuple[str, ...],
    evaluators: tuple[str, ...],
    builder: str | None,
    plain_text: bool,
    as_json: bool,
    strict: bool,
    without_adapter: bool,
) -> None:
    request: Request = click.get_current_context().obj
    from pentad.config.tables import MachineOptions
    from pentad.system.machine import prepare_process

    prepare_process()
    from pentad.data.corpus import keep_pipes
    from pentad.runs.saved_run import open_run

    machine = parse(MachineOptions, request.tables.get("machine", {}), "machine")
    saved = open_run(run, catalogue=request.catalogue, device=machine.device, strict=strict, adapted=not without_adapter)
    data = keep_pipes(data)
    with ProgressLine(sys.stderr) as progress:
        scores = [
            saved.evaluate(list(data) or None, evaluator=name, plain_text=plain_text, builder=builder, observer=progress)
            for name in dict.fromkeys(evaluators or (None,))
        ]
    if as_json:
        first = {"run": run, "data": data or None, **vars(scores[0]), **scores[0].scores}
        say_json(first if len(scores) == 1 else {**first, "evaluations": scores})
        return
    text = ", ".join(visible_line(name) for name in data) or "the run's held-out text"
    for score in scores:
        _show(score, text)


def _show(score: Evaluation, text: str) -> None:
    if score.primary == "bits_per_byte":
        lossy = "" if score.lossless else " (lossy)"
        say(f"{paint(f'{score.bits_per_byte:.3f} bits per byte{lossy}', 'bold green')} on {text}")
        if not score.lossless:
            say(paint(lossy_words(score), "yellow"))
        say(f"loss {score.loss:.3f} nats per token, perplexity {score.perplexity:.1f}")
        if words := error_words(score):
            say(paint(words, "dim"))
    else:
        say(f"{paint(f'{visible_line(score.primary)} {score.score:.3f}', 'bold green')} on {text}")
        others = (
            []
            if score.table
            else [f"{visible_line(name)} {value:.3f}" for name, value in score.scores.items() if name != score.primary]
        )
        if others:
            say(", ".join(others))
    if score.table:
        say(table(score.table[1:], header=score.table[0]))
    scored = f"{size(score.n_bytes)} in {plural(score.n_tokens, 'token')}, each seen from at most {count(score.context_length)}"
    say(paint(f"{scored}; step {count(score.step)}; {duration(score.seconds)}", "dim"))


evaluate = StageCommand(
    "evaluate",
    callback=_evaluate,
    stages=(),
    tables=("machine.device",),
    short_help="Score a trained model.",
    help="""Score a trained model on text, in bits per byte: lower is better, and it compares across tokenizers.

    Without --data the text that the run held out is scored.

    \b
      engine evaluate runs/NAME
      engine evaluate runs/NAME --data other.txt
      engine evaluate runs/NAME --with bits-per-byte""",
    params=[
        run_argument(),
        click.Option(
            ["--data"],
            multiple=True,
            metavar="PATH|CORPUS",
            shell_complete=offers_of("corpus", files=True),
            help="Text to score on. May be repeated.",
        ),
        click.Option(
            ["--with", "evaluators"],
            multiple=True,
            metavar="NAME[,OPTION=VALUE]…",
            shell_complete=offers_of("evaluator"),
            help="Evaluator that scores it, in place of the one that fits the run. May be repeated.",
        ),
        click.Option(
            ["--builder"],
            metavar="NAME[,OPTION=VALUE]…",
            shell_complete=offers_of("builder"),
            help="Builder that reads the text, in place of the run's own: a run that learned pairs answers tasks as chat.",
        ),
        click.Option(
            ["--plain-text"],
            is_flag=True,
            help="Score the text as it is, for a run whose builder makes conversations or pairs of records.",
        ),
        strict_option(),
        without_adapter_option(),
        json_option(),
    ],
)

"""`engine evaluate`: score a trained model."""

from __future__ import annotations

from pathlib import Path

import click

from lm_engine.catalogue import Catalogue
from lm_engine_cli.command import EngineCommand, json_option, offers_of, plugin_option, run_argument
from lm_engine_cli.group import installed
from lm_engine_cli.output import paint, say, say_json
from lm_engine_cli.text import count, duration, plural, size, visible_line


def _evaluate(run: Path, data: tuple[str, ...], device: str, plugin: tuple[Path, ...], as_json: bool) -> None:
    from lm_engine.runtime import prepare_process

    prepare_process()
    from lm_engine.saved_run import open_run

    catalogue = Catalogue(plugin_files=plugin) if plugin else installed()
    saved = open_run(run, catalogue=catalogue, device=device)
    score = saved.evaluate(list(data) or None)
    if as_json:
        say_json({"run": run, "data": data or None, **vars(score)})
        return
    text = ", ".join(visible_line(name) for name in data) or "the run's held-out text"
    say(f"{paint(f'{score.bits_per_byte:.4f} bits per byte', 'bold green')} on {text}")
    say(f"loss {score.loss:.4f} nats per token, perplexity {score.perplexity:.2f}")
    scored = f"{size(score.n_bytes)} in {plural(score.n_tokens, 'token')}, each seen from at most {count(score.context_length)}"
    say(paint(f"{scored}; step {count(score.step)}; {duration(score.seconds)}", "dim"))


evaluate = EngineCommand(
    "evaluate",
    callback=_evaluate,
    short_help="Score a trained model.",
    help="""Score a trained model on text, in bits per byte: lower is better, and it compares across tokenizers.

    Without --data the text that the run held out is scored.

    \b
      engine evaluate runs/NAME
      engine evaluate runs/NAME --data other.txt""",
    params=[
        run_argument(),
        click.Option(["--data"], multiple=True, metavar="PATH|CORPUS", shell_complete=offers_of("corpus"), help="Text to score on. May be repeated."),
        click.Option(["--device"], type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True, help="Where to compute."),
        plugin_option(),
        json_option(),
    ],
)

"""`engine generate`: write with a trained model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lm_engine_cli.command import json_option, read_text, run_argument
from lm_engine_cli.layers import Tables
from lm_engine_cli.output import is_terminal, paint, say, say_json
from lm_engine_cli.stage_command import Request, StageCommand, positional
from lm_engine_cli.text import visible

if TYPE_CHECKING:
    from lm_engine.observer import Sample


class GenerateCommand(StageCommand):
    """Starts from the run's own sampler instead of the default one."""

    def base_tables(self, args: Sequence[str], with_value: Sequence[str]) -> Tables:
        """Return the run's recipe, so that `--sampler.k 5` alone changes the sampler that the run has."""
        from lm_engine.recipe import read_tables

        folder = positional(args, with_value)
        tables = super().base_tables(args, with_value)
        recipe = Path(folder, "recipe.toml") if folder else None
        if recipe and recipe.is_file():
            tables.update({name: table for name, table in read_tables(recipe).items() if name == "sampler"})
        return tables


def _generate(run: Path, prompt: str, max_tokens: int, samples: int, seed: int, device: str, as_json: bool) -> None:
    request: Request = click.get_current_context().obj
    from lm_engine.runtime import prepare_process

    prompt = read_text(prompt, "--prompt") if prompt == "-" else prompt
    prepare_process()
    from lm_engine.recipe import Choice
    from lm_engine.saved_run import open_run

    saved = open_run(run, catalogue=request.catalogue, device=device)
    sampler = Choice(request.tables["sampler"]["name"], **request.options("sampler"))
    stream = samples == 1 and not as_json and is_terminal(sys.stdout)
    if stream:
        print(paint(visible(prompt), "bold"), end="", flush=True)
    texts = saved.generate(
        prompt, max_tokens=max_tokens, samples=samples, sampler=sampler, seed=seed, on_token=_show if stream else None
    )
    if stream:
        say()
    elif as_json:
        say_json({"run": run, "step": saved.step, "samples": texts})
    else:
        _show_all(texts)


def _show(index: int, text: str) -> None:
    print(visible(text), end="", flush=True)


def _show_all(texts: Sequence[Sample]) -> None:
    for number, sample in enumerate(texts, 1):
        if len(texts) > 1:
            say(paint(f"--- sample {number} of {len(texts)}", "dim"))
        if is_terminal(sys.stdout):
            say(paint(visible(sample.prompt), "bold") + visible(sample.text))
        else:
            say(sample.prompt + sample.text)


generate = GenerateCommand(
    "generate",
    callback=_generate,
    stages=("sampler",),
    short_help="Write text with a trained model.",
    help="""Write text with a trained model.

    The sampler is the run's own unless another one is named.

    \b
      engine generate runs/NAME --prompt "Once upon a time" --samples 3
      engine generate runs/NAME --sampler greedy
      engine generate runs/NAME --sampler top-k --sampler.k 5
      cat start.txt | engine generate runs/NAME --prompt -""",
    params=[
        run_argument(),
        click.Option(["--prompt"], default="", metavar="TEXT", help="Text to go on from, - for stdin. [default: the start of a document]"),
        click.Option(["--max-tokens"], type=click.IntRange(min=1), default=200, show_default=True, metavar="N", help="Most tokens to write."),
        click.Option(["--samples"], type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="How many texts."),
        click.Option(["--seed"], type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Decides every draw."),
        click.Option(["--device"], type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True, help="Where to compute."),
        json_option(),
    ],
)

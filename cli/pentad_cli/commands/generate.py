"""`engine generate`: write with a trained model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pentad.config.options import parse
from pentad.registry.catalogue import Catalogue
from pentad.system.errors import UsageError
from pentad_cli.command import json_option, read_text, run_argument, strict_option
from pentad_cli.layers import Tables
from pentad_cli.output import is_terminal, paint, say, say_json
from pentad_cli.stage_command import Request, StageCommand, look, positional
from pentad_cli.text import plural, short, visible

if TYPE_CHECKING:
    from pentad.contracts.observer import Sample

_OF_RUN = ("generation.prompt", "generation.max_tokens", "generation.samples")
"""Options whose values are the run's own unless flags say otherwise."""


class GenerateCommand(StageCommand):
    """Starts from what the run's recipe says about sampling."""

    def base_tables(self, args: Sequence[str], with_value: Sequence[str]) -> Tables:
        """Return the run's sampler and [generation], so that `--sampler.k 5` alone changes the sampler that the run has."""
        from pentad.config.recipe import Recipe, read_tables

        folder = positional(args, with_value)
        tables = super().base_tables(args, with_value)
        recipe = Path(folder, "recipe.toml") if folder else None
        if recipe and recipe.is_file():
            own = Recipe.from_dict(read_tables(recipe, "The recipe"), str(recipe)).to_dict()
            tables.update(sampler=own["sampler"], generation=own["generation"])
        return tables

    def look(self, ctx: click.Context, args: Sequence[str]) -> Request:
        """Look; when the run's own sampler is missing, say what made it and what to install."""
        try:
            return super().look(ctx, args)
        except UsageError:
            given = look(args, ("--plugin", "--sampler"))
            folder = positional(args, self.flags_with_value())
            if folder and "--sampler" not in given and Path(folder, "engine.json").is_file():
                from pentad.runs.folder import RunDirectory

                files = [Path(path) for path in given.get("--plugin", ())]
                RunDirectory.open(Path(folder)).maker("sampler", Catalogue(plugin_files=files))
            raise


def _generate(run: Path, as_json: bool, strict: bool) -> None:
    request: Request = click.get_current_context().obj
    from pentad.config.recipe import Choice, GenerationOptions, MachineOptions, TrainingOptions
    from pentad.system.machine import prepare_process

    wanted = parse(GenerationOptions, request.tables.get("generation", {}), "generation")
    training = parse(TrainingOptions, request.tables.get("training", {}), "training")
    machine = parse(MachineOptions, request.tables.get("machine", {}), "machine")
    prompt = read_text("-", "--prompt") if wanted.prompt == "-" else wanted.prompt
    prepare_process()
    from pentad.runs.saved_run import open_run

    saved = open_run(run, catalogue=request.catalogue, device=machine.device, strict=strict)
    sampler = Choice(request.tables["sampler"]["name"], **request.options("sampler"))
    stream = wanted.samples == 1 and not as_json and is_terminal(sys.stdout)
    if stream:
        print(paint(visible(prompt), "bold"), end="", flush=True)
    texts = saved.generate(
        prompt,
        max_tokens=wanted.max_tokens,
        samples=wanted.samples,
        sampler=sampler,
        seed=training.seed,
        on_token=_show if stream else None,
    )
    if stream:
        say("\n" + paint(f"{plural(len(texts[0].tokens), 'token')}, {short(texts[0].tokens_per_second)} tokens/s", "dim"))
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
    tables=(*_OF_RUN, "training.seed", "machine.device"),
    of_run=(*_OF_RUN, "sampler"),
    short_help="Write text with a trained model.",
    help="""Write text with a trained model.

    The sampler and the length are the run's own unless flags say otherwise; --prompt - reads stdin.

    \b
      engine generate runs/NAME --prompt "Once upon a time" --samples 3
      engine generate runs/NAME --sampler greedy
      engine generate runs/NAME --sampler top-k --sampler.k 5
      cat start.txt | engine generate runs/NAME --prompt -""",
    params=[
        run_argument(),
        strict_option(),
        json_option(),
    ],
)

"""`engine generate`: write with a trained model."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pentad.config.options import parse
from pentad.registry.catalogue import Catalogue
from pentad.system.errors import Interrupted, UsageError
from pentad_cli.arguments.command import json_option, read_text, run_argument, strict_option
from pentad_cli.arguments.layers import Tables
from pentad_cli.arguments.sampling import sampler_choice, sampling_options
from pentad_cli.arguments.scanning import look, positional
from pentad_cli.arguments.stage_command import Request, StageCommand
from pentad_cli.terminal.output import paint, say, say_json
from pentad_cli.terminal.text import plural, short
from pentad_cli.terminal.writing import TextWriter

if TYPE_CHECKING:
    from pentad.contracts.session import Limits, TokenEvent

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


def _generate(
    run: Path,
    suffix: str | None,
    plain_prompt: bool,
    stop: tuple[str, ...],
    min_new_tokens: int,
    ignore_end_of_text: bool,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
    as_json: bool,
    strict: bool,
) -> None:
    request: Request = click.get_current_context().obj
    from pentad.config.recipe import Choice, GenerationOptions, MachineOptions, TrainingOptions
    from pentad.system.machine import prepare_process

    wanted = parse(GenerationOptions, request.tables.get("generation", {}), "generation")
    training = parse(TrainingOptions, request.tables.get("training", {}), "training")
    machine = parse(MachineOptions, request.tables.get("machine", {}), "machine")
    base = Choice(request.tables["sampler"]["name"], **request.options("sampler"))
    flags = {"temperature": temperature, "top-k": top_k, "top-p": top_p, "min-p": min_p}
    sampler = sampler_choice(base, "sampler" in request.named, flags, request.catalogue)
    prompt = read_text("-", "--prompt") if wanted.prompt == "-" else wanted.prompt
    prepare_process()
    from pentad.contracts.session import Limits
    from pentad.runs.saved_run import open_run

    limits = Limits(
        max_tokens=wanted.max_tokens,
        samples=wanted.samples,
        seed=training.seed,
        min_tokens=_at_most(min_new_tokens, wanted.max_tokens),
        ignore_end=ignore_end_of_text,
        stop=tuple(map(_unescaped, stop)),
    )
    saved = open_run(run, catalogue=request.catalogue, device=machine.device, strict=strict)
    from pentad_cli.commands.filling import parts_of, refuse_limits, show_filled

    parts = parts_of(saved, prompt, suffix, plain_prompt)
    refuse_limits(saved, limits)
    if as_json and parts:
        say_json({"run": run, "step": saved.step, "samples": saved.fill(parts, sampler=sampler, limits=limits)})
    elif as_json:
        texts = saved.generate(prompt, sampler=sampler, limits=limits)
        say_json({"run": run, "step": saved.step, "samples": texts})
    elif parts and saved.fills == "masks":
        show_filled(saved, parts, sampler, limits)
    else:
        before, after = (parts[0], parts[-1]) if parts else (prompt, "")
        events = saved.stream(saved.gap_prompt(parts) if parts else prompt, sampler=sampler, limits=limits)
        (_stream if wanted.samples == 1 else _show_all)(events, before, after, limits)


def _at_most(min_new_tokens: int, max_tokens: int) -> int:
    if min_new_tokens > max_tokens:
        raise UsageError(
            f"--min-new-tokens must be at most --max-tokens {max_tokens}; found {min_new_tokens}.",
            "Raise --max-tokens.",
            code="options-conflict",
        )
    return min_new_tokens


def _unescaped(text: str) -> str:
    r"""Return a stop text with \n and \t as what they stand for: a shell hands them over as they are typed."""
    if not text:
        raise UsageError("--stop expects a text, found an empty word.", "Is a variable of the shell empty?", code="empty-word")
    return text.replace("\\n", "\n").replace("\\t", "\t")


def _stream(events: Iterator[TokenEvent], prompt: str, suffix: str, limits: Limits) -> None:
    """Write one text as it comes; Ctrl-C ends it and keeps what is written."""
    writer = TextWriter(sys.stdout)
    count, ended, began = 0, "", time.perf_counter()
    try:
        writer.write(prompt, "bold")
        for event in events:
            writer.write(event.text)
            count += event.ended != "stop"
            ended = event.ended
    except KeyboardInterrupt:
        ended = "stopped"
    writer.write(suffix, "bold")
    writer.close()
    rate = count / max(time.perf_counter() - began, 1e-9)
    _note(f"{plural(count, 'token')}, {short(rate)} tokens/s; {_why(ended, limits)}")
    if ended == "stopped":
        raise Interrupted("Stopped; what was written is complete up to here.")


def _note(text: str) -> None:
    say(paint(text, "dim", sys.stderr), err=True)


def _why(ended: str, limits: Limits) -> str:
    """Say why a text ends."""
    return {
        "stop": "the model ended the text",
        "text": "ended by --stop",
        "length": f"ended at --max-tokens {limits.max_tokens}",
        "stopped": "ended by Ctrl-C",
    }.get(ended, "ended")


def _show_all(events: Iterator[TokenEvent], prompt: str, suffix: str, limits: Limits) -> None:
    """Write several texts, which are generated together; after Ctrl-C as far as they had come."""
    texts, ended = [""] * limits.samples, ["stopped"] * limits.samples
    count = 0
    stopped = False
    try:
        for event in events:
            texts[event.sequence] += event.text
            ended[event.sequence] = event.ended or "stopped"
            count += event.ended != "stop"
    except KeyboardInterrupt:
        stopped = True
    for number, text in enumerate(texts, 1):
        say(paint(f"--- sample {number} of {len(texts)}", "dim"))
        writer = TextWriter(sys.stdout)
        writer.write(prompt, "bold")
        writer.write(text)
        writer.write(suffix, "bold")
        writer.close()
    reasons = ", ".join(f"{ended.count(reason)} {_why(reason, limits)}" for reason in dict.fromkeys(ended))
    _note(f"{plural(count, 'token')} in {plural(len(texts), 'text')}; {reasons}")
    if stopped:
        raise Interrupted("Stopped; what was written is complete up to here.")


generate = GenerateCommand(
    "generate",
    callback=_generate,
    stages=("sampler",),
    tables=(*_OF_RUN, "training.seed", "machine.device"),
    of_run=(*_OF_RUN, "sampler"),
    short_help="Write text with a trained model.",
    help="""Write text with a trained model.

    The sampler and the length are the run's own unless flags say otherwise; --prompt - reads stdin. --top-k, --top-p and
    --min-p replace the sampler, and are applied in this order, after --temperature. Ctrl-C keeps what is written.

    A run of --builder masked fills in each <mask> of the prompt by one token, where it is surest first. A run that has learned
    to fill gaps (--builder fill-in-middle) writes what stands in the place of <fill>, or between --prompt and --suffix.

    \b
      engine generate runs/NAME --prompt "Once upon a time" --samples 3
      engine generate runs/NAME --temperature 0.8 --top-p 0.95
      engine generate runs/NAME --sampler greedy --stop "\\n\\n"
      engine generate runs/MASKED --prompt "To be or <mask> to be"
      engine generate runs/GAPS --prompt "Once upon a <fill> ever after."
      cat start.txt | engine generate runs/NAME --prompt -""",
    params=[
        run_argument(),
        strict_option(),
        *sampling_options(),
        click.Option(
            ["--suffix"], metavar="TEXT", help="Fill the gap between --prompt and this text, where the run has learned to."
        ),
        click.Option(["--plain-prompt"], is_flag=True, help="Read <mask> and <fill> in the prompt as the text that they are."),
        click.Option(
            ["--stop"],
            multiple=True,
            metavar="TEXT",
            help="End where the model writes this text (\\n is a newline). May be repeated.",
        ),
        click.Option(
            ["--min-new-tokens"], type=click.IntRange(min=0), default=0, metavar="INT", help="Tokens before which no text ends."
        ),
        click.Option(
            ["--ignore-end-of-text"], is_flag=True, help="Write --max-tokens tokens, also where the model would end the text."
        ),
        json_option(),
    ],
)

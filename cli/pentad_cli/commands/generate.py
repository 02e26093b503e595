"""`engine generate`: write with a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pentad.config.options import parse
from pentad.registry.catalogue import Catalogue
from pentad.system.errors import Interrupted, UsageError
from pentad_cli.arguments.command import json_option, run_argument, strict_option, weights_option, without_adapter_option
from pentad_cli.arguments.layers import Tables
from pentad_cli.arguments.prompts import prompt_options, read_prompts, unescaped
from pentad_cli.arguments.sampling import sampler_choice, sampling_options
from pentad_cli.arguments.scanning import look, positional
from pentad_cli.arguments.stage_command import Request, StageCommand
from pentad_cli.terminal.generated import Display
from pentad_cli.terminal.output import paint, plain, say, say_json
from pentad_cli.terminal.probabilities import to_json

if TYPE_CHECKING:
    from pentad.config.recipe import Choice
    from pentad.config.tables import GenerationOptions
    from pentad.contracts.session import TokenEvent

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
    prompt_file: str | None,
    prompts: str | None,
    interactive: bool,
    show_probabilities: bool,
    alternatives: int,
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
    without_adapter: bool,
    weights: str | None,
) -> None:
    request: Request = click.get_current_context().obj
    from pentad.config.recipe import Choice
    from pentad.config.tables import GenerationOptions, MachineOptions, TrainingOptions
    from pentad.system.machine import prepare_process

    wanted = parse(GenerationOptions, request.tables.get("generation", {}), "generation")
    training = parse(TrainingOptions, request.tables.get("training", {}), "training")
    machine = parse(MachineOptions, request.tables.get("machine", {}), "machine")
    base = Choice(request.tables["sampler"]["name"], **request.options("sampler"))
    flags = {"temperature": temperature, "top-k": top_k, "top-p": top_p, "min-p": min_p}
    sampler = sampler_choice(base, "sampler" in request.named, flags, request.catalogue)
    texts = _texts(wanted, interactive, prompt_file, prompts, suffix, as_json)
    prepare_process()
    from pentad.contracts.session import Limits
    from pentad.runs.saved_run import open_run

    limits = Limits(
        max_tokens=wanted.max_tokens,
        samples=1 if interactive else wanted.samples,
        seed=training.seed,
        min_tokens=_at_most(min_new_tokens, wanted.max_tokens),
        ignore_end=ignore_end_of_text,
        stop=tuple(map(_stop_text, stop)),
        logprobs=show_probabilities or alternatives > 0,
        alternatives=alternatives and alternatives + 1,  # the token that is drawn may be one of them
    )
    saved = open_run(
        run,
        catalogue=request.catalogue,
        device=machine.device,
        strict=strict,
        adapted=not without_adapter,
        weights=weights,
    )
    display = Display(saved=saved, limits=limits, probabilities=limits.logprobs, alternatives=alternatives)
    from pentad_cli.commands.filling import parts_of, refuse_limits

    refuse_limits(saved, limits)
    if interactive:
        _go_on_interactively(display, sampler)
        return
    asked = [(text, parts_of(saved, text, suffix, plain_prompt)) for text in texts]
    if as_json:
        samples = [sample for text, parts in asked for sample in _records(display, text, parts, sampler)]
        say_json({"run": run, "step": saved.step, "seed": limits.seed, "samples": samples})
    else:
        _show(display, asked, sampler)


def _texts(
    wanted: GenerationOptions,
    interactive: bool,
    prompt_file: str | None,
    prompts: str | None,
    suffix: str | None,
    as_json: bool,
) -> list[str]:
    """Return the prompts; none where they will be typed, beside which other ways to give them are refused."""
    given = _is_given("generation__prompt")
    if interactive:
        others = {"--prompt": given, "--prompt-file": prompt_file, "--prompts": prompts, "--suffix": suffix}
        _refuse_beside_interactive({**others, "--json": as_json, "--samples": _is_given("generation__samples")})
        return []
    return read_prompts(wanted.prompt, given, prompt_file, prompts)


def _go_on_interactively(display: Display, sampler: Choice) -> None:
    from pentad_cli.commands.interactive import Prompter

    if display.saved.fills == "masks":
        raise UsageError(
            "--interactive goes on from what is typed; this run fills in masks, and writes no end.",
            "Use --prompt with <mask> in it.",
            code="options-conflict",
        )
    Prompter(display, sampler).run()


def _is_given(name: str) -> bool:
    """Say whether a flag stands on the command line."""
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _refuse_beside_interactive(flags: dict[str, object]) -> None:
    beside = [flag for flag, value in flags.items() if value]
    if beside:
        raise UsageError(
            f"--interactive takes prompts from what is typed, one text each; found {' and '.join(beside)}.",
            "Leave out one of them.",
            code="options-conflict",
        )


def _at_most(min_new_tokens: int, max_tokens: int) -> int:
    if min_new_tokens > max_tokens:
        raise UsageError(
            f"--min-new-tokens must be at most --max-tokens {max_tokens}; found {min_new_tokens}.",
            "Raise --max-tokens.",
            code="options-conflict",
        )
    return min_new_tokens


def _stop_text(text: str) -> str:
    if not text:
        raise UsageError("--stop expects a text, found an empty word.", "Is a variable of the shell empty?", code="empty-word")
    return unescaped(text)


def _records(display: Display, prompt: str, parts: list[str] | None, sampler: Choice) -> list[dict[str, Any]]:
    """Return the texts behind a prompt, or between parts, for machines; with probabilities also their tokens, as `events`."""
    saved, limits = display.saved, display.limits
    events: list[list[TokenEvent]] = [[] for _ in range(limits.samples)]

    def keep(event: TokenEvent) -> None:
        events[event.sequence].append(event)

    if parts:
        samples = saved.fill(parts, sampler=sampler, limits=limits, on_event=keep)
    else:
        samples = saved.generate(prompt, sampler=sampler, limits=limits, on_event=keep)
    records: list[dict[str, Any]] = [plain(sample) for sample in samples]
    if display.probabilities:
        for record, own in zip(records, events, strict=True):
            record["events"] = [to_json(saved, event, display.alternatives) for event in own]
    return records


def _show(display: Display, asked: Sequence[tuple[str, list[str] | None]], sampler: Choice) -> None:
    """Write the texts behind each prompt, or between its parts."""
    from pentad_cli.commands.filling import as_read, show_filled

    saved, one = display.saved, display.limits.samples == 1
    for number, (prompt, parts) in enumerate(asked, 1):
        if len(asked) > 1:
            say(paint(f"--- prompt {number} of {len(asked)}", "dim"))
        if parts and saved.fills == "masks":
            show_filled(display, parts, sampler)
            continue
        before, after = (words[0], words[-1]) if (words := as_read(saved, parts)) else (prompt, "")
        events = saved.stream(saved.gap_prompt(parts) if parts else prompt, sampler=sampler, limits=display.limits)
        stopped = display.one(events, before, after) == "stopped" if one else display.several(events, before, after)
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

    Each text has random numbers of its own, by the seed and its number: --samples 3 begins with the text of --samples 1, and a
    prompt of --prompts is continued as it is alone. Probabilities are the model's own, before the sampler.

    A run of --builder masked fills in each <mask> of the prompt by one token, where it is surest first. A run that has learned
    to fill gaps (--builder fill-in-middle) writes what stands in the place of <fill>, or between --prompt and --suffix.

    \b
      engine generate runs/NAME --prompt "Once upon a time" --samples 3
      engine generate runs/NAME --temperature 0.8 --top-p 0.95
      engine generate runs/NAME --sampler greedy --stop "\\n\\n"
      engine generate runs/NAME --prompt "Once" --show-probabilities --alternatives 3
      engine generate runs/NAME --interactive
      engine generate runs/NAME --prompts beginnings.txt --json
      engine generate runs/MASKED --prompt "To be or <mask> to be"
      engine generate runs/GAPS --prompt "Once upon a <fill> ever after."
      cat start.txt | engine generate runs/NAME --prompt -""",
    params=[
        run_argument(),
        strict_option(),
        without_adapter_option(),
        weights_option(),
        *prompt_options(),
        click.Option(["--interactive"], is_flag=True, help="Continue what is typed, line by line; /help there lists more."),
        click.Option(
            ["--show-probabilities"],
            is_flag=True,
            help="Show how likely the model took each token for: as colours, or a line a token where there are none.",
        ),
        click.Option(
            ["--alternatives"],
            type=click.IntRange(min=0, max=1000),
            default=0,
            metavar="INT",
            help="List so many of the likeliest other tokens at each place, with their probabilities.",
        ),
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

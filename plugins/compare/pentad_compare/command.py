"""`engine compare`: the command line.

The arguments are read twice, as by `engine run`: first to find the implementations, whose options become flags, then to parse.
Here every flag takes a list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from pentad import STAGES, Catalogue, Choice, UsageError
from pentad.tools import TABLES, OptionSpec, describe, parse, read_tables
from pentad_cli.tools import (
    EngineCommand,
    Folder,
    SpecOption,
    Tables,
    TwoLooks,
    default_tables,
    installed,
    json_option,
    lay_over,
    look,
    offers_of,
    plugin_option,
)
from pentad_compare.arms import SHARED, Axis
from pentad_compare.request import CompareArgs, Request, listed, once

DEFAULTS: Tables = {"reporting": {"keep_checkpoints": 1}}
"""Defaults that differ from those of a run: a comparison uses only a run's newest checkpoint."""

LISTED = ("training", "machine", "evaluation")
"""Tables whose options make arms; `[data]` is the same for all, and `[generation]` is the comparison's own."""


class ListOption(SpecOption):
    """A flag whose value is a list of an option's values, split at commas."""

    def __init__(self, table: str, spec: OptionSpec) -> None:
        super().__init__(table, spec)
        self.multiple = True

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the last value of the list."""
        if self.spec.type is tuple:
            return super().shell_complete(ctx, incomplete)
        return _after_comma(super().shell_complete, ctx, incomplete)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Say that it takes a list."""
        flags, text = super().get_help_record(ctx)
        return f"{flags},…", text.replace("; may be repeated", "").replace(" [may be repeated]", "")

    def values(self, words: Sequence[Any]) -> tuple[str, ...]:
        """Return the values as the user wrote them."""
        texts = [str(word) for word in words]
        if self.spec.type is tuple:
            return tuple(texts)  # such a value has commas itself; the flag is repeated for more than one
        listed = [part.strip() for text in texts for part in text.split(",") if part.strip()]
        if not listed:
            raise UsageError(
                f"{self.opts[0]} expects a value or a list of values, found nothing.",
                f"It is {self.spec.type_name}.",
                code="value-missing",
            )
        return tuple(dict.fromkeys(listed))


class CompareCommand(TwoLooks):
    """Chooses lists of implementations, whose options are its flags."""

    def invoke(self, ctx: click.Context) -> Any:
        """Sort the flags into single values and lists, then call the command with the rest."""
        request: Request = ctx.obj
        fixed: Tables = {}
        for param in request.params:
            value = ctx.params.pop(param.name or "")
            if value in (None, ()):
                continue
            if isinstance(param, ListOption):
                request.axes.append(Axis(table=param.table, name=param.spec.name, values=param.values(value)))
            else:
                fixed.setdefault(param.table, {})[param.spec.name] = param.checked(value)
        request.executor_options = parse(request.executor.options, fixed.pop("executor", {}), "executor")
        if {"steps", "budget"} <= set(fixed.get("training", {})):
            raise UsageError("A run ends by --steps or by --budget, found both.", "Use one of them.", code="options-conflict")
        request.tables = lay_over(request.tables, fixed, request.catalogue)
        for name in (*STAGES, "plugin", "executor"):
            ctx.params.pop(name)
        return super().invoke(ctx)

    def look(self, ctx: click.Context, args: Sequence[str]) -> Request:
        """Find the implementations that are listed."""
        del ctx
        flags = [flag for param in self.params if isinstance(param, click.Option) and not param.is_flag for flag in param.opts]
        given = look(args, flags)
        files = tuple(Path(path).absolute() for path in given.get("--plugin", ()))
        catalogue = Catalogue(plugin_files=files) if files else installed()
        tables = lay_over(default_tables(), DEFAULTS, catalogue)
        if "--config" in given:
            tables = lay_over(tables, read_tables(Path(given["--config"][-1])), catalogue)
        names: dict[str, Sequence[Choice]] = {
            stage: listed(given.get(f"--{stage}", [str(tables[stage]["name"])]), f"--{stage}") for stage in STAGES
        }
        names["sampler"] = tuple(dict.fromkeys(names["sampler"]))  # samplers make no arms, so twice the same is no null test
        for stage in STAGES:
            for choice in names[stage]:
                catalogue.find(stage, choice.name)
        named = tuple(stage for stage in STAGES if f"--{stage}" in given)
        executor = catalogue.find("executor", given.get("--executor", ["local"])[-1])
        request = Request(catalogue=catalogue, plugins=files, tables=tables, names=names, named=named, executor=executor)
        request.params, request.arguments = _flags(request), list(args)
        return request

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flags in groups; of the stages, those that the user named."""
        request: Request | None = ctx.obj
        own = EngineCommand.get_params(self, ctx)
        _write(formatter, ctx, "Stages", [param for param in own if param.name in STAGES])
        _write(formatter, ctx, "Comparison", [param for param in own if param.name not in (*STAGES, *_OTHER)])
        if request is not None:
            for table in ("executor", "data", *LISTED, "reporting", *request.named):
                title = table.capitalize() if table not in STAGES else f"Options of {', '.join(once(request.names[table]))}"
                _write(formatter, ctx, title, [param for param in request.params if param.table == table])
        _write(formatter, ctx, "Other", [param for param in own if param.name in _OTHER])
        formatter.write_paragraph()
        formatter.write_text("Lists are split at commas. engine compare --model gpt,rnn --help shows the options of both.")


_OTHER = ("plugin", "debug", "help", "as_json")


def _write(formatter: click.HelpFormatter, ctx: click.Context, title: str, params: Sequence[click.Parameter]) -> None:
    records = [record for param in params if (record := param.get_help_record(ctx))]
    if records:
        with formatter.section(title):
            formatter.write_dl(records, col_max=34)


def _flags(request: Request) -> list[SpecOption]:
    """Make the flags: lists for what may vary, single values for what is the same for all arms."""
    data = [SpecOption("data", spec) for spec in describe(TABLES["data"]) if spec.name not in ("validation",)]
    listed = [
        ListOption(table, spec) if spec.affects_result and f"{table}.{spec.name}" not in SHARED else SpecOption(table, spec)
        for table in LISTED
        for spec in describe(TABLES[table])
    ]
    reporting = [
        SpecOption("reporting", replace(spec, default=DEFAULTS["reporting"].get(spec.name, spec.default)))
        for spec in describe(TABLES["reporting"])
    ]
    executor = [SpecOption("executor", spec) for spec in describe(request.executor.options)]
    stages: dict[tuple[str, str], SpecOption] = {}
    for stage, names in request.names.items():
        for name in once(names):
            for spec in describe(request.catalogue.find(stage, name).options):
                stages.setdefault((stage, spec.name), ListOption(stage, spec))
    return [*data, *listed, *reporting, *executor, *stages.values()]


def _after_comma(
    complete: Callable[[click.Context, str], list[CompletionItem]], ctx: click.Context, incomplete: str
) -> list[CompletionItem]:
    """Complete what follows the last comma; a shell replaces the whole word, so the completion repeats the list before it."""
    before, comma, last = incomplete.rpartition(",")
    items = complete(ctx, last)
    for item in items:
        item.value = f"{before}{comma}{item.value}"
    return items


def _folders(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the last folder of a list."""
    return _after_comma(lambda _, last: Folder().shell_complete(ctx, param, last), ctx, incomplete)


class StageOption(click.Option):
    """A list of implementations of a stage."""

    def __init__(self, stage: str) -> None:
        super().__init__(
            [f"--{stage}"], metavar="NAME,…", multiple=True, shell_complete=offers_of(stage), help=f"The {stage}s to compare."
        )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the last name of the list."""
        return _after_comma(super().shell_complete, ctx, incomplete)


def _compare(**flags: Any) -> None:
    from pentad_compare.session import compare_tokenizers, run_comparison

    context = click.get_current_context()
    seeds_given = context.get_parameter_source("seeds") is not ParameterSource.DEFAULT
    args = CompareArgs(request=context.obj, seeds_given=seeds_given, **flags)
    (compare_tokenizers if args.no_train else run_comparison)(args)


compare = CompareCommand(
    "compare",
    callback=_compare,
    short_help="Swap stages under an equal budget, and learn which is better.",
    help="""Train every combination of what is listed under one budget, with the same seeds, and say which is better.

    Lists are split at commas, on stages and on options; the arms are the product of all lists. An option behind a name
    (gpt,preset=gpt2) is that one's alone. Every arm gets the same text,
    the same held-out bytes, the same seeds and the same budget: training time (60s), arithmetic (2e15flops), text (50MB), or
    --steps. Samplers share one training and are compared by the text that they write. Called again, it uses the runs that are
    there.

    The options of engine run and of every implementation are flags here too: a single value holds for all arms, a list makes
    arms. The same name twice (--model gpt,gpt) is a null test: two arms of one recipe, which should show no difference.

    \b
      engine compare --model gpt,rnn --seeds 3 --budget 60s --data my.txt
      engine compare --model gpt --model.n-layer 2,4,8 --budget 1e13flops
      engine compare --optimizer adamw,muon --tune optimizer.lr=x0.3,x1,x3
      engine compare --sampler greedy,top-k,temperature
      engine compare --tokenizer bpe,sentencepiece,byte --no-train""",
    params=[
        *(StageOption(stage) for stage in STAGES),
        click.Option(
            ["--arm"],
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A recipe as one more arm; its data, budget and sampler are the comparison's, and flags with a single value "
            "win over it. May be repeated.",
        ),
        click.Option(
            ["--start"],
            multiple=True,
            metavar="RUN,…",
            shell_complete=_folders,
            help="The run from whose weights every arm starts, with its tokenizer and model; a list makes arms, in which none "
            "starts from nothing.",
        ),
        click.Option(
            ["--adapter"],
            multiple=True,
            metavar="NAME,…",
            shell_complete=offers_of("adapter"),
            help="The adapters to compare, as lora,rank=8; none learns the whole model. They need --start.",
        ),
        click.Option(
            ["--baseline"],
            metavar="ARM",
            help="The arm that the others are compared with, by its label or by a part of it (adamw); else the first.",
        ),
        click.Option(
            ["--seeds"], type=click.IntRange(1, 1000), default=3, show_default=True, metavar="N", help="Runs of each arm."
        ),
        click.Option(
            ["--tune"],
            multiple=True,
            metavar="STAGE.OPTION=V,…",
            help="Give every arm the best of these values, tried on other seeds and other text. x0.3,x1,x3 multiplies the "
            "arm's own value. May be repeated.",
        ),
        click.Option(
            ["--tune-seeds"], type=click.IntRange(1, 100), default=1, show_default=True, metavar="N", help="Seeds of each try."
        ),
        click.Option(["--tune-budget"], default="", metavar="AMOUNT", help="Budget of each try; else the budget."),
        click.Option(["--no-train"], is_flag=True, help="Compare the tokenizers alone, on held-out text."),
        click.Option(
            ["--prompts"],
            type=click.IntRange(0, 1000),
            metavar="N",
            help="Beginnings of held-out text that every model continues.  [default: 4; 16 to compare samplers]",
        ),
        click.Option(
            ["--text-bytes"],
            type=click.IntRange(1, 100_000),
            default=512,
            show_default=True,
            metavar="N",
            help="Length of the texts that are written, the same for every tokenizer.",
        ),
        click.Option(
            ["--confidence"],
            type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
            default=0.95,
            show_default=True,
            metavar="SHARE",
            help="Confidence of all intervals together.",
        ),
        click.Option(
            ["--detect"],
            type=click.FloatRange(0, min_open=True),
            default=0.01,
            show_default=True,
            metavar="BITS",
            help="Effect size of the power analysis: the difference of scores that more seeds should show.",
        ),
        click.Option(
            ["--executor"],
            metavar="NAME",
            default="local",
            shell_complete=offers_of("executor"),
            help="Where the runs are trained (engine plugins lists them).",
        ),
        click.Option(["--jobs"], type=click.IntRange(1, 10_000), metavar="N", help="Runs at once; else as the executor does."),
        click.Option(
            ["--out"],
            type=Folder(),
            default=Path("comparisons"),
            show_default=True,
            metavar="DIR",
            help="Folder of runs and reports; runs in it are used again.",
        ),
        click.Option(["--name"], default="", metavar="NAME", help="The report's folder in DIR; else made from what varies."),
        click.Option(["--figures"], type=Folder(), metavar="DIR", help="Save the report's figures there too, as SVG files."),
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            expose_value=False,
            metavar="FILE",
            help="The recipe below all lists: the TOML file that engine run --print-config writes.",
        ),
        click.Option(["--dry-run"], is_flag=True, help="Show the plan, and train nothing."),
        json_option(),
        plugin_option(),
    ],
)

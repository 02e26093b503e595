"""`docs/cli.md`: every command, every flag, every option of the implementations that this repository ships."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from _markdown import NOTICE, table

from pentad.config.options import OptionSpec, describe
from pentad.config.stages import STAGE_SPECS, STAGES
from pentad.registry.catalogue import Catalogue
from pentad.registry.kinds import KINDS
from pentad.registry.offers import Offer
from pentad_cli.arguments.stage_command import SpecOption, StageCommand
from pentad_cli.group import engine

_INTRODUCTION = """# Command reference

`engine COMMAND --help` shows the same for what is installed on your machine. Data goes to stdout, everything else that
accompanies `--json` to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C or SIGTERM (a checkpoint is
saved and the command that goes on is printed). An error is two lines, what was expected and found, and what to do next;
`--debug` adds the traceback. With `--json` or `--debug` a third line is the error's code (`Code: unknown-option`), which stays
the same when the words change, for scripts to go by.

An option has the same key everywhere: the flag `--model.n-layer 6`, in a recipe `[model]` `n_layer = 6`, in Python
`Choice("gpt", n_layer=6)`. The flags of the other tables also have a long spelling with the table's name:
`--training.batch-size` is `--batch-size`, `--machine.device` is `--device`. Flags win over `--config FILE`, and that wins over
the defaults.

The command line has one default of its own: `--model.dropout 0.1` for `gpt`, because the built-in corpus is small. With much
text, say `--model.dropout 0`.

Environment: `PENTAD_CACHE` is the folder of trained tokenizers and token shards (default `~/.cache/pentad`);
`PENTAD_STRICT=1` makes a broken plugin an error instead of a line in `engine plugins`."""

_PLURALS = {
    **{name: spec.plural for name, spec in STAGE_SPECS.items()},
    "observer": "Observers",
    "corpus": "Corpora",
    "reader": "File formats",
    "executor": "Executors",
}


def cli_page(root: Path) -> str:
    """Return the page."""
    shipped = {f"pentad-{path.parent.name}" for path in root.glob("plugins/*/pyproject.toml")}
    catalogue = Catalogue()
    offers = {kind: [offer for offer in catalogue.offers(kind) if offer.distribution in shipped] for kind in KINDS}
    own = {offer.name for offer in offers["command"]}
    foreign = {offer.name for offer in catalogue.offers("command")} - own
    parts = [NOTICE, _INTRODUCTION, "## engine", _help(engine.help or "", fenced=True)]
    with click.Context(engine, info_name="engine") as context:
        parts += [_table(_rows(engine.get_params(context), context)), "## Commands"]
        for name in engine.list_commands(context):
            if name not in foreign:
                command = engine.get_command(context, name)
                assert command is not None
                parts += list(_command(command, context, name))
    for kind, title in _PLURALS.items():
        if offers.get(kind):
            parts += [f"## {title}", *(_offer(offer) for offer in offers[kind])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _command(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    yield f"### {context.command_path}"
    yield f"    {context.command_path} {' '.join(command.collect_usage_pieces(context))}".rstrip()
    yield _help(command.help or "")
    own = [param for param in command.get_params(context) if not isinstance(param, SpecOption)]
    if isinstance(command, StageCommand):
        stages = [param for param in own if param.name in command.stages]
        own = [param for param in own if param not in stages]
        yield _titled("Stages", stages, context)
        for table_name in dict.fromkeys(table.partition(".")[0] for table in command.tables):
            flags = [param for param in context.obj.params if param.table == table_name]
            yield _titled(f"Table `[{table_name}]`", flags, context)
    yield _titled("Other" if isinstance(command, StageCommand) else "", own, context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            inner = command.get_command(context, below)
            assert inner is not None
            yield from _command(inner, context, below)


def _titled(title: str, params: Sequence[click.Parameter], context: click.Context) -> str:
    rows = _rows(params, context)
    return "\n\n".join(part for part in (f"{title}:" if title else "", _table(rows)) if part) if rows else ""


def _rows(params: Sequence[click.Parameter], context: click.Context) -> list[tuple[str, str]]:
    flags = [param for param in params if isinstance(param, click.Option)]
    records = [record for param in flags if (record := param.get_help_record(context))]
    return [(f"`{flag}`", text) for flag, text in records if not flag.endswith(("--debug", "--help"))]


def _table(rows: Sequence[tuple[str, str]]) -> str:
    return table(("flag", ""), rows) if rows else ""


def _help(text: str, fenced: bool = False) -> str:
    """Return a command's help; what click is told not to wrap becomes code."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text))
    out = []
    for paragraph in paragraphs:
        if paragraph.startswith("\b"):
            lines = [line.removeprefix("  ") for line in paragraph.splitlines()[1:]]
            out.append("\n".join(["```text", *lines, "```"]))
        else:
            out.append(paragraph)
    return "\n\n".join(out)


def _offer(offer: Offer[Any]) -> str:
    parts = [f"### {offer.kind} {offer.name}", f"{offer.record.summary} ({offer.distribution})"]
    specs = describe(offer.options)
    prefix = offer.kind if offer.kind in (*STAGES, "executor") else offer.name
    if specs:
        parts.append(table(("flag", "type", "default", ""), [_option(prefix, spec) for spec in specs]))
    return "\n\n".join(parts)


def _option(prefix: str, spec: OptionSpec) -> tuple[str, str, str, str]:
    default = "none" if spec.default is None else str(spec.default).lower() if spec.type is bool else str(spec.default)
    bounds = f" [{spec.bounds}]" if spec.bounds else ""
    return f"`--{prefix}.{spec.flag}`", f"`{spec.type_name}`", f"`{default}`", f"{spec.help}{bounds}"

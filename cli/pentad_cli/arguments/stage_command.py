"""Commands whose flags depend on what was chosen: `--model gpt` brings `--model.n-layer`.

The arguments are read twice. The first look finds --config, --plugin and the stages' names, so that the implementations are
known; then their options become flags, and click parses strictly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import click

from pentad.config.options import OptionSpec, describe, parse
from pentad.config.recipe import read_tables
from pentad.config.stages import STAGE_SPECS, STAGES
from pentad.config.tables import ADAPTER, TABLES
from pentad.registry.catalogue import Catalogue
from pentad.registry.offers import Offer
from pentad.system.errors import EngineError, UsageError
from pentad_cli.arguments.command import EngineCommand, offers_of, plugin_option, words
from pentad_cli.arguments.layers import Tables, default_tables, is_given, lay_over
from pentad_cli.arguments.scanning import look
from pentad_cli.group import installed

_FLAGS = {"data.sources": "data", "data.held_out_sources": "held-out-data", "start.run": "start"}
"""Flags that are not named as their field."""

TEXTS = "texts"
"""An argument of this name adds to what --data names."""


def long_flag(table: str, spec: OptionSpec) -> str:
    """Return the flag that is always unambiguous: `--training.batch-size`."""
    return f"--{table}.{spec.flag}"


def short_flag(table: str, spec: OptionSpec) -> str:
    """Return the flag as users type it: those of the recipe's tables stand alone, others keep their stage's name."""
    if table not in TABLES:
        return long_flag(table, spec)
    return f"--{_FLAGS.get(f'{table}.{spec.name}', spec.flag)}"


class SpecOption(click.Option):
    """A flag made from one field of an options dataclass.

    Args:
        table: the stage or table that the field belongs to.
        spec: the field.
        default_shown: whether the field's default holds where the flag is missing.
    """

    def __init__(self, table: str, spec: OptionSpec, default_shown: bool = True) -> None:
        self.table = table
        self.spec = spec
        self.default_shown = default_shown
        flags = list(dict.fromkeys((short_flag(table, spec), long_flag(table, spec))))
        choices = spec.choices or (("true", "false") if spec.type is bool else ())
        extra: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if spec.type is bool else {}
        super().__init__(
            [*flags, f"{table.replace('-', '_')}__{spec.name}"],
            multiple=spec.type is tuple,
            help=spec.help,
            metavar=spec.type_name.upper() if not spec.choices else spec.type_name,
            shell_complete=offers_of("corpus", files=True)
            if f"{table}.{spec.name}" in ("data.sources", "data.held_out_sources")
            else words(choices)
            if choices
            else None,
            **extra,
        )

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Return the flag with its type, and its help with default and bounds."""
        default = "none" if self.spec.default is None else self.spec.default
        default = str(default).lower() if isinstance(default, bool) else default
        facts = [] if default in ("", ()) or not self.default_shown else [f"default {default}"]
        facts += [self.spec.bounds] if self.spec.bounds else []
        facts += ["may be repeated"] if self.multiple else []
        return f"{self.opts[0]} {self.metavar}", f"{self.spec.help} [{'; '.join(facts)}]" if facts else self.spec.help

    def checked(self, value: Any) -> Any:
        """Return what the user gave in the field's type.

        Raises:
            UsageError: it is none of the field's values.
        """
        for word in (value,) if isinstance(value, str) else value:
            if any("\ud800" <= character <= "\udfff" for character in word):  # how Python holds bytes that are no text
                raise UsageError(
                    f"{self.opts[0]} expects text in UTF-8, found {word!a}.",
                    "Rename the file, or name its folder; where it is UTF-8, set PYTHONUTF8=1 in the environment.",
                    code="argument-not-utf8",
                )
        if self.table == "data" and f"{self.table}.{self.spec.name}" in _FLAGS:
            return _kept(value)
        if self.spec.type is tuple and len(value) == 1:
            value = value[0]  # `--model.layers a,b` is a list as well
        return self.spec.convert(value, self.opts[0])


def _kept(sources: Sequence[str]) -> tuple[str, ...]:
    """Keep what is piped in, so that `-` means the same to every process of the command."""
    if "-" not in sources:
        return tuple(sources)
    from pentad.data.corpus import keep_pipes

    return keep_pipes(sources)


@dataclass
class Request:
    """What a command line asks for.

    Args:
        catalogue: what is installed, and the files of --plugin.
        tables: the recipe's tables, flags included once they are parsed.
        offers: stage to the chosen implementation.
        named: the stages that the user named, here or in a file.
        params: the flags that the choices bring.
        observers, observer_tables: what --observe names, and the options given to each.
        typed: the arguments as they were typed, where the command chooses every stage.
        plugin_files: the files of --plugin.
    """

    catalogue: Catalogue
    tables: Tables
    offers: dict[str, Offer[Any]]
    named: tuple[str, ...]
    params: list[SpecOption] = field(default_factory=list)
    observers: list[Offer[Any]] = field(default_factory=list)
    observer_tables: Tables = field(default_factory=dict)
    typed: Sequence[str] | None = None
    plugin_files: Sequence[Path] = ()

    def options(self, stage: str) -> dict[str, Any]:
        """Return the options of a stage as the layers give them, without its name."""
        return {key: value for key, value in self.tables[stage].items() if key != "name"}

    def watchers(self) -> list[Any]:
        """Make the observers that --observe names.

        Raises:
            EngineError: one cannot be imported.
        """
        made = []
        for offer in self.observers:
            options = parse(offer.options, self.observer_tables[offer.name], offer.name)
            made.append(offer.make(options))
        return made


class HasParams(Protocol):
    """What a command found out by its first look: at least the flags that this brings."""

    @property
    def params(self) -> Sequence[click.Parameter]:
        """The flags."""


class TwoLooks(EngineCommand):
    """A command whose arguments are read twice: `look` finds what brings flags, then click parses with them."""

    def look(self, ctx: click.Context, args: Sequence[str]) -> HasParams:
        """Find out what is asked for; becomes the context's `obj`."""
        raise NotImplementedError

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out what is chosen, make its flags, then parse."""
        try:
            ctx.obj = self.look(ctx, args)
        except EngineError:
            if not ctx.resilient_parsing:
                raise
        return super().parse_args(ctx, _switched_on(args, self.get_params(ctx)))

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the declared flags and those of what is chosen."""
        return [*(ctx.obj.params if ctx.obj is not None else ()), *super().get_params(ctx)]


class StageCommand(TwoLooks):
    """A command that chooses implementations.

    Args:
        stages: the stages that it lets the user choose.
        tables: the tables whose fields are flags (`training`), or single fields of them (`machine.device`).
        of_run: those of both for which a run's own values hold, not the defaults.
        adapter: whether it lets the user choose an adapter.
    """

    def __init__(
        self,
        *args: Any,
        stages: Sequence[str] = STAGES,
        tables: Sequence[str] = (),
        of_run: Sequence[str] = (),
        adapter: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.choosable = (*stages, *([ADAPTER] if adapter else []))
        self.stages = tuple(stages)
        self.tables = tuple(tables)
        self.of_run = tuple(of_run)
        self.params += [_stage_option(stage) for stage in self.choosable]
        self.params.append(plugin_option())

    def invoke(self, ctx: click.Context) -> Any:
        """Lay the flags over the recipe, then call the command with what is left."""
        request: Request = ctx.obj
        flags: Tables = {}
        self._refuse_two_ends(ctx)
        texts = ctx.params.pop(TEXTS, ())  # `engine run a.txt`, and what a shell makes of `--data *.txt`
        if epochs := ctx.params.pop("epochs", None):
            flags["training"] = {"budget": f"{epochs!r}epochs"}
        for param in request.params:
            value = ctx.params.pop(param.name or "")
            if (param.table, param.spec.name) == ("data", "sources"):
                value = (*value, *texts)
            if value not in (None, ()):
                flags.setdefault(param.table, {})[param.spec.name] = param.checked(value)
        request.tables = lay_over(request.tables, flags, request.catalogue)
        request.observer_tables = {offer.name: request.tables.pop(offer.name, {}) for offer in request.observers}
        for name in (*self.choosable, "plugin"):
            ctx.params.pop(name)
        return super().invoke(ctx)

    def _refuse_two_ends(self, ctx: click.Context) -> None:
        named = [name for name in ("steps", "budget") if is_given(ctx.params.get(f"training__{name}"))]
        named += ["epochs"] if ctx.params.get("epochs") else []
        if len(named) > 1:
            raise UsageError(
                f"A run ends by --steps, --budget or --epochs; found {' and '.join(f'--{name}' for name in named)}.",
                "Use one of them.",
                code="options-conflict",
            )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete option names; the long spelling of a table's flag only when it is begun."""
        aliases = {flag for param in self.get_params(ctx) for flag in param.opts[1:] if isinstance(param, SpecOption)}
        found = super().shell_complete(ctx, incomplete)
        return [item for item in found if item.value not in aliases or "." in incomplete]

    def flags_with_value(self) -> list[str]:
        """Return the flags, known before anything is chosen, whose value is always the next argument."""
        own = [flag for param in self.params if isinstance(param, click.Option) and not param.is_flag for flag in param.opts]
        fields = [(table.partition(".")[0], spec) for table in self.tables for spec in _table_specs(table)]
        return own + [flag(table, spec) for table, spec in fields if spec.type is not bool for flag in (short_flag, long_flag)]

    def base_tables(self, args: Sequence[str], with_value: Sequence[str]) -> Tables:
        """Return the lowest layer of the recipe."""
        del args, with_value
        return default_tables()

    def look(self, ctx: click.Context, args: Sequence[str]) -> Request:
        """Find out which implementations are meant."""
        values = self.flags_with_value()
        given = look(args, values)
        files = [Path(path) for path in given.get("--plugin", ())]
        catalogue = Catalogue(plugin_files=files) if files else installed()
        config = _config(given)
        tables = self.base_tables(args, values)
        if start := _start(given, config):
            from pentad.runs.start import start_tables

            tables = lay_over(tables, start_tables(start, catalogue), catalogue)
        tables = lay_over(tables, config, catalogue)
        chosen = {stage: {"name": given[f"--{stage}"][-1]} for stage in self.choosable if f"--{stage}" in given}
        tables = lay_over(tables, chosen, catalogue)
        offers = {
            stage: _find(catalogue, stage, str(tables[stage]["name"]))
            for stage in self.choosable
            if "name" in tables.get(stage, {})
        }
        request = Request(
            catalogue=catalogue,
            tables=tables,
            offers=offers,
            named=tuple(stage for stage in self.choosable if stage in config or stage in chosen),
            typed=tuple(args) if self.stages == STAGES else None,
            plugin_files=files,
            observers=[catalogue.find("observer", name) for name in dict.fromkeys(given.get("--observe", ()))],
        )
        request.params = self._flags(request)
        return request

    def _flags(self, request: Request) -> list[SpecOption]:
        offers = [*request.offers.items(), *((offer.name, offer) for offer in request.observers)]
        return [
            *(
                SpecOption(table.partition(".")[0], spec, table not in self.of_run)
                for table in self.tables
                for spec in _table_specs(table)
            ),
            *(
                SpecOption(name, _with_own_default(spec, request.tables.get(name, {})))
                for name, offer in offers
                for spec in describe(offer.options)
            ),
        ]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flags in groups; of the stages, those that the user named."""
        request: Request | None = ctx.obj
        own = [param for param in EngineCommand.get_params(self, ctx) if param.get_help_record(ctx)]
        stages = [param for param in own if param.name in self.choosable]
        _write(formatter, ctx, "Stages", stages)
        for table in dict.fromkeys(table.partition(".")[0] for table in self.tables) if request else ():
            assert request is not None
            _write(formatter, ctx, table.capitalize(), [param for param in request.params if param.table == table])
        for offer in request.observers if request else ():
            assert request is not None
            title = f"Options of the observer {offer.name}"
            _write(formatter, ctx, title, [param for param in request.params if param.table == offer.name])
        for stage in request.named if request else ():
            assert request is not None
            title = f"Options of the {stage} {request.offers[stage].name}"
            _write(formatter, ctx, title, [param for param in request.params if param.table == stage])
        _write(formatter, ctx, "Other", [param for param in own if param not in stages])
        if request and self.stages and not request.named:
            stage = self.stages[min(2, len(self.stages) - 1)]
            name = request.offers[stage].name
            formatter.write_paragraph()
            formatter.write_text(
                f"Each implementation brings options of its own: {ctx.command_path} --{stage} {name} --help shows them."
            )


def _switched_on(args: Sequence[str], params: Sequence[click.Parameter]) -> list[str]:
    """Give each switch its value where the next argument is none, which click would take for it: `--strict my-folder`."""
    switches = {flag for param in params if isinstance(param, SpecOption) and param.spec.type is bool for flag in param.opts}
    values = ("true", "false", "yes", "no", "on", "off", "1", "0")
    return [
        f"{word}=true" if word in switches and "".join(args[place : place + 1]).lower() not in values else word
        for place, word in enumerate(args, 1)
    ]


def _find(catalogue: Catalogue, stage: str, name: str) -> Offer[Any]:
    """Return the offer that a user means; who gets its name wrong is told what it is called here."""
    try:
        return catalogue.find(stage, name)
    except UsageError as error:
        from pentad_cli.arguments.hints import with_name_hint

        raise with_name_hint(error, stage, name, catalogue) from None


def _config(given: Mapping[str, list[str]]) -> Tables:
    if "--config" not in given:
        return {}
    return read_tables(Path(given["--config"][-1]))


def _start(given: Mapping[str, list[str]], config: Tables) -> str | None:
    """Return the run to start from; what it brings stands below --config and the flags."""
    if "--start" in given:
        return given["--start"][-1]
    table = config.get("start")
    run = table.get("run") if isinstance(table, Mapping) else None
    return run if isinstance(run, str) and run != "none" else None  # what is no text is refused with the other options


def _with_own_default(spec: OptionSpec, table: Mapping[str, Any]) -> OptionSpec:
    """Return the spec with what the layers below the flags say, where they name the option."""
    return replace(spec, default=table[spec.name]) if spec.name in table else spec


def _stage_option(stage: str) -> click.Option:
    help = STAGE_SPECS[stage].help if stage in STAGE_SPECS else "What changes the model of the run to start from."
    return click.Option([f"--{stage}"], metavar="NAME", shell_complete=offers_of(stage), help=help)


def _table_specs(table: str) -> list[OptionSpec]:
    name, _, field_name = table.partition(".")
    return [spec for spec in describe(TABLES[name]) if field_name in ("", spec.name)]


def _write(formatter: click.HelpFormatter, ctx: click.Context, title: str, params: Sequence[click.Parameter]) -> None:
    records = [record for param in params if (record := _record(param, ctx))]
    if records:
        with formatter.section(title):
            formatter.write_dl(records, col_max=34)


def _record(param: click.Parameter, ctx: click.Context) -> tuple[str, str] | None:
    record = param.get_help_record(ctx)
    request = ctx.obj
    if record and isinstance(request, Request) and param.name in request.offers:
        names = ", ".join(offer.name for offer in request.catalogue.offers(param.name))
        own = isinstance(ctx.command, StageCommand) and param.name in ctx.command.of_run
        default = "" if own or param.name == ADAPTER else f"; default {default_tables()[param.name]['name']}"
        return record[0], f"{record[1]} [{names}{default}]"
    return record

"""`engine plugins`: what is installed, what it can do, and whether it keeps its contract."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pentad.config.options import OptionSpec, describe
from pentad.config.stages import STAGES
from pentad.registry.catalogue import Catalogue
from pentad.registry.kinds import KINDS
from pentad.registry.offers import Offer
from pentad.registry.records import OptionsRecord
from pentad.system.errors import UsageError, did_you_mean
from pentad_cli.arguments.command import (
    EngineCommand,
    EngineSubgroup,
    Folder,
    debug_option,
    json_option,
    offers_of,
    plugin_option,
)
from pentad_cli.group import installed
from pentad_cli.terminal.output import paint, say, say_json, table, terminal_width, wrap
from pentad_cli.terminal.text import visible, visible_line

if TYPE_CHECKING:
    from pathlib import Path


def _catalogue(plugin: Sequence[Path]) -> Catalogue:
    """Return what is installed, and the files of --plugin, wherever it stands."""
    before: Sequence[str | Path] = click.get_current_context().meta.get("pentad_cli.plugin_files", ())
    files = list(dict.fromkeys([*map(str, before), *map(str, plugin)]))
    return Catalogue(plugin_files=files) if files else installed()


def _list(plugin: Sequence[Path], as_json: bool) -> None:
    catalogue = _catalogue(plugin)
    if as_json:
        say_json({"offers": _offers(catalogue), "problems": catalogue.problems})
        return
    every = [offer for kind in KINDS for offer in catalogue.offers(kind)]
    if not every:
        say("Nothing is installed. pip install pentad brings the default plugins.")
    first = max((len(_called(offer, catalogue)) for offer in every), default=0)
    for kind, (*_, title) in KINDS.items():
        offers = catalogue.offers(kind)
        if offers:
            say(paint(title, "bold"))
            for offer in offers:
                _say_offer(offer, _called(offer, catalogue), first)
            say()
    _show_problems(catalogue)
    if every:
        say(paint("engine plugins show NAME lists the options of one of them.", "dim"))


def _say_offer(offer: Offer[Any], name: str, width: int) -> None:
    """Write a name, its summary and, dim, where it comes from."""
    maker = visible_line(f"{offer.distribution}\N{NO-BREAK SPACE}{offer.version}")
    lines = wrap(f"{visible_line(offer.record.summary)} {maker}", terminal_width() - width - 4)
    text = f"\n{' ' * (width + 4)}".join(lines)
    text = text.replace(maker, paint(maker.replace("\N{NO-BREAK SPACE}", " "), "dim"))
    say(f"  {paint(name, 'cyan')}{' ' * (width - len(name))}  {text}")


def _called(offer: Offer[Any], catalogue: Catalogue) -> str:
    """Return the name by which users call an offer: the full one where the bare one is taken twice."""
    names = [other.name for other in catalogue.offers(offer.kind)]
    return offer.name if names.count(offer.name) == 1 else offer.full_name


def _show_problems(catalogue: Catalogue) -> None:
    if not catalogue.problems:
        return
    say(paint("Problems", "bold red"))
    rows = [(f"{problem.distribution} {problem.version}", problem.cause) for problem in catalogue.problems]
    say(table(rows, styles=["red"]) + "\n")
    if click.get_current_context().meta.get("pentad_cli.debug"):
        for problem in catalogue.problems:
            say(visible(problem.details), err=True)


def _offers(catalogue: Catalogue) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "name": offer.name,
            "full_name": offer.full_name,
            "distribution": offer.distribution,
            "version": offer.version,
            "summary": offer.record.summary,
        }
        for kind in KINDS
        for offer in catalogue.offers(kind)
    ]


def _show(name: str, plugin: Sequence[Path], as_json: bool) -> None:
    catalogue = _catalogue(plugin)
    found = _named(name, catalogue)
    if as_json:
        say_json([_facts(offer) for offer in found])
        return
    for number, offer in enumerate(found):
        if number:
            say()
        _describe(offer, catalogue)


def _named(name: str, catalogue: Catalogue) -> list[Offer[Any]]:
    """Return what has this name, or comes from the distribution of this name.

    Raises:
        UsageError: nothing does.
    """
    every = [offer for kind in KINDS for offer in catalogue.offers(kind)]
    found = [offer for offer in every if name in (offer.name, offer.full_name, f"{offer.kind}:{offer.name}")]
    found = found or [offer for offer in every if name == offer.distribution]
    if not found:
        broken = [problem for problem in catalogue.problems if problem.distribution == name]
        if broken:
            raise UsageError(
                f"{name} {broken[0].version} is installed but broken.", broken[0].cause, code="distribution-broken"
            )
        near = did_you_mean(name, [word for offer in every for word in (offer.name, offer.distribution)])
        raise UsageError(f"Nothing named {name!r} is installed.", near or "engine plugins lists what is.", code="unknown-name")
    return found


def _describe(offer: Offer[Any], catalogue: Catalogue) -> None:
    title = paint(offer.name, "bold cyan")
    say(f"{title}  {paint(f'{offer.kind} of {offer.distribution} {offer.version}', 'dim')}")
    say("\n".join(wrap(visible_line(offer.record.summary), terminal_width())))
    if source := getattr(offer.record, "source", ""):
        say(paint("\n".join(wrap(f"Source: {visible_line(source)}", terminal_width())), "dim"))
    if not isinstance(offer.record, OptionsRecord):
        return
    specs = describe(offer.options)
    if not specs:
        say("It has no options.")
        return
    say()
    rows = [(spec.flag, _default(spec.default), _help(spec)) for spec in specs]
    say(table(rows, header=("option", "default", ""), styles=["cyan", "green"]))
    say()
    shown = next((spec for spec in specs if spec.default not in (None, (), "")), specs[0])
    say(paint(_example(offer, shown, catalogue), "dim"))


def _spelled(offer: Offer[Any], spec: OptionSpec) -> str:
    """Return how an option is named: as a flag, or behind the name of what a command may take many of."""
    behind = offer.kind in ("corpus", "reader", "evaluator", "reward", "format")
    return f"{offer.name},{spec.flag}=" if behind else f"--{offer.table}.{spec.flag}"


def _example(offer: Offer[Any], spec: OptionSpec, catalogue: Catalogue) -> str:
    """Return a command that sets an option, in the way in which the kind's options are set."""
    value = _example_value(spec)
    flag, behind = f"--{offer.table}.{spec.flag} {shlex.quote(value)}", shlex.quote(f"{offer.name},{spec.flag}={value}")
    if offer.kind == "observer":
        return f"engine run --observe {offer.name} {flag}"
    if offer.kind == "executor":
        return f"engine compare --executor {offer.name} {flag}"
    if offer.kind == "evaluator":
        return f"engine evaluate RUN --with {behind}"
    if offer.kind == "corpus":
        return f"engine run --data {behind}"
    if offer.kind == "reward":
        learners = [builder.name for builder in catalogue.offers("builder") if hasattr(builder.options, "reward")]
        return f"engine run --builder {learners[0] if learners else 'NAME'} --builder.reward {behind}"
    if offer.kind == "format":
        return f"engine export RUN --format {behind} --out DIR"
    if offer.kind == "reader":
        return f"engine run --data FILE{behind}"
    return f"engine run --{offer.kind} {offer.name} {flag}"


def _example_value(spec: OptionSpec) -> str:
    """Return a value to set an option to: its default, or where that is empty a word for what goes there."""
    if isinstance(spec.default, tuple):
        return _default(spec.default[:1]) or spec.flag.upper()
    return _default(spec.default) or spec.flag.upper()


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(shlex.quote(visible_line(item.replace("\n", "\\n"))) for item in value)
    return "none" if value is None else visible_line(str(value))


def _help(spec: OptionSpec) -> str:
    facts = "; ".join(filter(None, (spec.type_name, spec.bounds)))
    return f"{spec.help} [{facts}]"


def _facts(offer: Offer[Any]) -> dict[str, Any]:
    facts = {
        "kind": offer.kind,
        "name": offer.name,
        "distribution": offer.distribution,
        "version": offer.version,
        "summary": offer.record.summary,
    }
    if hasattr(offer.record, "source"):
        facts["source"] = offer.record.source
    if isinstance(offer.record, OptionsRecord):
        facts["options"] = [
            {
                "name": spec.name,
                "flag": _spelled(offer, spec),
                "type": spec.type.__name__,
                "optional": spec.optional,
                "default": spec.default,
                "choices": spec.choices,
                "bounds": {bound: value for bound in ("ge", "gt", "le", "lt") if (value := getattr(spec, bound)) is not None},
                "help": spec.help,
            }
            for spec in describe(offer.options)
        ]
    return facts


def _new(name: str, stage: str | None, kind: str | None, like: str | None, out: Path | None, as_json: bool) -> None:
    from pathlib import Path

    from pentad_cli.authoring.reading import smallest_first
    from pentad_cli.authoring.scaffold import use_of, with_article, write_distribution

    if stage and kind and stage != kind:
        raise UsageError(
            f"--stage and --kind say the same, found {stage} and {kind}.", "Use one of them.", code="options-conflict"
        )
    pattern = _find_pattern(like, stage or kind) if like else None
    chosen = pattern.kind if pattern else stage or kind or _ask_for_kind()
    folder = out or Path(name)
    files = write_distribution(name, chosen, folder, installed(), pattern)
    real = [offer.name for offer in smallest_first(installed().offers(chosen))[:3]]
    if as_json:
        say_json({"name": name, "stage": chosen, "folder": folder, "files": files, "like": real})
        return
    say(f"Wrote {visible_line(str(folder))}: {with_article(chosen)} that works, for you to change.")
    place = shlex.quote(str(folder))
    steps = [
        (f"pip install --editable {place}", "install it"),
        (f"engine plugins check {name}", "see whether it keeps the contract"),
        (f"python -m pytest {place}", "run its tests"),
        (use_of(name, chosen), "use it"),
    ]
    say(table(steps, styles=["cyan", "dim"]))
    if real and pattern is None:
        every = [offer.name for one in KINDS for offer in installed().offers(one)]
        which = "" if all(every.count(one) == 1 for one in real) else f"--kind {chosen} "
        say(paint(f"Real ones, the smallest first: engine plugins new {name}-2 {which}--like {' | '.join(real)}", "dim"))


def _find_pattern(like: str, kind: str | None) -> Offer[Any]:
    """Return what --like names, of any kind unless one is said.

    Raises:
        UsageError: nothing has that name, or several have.
    """
    kinds = (kind,) if kind else tuple(KINDS)
    offers = [offer for one in kinds for offer in installed().offers(one)]
    found = [offer for offer in offers if like in (offer.name, offer.full_name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"--like expects what is installed, found {like!r}.",
            did_you_mean(like, {offer.name for offer in offers}) or "engine plugins lists it.",
            code="unknown-name",
        )
    raise UsageError(
        f"--like expects one of what is installed, found {len(found)} of the name {like}.",
        f"Say which: {', '.join(f'--kind {offer.kind} --like {offer.full_name}' for offer in found)}.",
        code="ambiguous-name",
    )


def _ask_for_kind() -> str:
    """Ask in a terminal what the plugin shall offer.

    Raises:
        UsageError: there is nobody to ask.
    """
    if not _is_terminal():
        raise UsageError(
            "engine plugins new expects what the plugin offers, found nothing.",
            f"Use --stage {'|'.join(STAGES)}, or --kind {'|'.join(kind for kind in KINDS if kind not in STAGES)}.",
            code="kind-missing",
        )
    for kind in KINDS:
        say(f"  {paint(kind, 'cyan')}{' ' * (12 - len(kind))}{KINDS[kind].title}", err=True)
    answer: str = click.prompt("What does it offer?", type=click.Choice(list(KINDS)), show_choices=False, err=True)
    return answer


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _check(ctx: click.Context, dist: str, as_json: bool) -> None:
    from pentad.system.machine import prepare_process

    prepare_process()
    from pentad_cli.authoring.checks import check_distribution

    code = check_distribution(ctx.obj, as_json)
    ctx.exit(code)


class CheckCommand(EngineCommand):
    """Takes the options of what it checks: `engine plugins check pentad-gpt --model.n-layer 1`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the distribution, so that its implementations' options are flags."""
        from pentad_cli.arguments.scanning import positional

        name = positional(args, ())
        if name:
            ctx.obj = self._request(name, ctx.resilient_parsing)
        return super().parse_args(ctx, args)

    def _request(self, name: str, quiet: bool) -> Any:
        from pentad_cli.authoring.checks import CheckRequest, request_for

        try:
            return request_for(name)
        except UsageError:
            if quiet:
                return CheckRequest(offers=[])
            raise

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the declared parameters and the options of what is checked."""
        return [*getattr(ctx.obj, "params", ()), *super().get_params(ctx)]

    def invoke(self, ctx: click.Context) -> Any:
        """Hand the options over, then check."""
        for param in ctx.obj.params:
            value = ctx.params.pop(param.name)
            if value not in (None, ()):
                ctx.obj.options.setdefault(param.table, {})[param.spec.name] = param.checked(value)
        return super().invoke(ctx)


def _group(ctx: click.Context, plugin: tuple[Path, ...], as_json: bool) -> None:
    if ctx.invoked_subcommand is None:
        _list(plugin, as_json)
    else:
        ctx.meta["pentad_cli.plugin_files"] = [*ctx.meta.get("pentad_cli.plugin_files", ()), *plugin]


plugins = EngineSubgroup(
    "plugins",
    callback=click.pass_context(_group),
    invoke_without_command=True,
    short_help="List, show and check what is installed.",
    help="""List, show and check what is installed.

    \b
      engine plugins                     everything, and what is broken
      engine plugins show gpt            its options
      engine plugins new my-sampler --stage sampler
                                         a plugin of your own, ready to install
      engine plugins new my-log --kind observer
                                         the same for what stands beside the stages
      engine plugins check pentad-gpt    whether it keeps its contract
      engine plugins check pentad-gpt:gpt
                                         one of what it offers alone
      engine plugins check ./mine.py     the same for a single file""",
    params=[plugin_option(), json_option(), debug_option()],
)
plugins.add_command(
    EngineCommand(
        "list",
        callback=_list,
        short_help="List everything, and what is broken.",
        help="List everything that is installed, and what is broken.",
        params=[plugin_option(), json_option()],
    )
)
plugins.add_command(
    EngineCommand(
        "show",
        callback=_show,
        short_help="Show the options of one of them.",
        help="Show what NAME is and which options it has: an implementation, a corpus, a whole distribution.",
        params=[click.Argument(["name"], metavar="NAME", shell_complete=offers_of(*KINDS)), plugin_option(), json_option()],
    )
)
plugins.add_command(
    EngineCommand(
        "new",
        callback=_new,
        short_help="Write a plugin distribution of your own.",
        help="""Write a complete plugin distribution: packaging, options, a simple implementation that works, and tests.

        It installs as it is, keeps its contract and is listed by `engine plugins`. Then make it yours. With --like it starts
        from the code of an implementation that is installed, with whatever that uses of its own package.""",
        params=[
            click.Argument(["name"], metavar="NAME"),
            click.Option(["--stage"], type=click.Choice(STAGES), help="The stage that it does."),
            click.Option(["--kind"], type=click.Choice(list(KINDS)), help="What it offers: a stage, or something beside them."),
            click.Option(
                ["--like"],
                metavar="NAME",
                shell_complete=offers_of(*(kind for kind in KINDS if kind != "command")),
                help="Start from the code of an installed one. Small ones, by stage: byte, next-token, bert, adamw, greedy.",
            ),
            click.Option(
                ["--out"],
                type=Folder(),
                metavar="DIR",
                help="Where it goes; a new folder NAME here unless given.",
            ),
            json_option(),
        ],
    )
)
plugins.add_command(
    CheckCommand(
        "check",
        callback=click.pass_context(_check),
        short_help="Check whether a distribution keeps its contract.",
        help="""Check whether all that a distribution, or a single file, offers keeps its contract.

        Everything goes through the checks of pentad.testing, with its defaults or with the options given here
        (--model.n-layer 1). DIST:NAME and FILE:NAME check one offer alone. A check that a record names in
        expected_failures may fail, and must. A tokenizer with an option vocab_size gets a small vocabulary, since the
        checks' text is small. Exit code 1 when a check fails.""",
        params=[click.Argument(["dist"], metavar="DIST|FILE[:NAME]"), json_option()],
    )
)

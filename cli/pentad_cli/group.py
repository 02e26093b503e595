"""The group `engine`: its commands are listed without being imported, and a plugin's stand among them.

A built-in command is a name, a summary and the place of its module; a plugin's comes from the hook `engine_commands`. What is
called is imported, nothing else, so that `engine --help` costs no torch, no numpy and no rich.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from pentad.registry.catalogue import Catalogue
from pentad.registry.offers import Offer
from pentad.system.errors import EngineError, UsageError
from pentad_cli.terminal.output import terminal_width


class BuiltIn(NamedTuple):
    """A command of this distribution: `module:attribute` and one line for the listing."""

    place: str
    summary: str


BUILT_IN = {
    "run": BuiltIn("run:run", "Train a model on text: tokenize, build examples, learn, generate."),
    "resume": BuiltIn("resume:resume", "Resume a run that was stopped, or train it longer."),
    "generate": BuiltIn("generate:generate", "Write text with a trained model."),
    "evaluate": BuiltIn("evaluate:evaluate", "Score a trained model on text, in bits per byte."),
    "tokenize": BuiltIn("tokenize:tokenize", "Show how a tokenizer cuts a text."),
    "examples": BuiltIn("examples:examples", "Show the training examples of a text: context -> next token."),
    "export": BuiltIn("exchange:export_command", "Write a run's model as another project reads it."),
    "import": BuiltIn("exchange:import_command", "Make a run of another project's model."),
    "runs": BuiltIn("runs:runs", "List, show and remove runs."),
    "plugins": BuiltIn("plugins:plugins", "List, show and check what is installed."),
    "doctor": BuiltIn("doctor:doctor", "Look for what could stop or slow a run on this machine."),
}

_HELP = """Pretrain a small language model at home, swap any stage, and learn honestly which way is better.

\b
  engine run                        train on the built-in corpus, then write
  engine run --data my.txt          train on your own text
  engine run --model rnn            the same with another model
  engine generate runs/NAME         write with a trained model
  engine plugins                    what can be swapped

Shell completion: put this into ~/.bashrc (for zsh and fish replace bash in both places):

\b
  eval "$(_ENGINE_COMPLETE=bash_source engine)"
"""


@functools.cache
def installed() -> Catalogue:
    """Return what is installed, looked up once a process."""
    return Catalogue()


def plugin_commands(catalogue: Catalogue | None = None) -> dict[str, Offer[Any]]:
    """Return the commands of plugins by the name that calls them: the full one where the bare one is taken."""
    offers = (catalogue or installed()).offers("command")
    names = [offer.name for offer in offers] + list(BUILT_IN)
    return {offer.name if names.count(offer.name) == 1 else offer.full_name: offer for offer in offers}


class ReaderGone(Exception):
    """Nobody reads the output any more (`engine plugins | head -1`); said like this because click makes failure of it."""


class EngineGroup(click.Group):
    """A group that imports a command only to call it."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse, which may write a help text.

        Raises:
            ReaderGone: the reader of the output has gone.
        """
        # As click itself would, but without importing shutil.
        kwargs.setdefault("terminal_width", max(terminal_width(), 52) - 2)
        try:
            return super().make_context(*args, **kwargs)
        except BrokenPipeError:
            raise ReaderGone from None

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command.

        Raises:
            ReaderGone: the reader of the output has gone.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderGone from None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether --debug stands anywhere, for what is shown before its command is parsed."""
        ctx.meta["pentad_cli.debug"] = "--debug" in args
        # Looked up before click parses, which may show the help and end.
        files = plugin_files(args)
        ctx.obj = Catalogue(plugin_files=files) if files else None
        rest = super().parse_args(ctx, args)
        ctx.meta["pentad_cli.plugin_files"] = files
        return rest

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names: built-in ones in the order of work, then those of plugins."""
        return [*BUILT_IN, *plugin_commands(ctx.obj)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command and return it.

        Raises:
            EngineError: a plugin's command cannot be imported, or is no click command.
        """
        if cmd_name in BUILT_IN:
            module, _, attribute = BUILT_IN[cmd_name].place.partition(":")
            command = getattr(importlib.import_module(f"pentad_cli.commands.{module}"), attribute)
        elif cmd_name in plugin_commands(ctx.obj):
            command = self._of_plugin(plugin_commands(ctx.obj)[cmd_name])
        else:
            return None
        assert isinstance(command, click.Command)
        return command

    def _of_plugin(self, offer: Offer[Any]) -> click.Command:
        command = offer.resolve()
        if not isinstance(command, click.Command):
            raise EngineError(
                f"The command {offer.name} of {offer.distribution} {offer.version} must be a click.Command, found {command!r}.",
                f"Update {offer.distribution}, or tell its author.",
                code="plugin-contract",
            )
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first argument names.

        Raises:
            UsageError: there is none; names the nearest.
        """
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            if args[0].startswith("-"):
                raise click.NoSuchOption(args[0], ctx=ctx)
            from pentad_cli.arguments.hints import command_hint

            hint = command_hint(args[0], self.list_commands(ctx))
            if "--plugin" in args:
                hint = f"A file's command stands behind it: engine --plugin FILE {args[0]}."
            raise UsageError(f"engine has no command {args[0]!r}.", hint, code="unknown-command")
        return args[0] if command else None, command, [*self._passed_on(ctx, command), *args[1:]]

    def _passed_on(self, ctx: click.Context, command: click.Command | None) -> list[str]:
        """Return the files of --plugin before the command as a command that takes --plugin itself wants them."""
        takes = command is not None and any("--plugin" in param.opts for param in command.params)
        files = ctx.meta.get("pentad_cli.plugin_files", []) if takes else []
        return [word for file in files for word in ("--plugin", file)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their summaries, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in BUILT_IN.items()])
        offers = plugin_commands(ctx.obj).items()
        added = [(name, f"{offer.record.summary} ({offer.distribution})") for name, offer in offers]
        if added:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(added)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete a command's name, importing none."""
        from click.shell_completion import CompletionItem

        summaries = {name: command.summary for name, command in BUILT_IN.items()}
        summaries |= {name: offer.record.summary for name, offer in plugin_commands(ctx.obj).items()}
        items = [CompletionItem(name, help=text) for name, text in summaries.items() if name.startswith(incomplete)]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]


def plugin_files(args: Sequence[str]) -> list[str]:
    """Return what --plugin names before the command."""
    files: list[str] = []
    words = iter(args)
    for word in words:
        flag, equals, value = word.partition("=")
        if not word.startswith("-"):
            break
        if flag == "--plugin":
            files.append(value if equals else next(words, ""))
    return files


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        import pentad

        click.echo(f"pentad {pentad.__version__}")
        ctx.exit()


engine = EngineGroup(
    "engine",
    help=_HELP,
    params=[
        click.Option(["--debug"], is_flag=True, expose_value=False, help="Show the traceback of a failure."),
        click.Option(
            ["--plugin"],
            multiple=True,
            expose_value=False,
            metavar="FILE",
            help="Load a plugin that is a Python file, also for its own commands. May be repeated.",
        ),
        click.Option(
            ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version."
        ),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

"""The pieces that commands are declared from: the base class, and the options that many of them share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from pentad.registry.catalogue import Catalogue
from pentad.system.errors import UsageError, did_you_mean
from pentad_cli.group import installed

if TYPE_CHECKING:
    from pathlib import Path

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class EngineCommand(click.Command):
    """A command that also takes --debug, which `main` looks for."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the declared parameters, --debug and --help."""
        declared = super().get_params(ctx)
        return [*declared[:-1], debug_option(), *declared[-1:]]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; a mistake is this command's, also where click does not say whose it is."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = ctx
            raise


class EngineSubgroup(click.Group):
    """A group below `engine` whose own callback runs when no subcommand is named."""

    command_class = EngineCommand

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand that the first argument names.

        Raises:
            UsageError: there is none; names the nearest.
        """
        if args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = did_you_mean(args[0], self.commands)
            raise UsageError(
                f"{ctx.command_path} has no command {args[0]!r}.",
                near or f"It has: {', '.join(self.commands)}.",
                code="unknown-command",
            )
        return super().resolve_command(ctx, args)


def debug_option() -> click.Option:
    """Declare --debug."""
    return click.Option(["--debug"], is_flag=True, expose_value=False, help="Show the traceback of a failure.")


def json_option() -> click.Option:
    """Declare --json."""
    return click.Option(["--json", "as_json"], is_flag=True, help="Write the result as JSON to stdout, the rest to stderr.")


def plugin_option() -> click.Option:
    """Declare --plugin."""
    return click.Option(
        ["--plugin"],
        multiple=True,
        type=PathType(),
        metavar="FILE",
        help="Load a plugin that is a Python file, for this command. May be repeated.",
    )


def observe_option() -> click.Option:
    """Declare --observe."""
    return click.Option(
        ["--observe"],
        multiple=True,
        expose_value=False,
        metavar="NAME",
        shell_complete=offers_of("observer"),
        help="Report the run to an observer (engine plugins lists them). May be repeated.",
    )


def epochs_option() -> click.Option:
    """Declare --epochs, another word for a budget of passes."""
    return click.Option(
        ["--epochs"],
        type=click.FloatRange(min=0, min_open=True),
        metavar="N",
        help="Passes over the training text; the same as --budget Nepochs.",
    )


class PathType(click.Path):
    """What click hands on as a `pathlib.Path`, which is imported, for 5 ms, only when a path is given."""

    def coerce_path_result(self, value: str | os.PathLike[str]) -> Path:
        """Return the path."""
        from pathlib import Path

        return Path(value)


class Folder(PathType):
    """A folder, there or not. Python takes an empty word for the current one; nobody who gives it means that."""

    def __init__(self) -> None:
        super().__init__(file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path.

        Raises:
            UsageError: the word is empty.
        """
        if value == "" and param:
            name = param.opts[0] if isinstance(param, click.Option) else param.human_readable_name
            raise UsageError(
                f"{name} expects a folder, found an empty word.", "Is a variable of the shell empty?", code="empty-word"
            )
        return super().convert(value, param, ctx)


def run_argument() -> click.Argument:
    """Declare RUN, the folder of a run."""
    return click.Argument(["run"], type=Folder(), metavar="RUN")


def offers_of(*kinds: str, files: bool = False) -> Completer:
    """Return a completer of the names that are installed of some kinds.

    Args:
        kinds: words of the catalogue.
        files: whether a file or folder may stand there too; the shell completes these itself.
    """

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        catalogue: Catalogue = getattr(ctx.obj, "catalogue", None) or installed()
        offers = {offer.name: offer for kind in kinds for offer in catalogue.offers(kind)}
        found = [
            CompletionItem(name, help=offer.record.summary) for name, offer in offers.items() if name.startswith(incomplete)
        ]
        return [*found, CompletionItem(incomplete, type="file")] if files else found

    return complete


def words(choices: tuple[str, ...]) -> Completer:
    """Return a completer of fixed words."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in choices if word.startswith(incomplete)]

    return complete


def read_text(given: str | None, what: str) -> str:
    """Return the text of an argument: itself, or all of stdin for `-` and for a pipe without an argument.

    Raises:
        UsageError: there is neither, or what stdin holds is not UTF-8.
    """
    if given is not None and given != "-":
        return given
    if given is None and sys.stdin.isatty():
        raise UsageError(
            f"{what} expects a text, found none.",
            'Put it in quotes ("like this"), or use - to read it from stdin.',
            code="text-missing",
        )
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The text on stdin must be UTF-8; byte {error.start} is not.",
            "Convert it, for example with iconv.",
            code="text-not-utf8",
        ) from None


def strict_option() -> click.Option:
    """Declare --strict, for commands that read a run's newest checkpoint."""
    return click.Option(
        ["--strict"], is_flag=True, help="Fail where the newest checkpoint is damaged, in place of using an older one."
    )


def without_adapter_option() -> click.Option:
    """Declare --without-adapter, for commands that use a run's model."""
    return click.Option(["--without-adapter"], is_flag=True, help="Use the model as it was before the run's adapter.")


def weights_option() -> click.Option:
    """Declare --weights, for commands that write with a run's model."""
    return click.Option(
        ["--weights"],
        metavar="NAME",
        shell_complete=words(("int8",)),
        help="Write with weights rounded to int8: faster for larger models on a CPU, and other texts.",
    )

"""`engine export` and `engine import`: model files of other projects."""

from __future__ import annotations

from pathlib import Path

import click

from pentad.config.options import split_options
from pentad.config.recipe import Choice, Recipe
from pentad.registry.catalogue import Catalogue
from pentad_cli.arguments.command import EngineCommand, Folder, json_option, offers_of, plugin_option, run_argument
from pentad_cli.arguments.layers import default_tables
from pentad_cli.group import installed
from pentad_cli.terminal.output import say, say_json
from pentad_cli.terminal.started import engine_word, shell_word
from pentad_cli.terminal.text import visible_line


def _catalogue(plugin: tuple[Path, ...]) -> Catalogue:
    return Catalogue(plugin_files=plugin) if plugin else installed()


def _choice(word: str) -> Choice:
    name, options = split_options(word)
    return Choice(name, **{key.replace("-", "_"): value for key, value in options.items()})


def _export(run: Path, format: str, out: Path, plugin: tuple[Path, ...], as_json: bool) -> None:
    from pentad.runs.exchange import export_run

    export_run(run, _choice(format), out, catalogue=_catalogue(plugin))
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    if as_json:
        say_json({"run": run, "format": format, "folder": out, "files": files})
    else:
        say(f"Exported to {visible_line(str(out))}: {', '.join(map(visible_line, files))}")


def _import(path: Path, format: str, out: Path, plugin: tuple[Path, ...], as_json: bool) -> None:
    from pentad.runs.exchange import import_model

    import_model(path, _choice(format), out, Recipe.from_dict(default_tables()), catalogue=_catalogue(plugin))
    if as_json:
        say_json({"path": path, "format": format, "run": out})
    else:
        more = "".join(f" --plugin {shell_word(str(file))}" for file in plugin)
        say(f"Imported to {visible_line(str(out))}. Try next: {engine_word()} generate {shell_word(str(out))}{more}")


def _format_option() -> click.Option:
    return click.Option(
        ["--format"],
        required=True,
        metavar="NAME[,OPTION=VALUE]…",
        shell_complete=offers_of("format"),
        help="Which files (engine plugins lists the formats).",
    )


export_command = EngineCommand(
    "export",
    callback=_export,
    short_help="Write a run's model as another project reads it.",
    help="""Write a run's model as another project reads it.

    \b
      engine export runs/NAME --format NAME --out mine""",
    params=[
        run_argument(),
        _format_option(),
        click.Option(["--out"], type=Folder(), required=True, metavar="DIR", help="A new folder for the files."),
        json_option(),
        plugin_option(),
    ],
)

import_command = EngineCommand(
    "import",
    callback=_import,
    short_help="Make a run of another project's model.",
    help="""Make a run of another project's model: it can generate, be scored on a text and be started from.

    \b
      engine import theirs --format NAME --out runs/theirs
      engine generate runs/theirs""",
    params=[
        click.Argument(["path"], type=click.Path(path_type=Path)),
        _format_option(),
        click.Option(["--out"], type=Folder(), required=True, metavar="DIR", help="A new folder for the run."),
        json_option(),
        plugin_option(),
    ],
)

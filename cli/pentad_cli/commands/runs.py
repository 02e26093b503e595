"""`engine runs`: which runs there are, what one is and where it comes from, and away with one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pentad_cli.arguments.command import EngineCommand, EngineSubgroup, Folder, debug_option, json_option, run_argument
from pentad_cli.terminal.output import paint, say, say_json, table
from pentad_cli.terminal.text import count, plural, size, visible_line

if TYPE_CHECKING:
    from pentad.runs.listing import RunSummary


def _list(folder: Path, as_json: bool) -> None:
    from pentad.runs.listing import find_runs

    found = find_runs(folder)
    if as_json:
        say_json(found)
        return
    if not found:
        say(f"There are no runs below {visible_line(str(folder))}. engine run makes one.")
        return
    header = ("run", "made", "builder", "model", "steps", "score", "size", "started from")
    say(table([_row(run) for run in found], header=header, styles=("bold",)))
    total = sum(run.n_bytes for run in found)
    say(paint(f"{plural(len(found), 'run')}, {size(total)}. engine runs show RUN tells more of one.", "dim"))


def _row(run: RunSummary) -> list[str]:
    if run.problem:
        return [_short(run.path), run.made, "", "", "", "", size(run.n_bytes), f"damaged: {run.problem}"]
    adapter = f" + {run.stages['adapter']}" if "adapter" in run.stages else ""
    steps = count(run.step) if run.done else f"{count(run.step)} …"
    score = ", ".join(_score_words(run)) or "–"
    start = _short(Path(run.start)) if run.start else "–"
    names = [run.stages.get("builder", "?"), run.stages.get("model", "?") + adapter]
    return [_short(run.path), run.made, *names, steps, score, size(run.n_bytes), start]


def _score_words(run: RunSummary) -> list[str]:
    return [f"{name.replace('_', ' ')} {value:.3f}" for name, value in run.scores.items()]


def _short(path: Path) -> str:
    """Return a path as one types it here: relative to this folder where it lies below it."""
    absolute = Path(os.path.abspath(path))
    here = Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)


def _show(run: Path, as_json: bool) -> None:
    from pentad.runs.folder import RunDirectory
    from pentad.runs.listing import chain_of, find_runs, sizes_of, summary_of, users_of

    directory = RunDirectory.open(run)
    recipe, facts = directory.recipe(), directory.facts()
    summary, chain, sizes = summary_of(run), chain_of(run), sizes_of(run)
    started, needing = users_of(run, find_runs(run.absolute().parent))
    record: dict[str, Any] = {
        "run": summary,
        "versions": {name: facts.get(name) for name in ("engine", "python", "torch", "platform")},
        "chain": chain,
        "bytes": sizes,
        "started_from_it": [other.path for other in started],
        "needed_by": [other.path for other in needing],
        "recipe": recipe,
    }
    if as_json:
        say_json(record)
        return
    say(paint(visible_line(_short(run)), "bold"))
    state = "done" if summary.done else f"not done: {_resume_words(run)}"
    budget = f"{recipe.training.steps} steps" if recipe.training.steps else recipe.training.budget or ""
    rows = [
        ("made", f"{summary.made}, pentad {facts.get('engine')}, torch {facts.get('torch')}"),
        ("training", f"{plural(summary.step, 'step')}{f' of a budget of {budget}' if budget else ''}, {state}"),
        *((stage, f"{name}{_given(recipe, stage)}") for stage, name in summary.stages.items()),
        ("text", ", ".join(recipe.data.sources)),
        ("score", ", ".join(_score_words(summary)) or "none"),
        ("size", f"{size(summary.n_bytes)}: {', '.join(f'{part} {size(number)}' for part, number in sizes.items())}"),
        *_chain_rows(chain),
        *(("started from it", _short(other.path)) for other in started),
        *(("needed by", f"{_short(other.path)}, which is not done") for other in needing),
    ]
    say(table(rows, styles=("dim",)))


def _chain_rows(chain: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        ("from" if not number else "  from", f"{_short(Path(link['run']))}, step {link['step']}{_gone(link)}")
        for number, link in enumerate(chain)
    ]


def _gone(link: dict[str, Any]) -> str:
    return "" if link["exists"] else " (no longer there; its weights are kept where they are needed)"


def _resume_words(run: Path) -> str:
    from pentad.system.errors import to_resume

    return to_resume(run)


def _given(recipe: Any, stage: str) -> str:
    """Return the options of a stage, as a recipe has them."""
    choice = recipe.choices().get(stage)
    options = {} if choice is None else choice.options
    words = [f"{name}={value}" for name, value in options.items() if value not in ("", None, (), [])]
    return f" ({', '.join(words)})" if words else ""


def _remove(runs: tuple[Path, ...], yes: bool, force: bool, as_json: bool) -> None:
    from pentad.runs.folder import RunDirectory
    from pentad.runs.listing import find_runs, remove_run, size_of, users_of

    removed = []
    for run in runs:
        if not run.is_symlink():
            RunDirectory.open(run)
        others = find_runs(run.absolute().parent)
        started, _ = users_of(run, others)
        if not yes:
            _ask(run, size_of(run), started)
        n_bytes = remove_run(run, others, force=force)
        removed.append({"run": run, "bytes": n_bytes})
        if not as_json:
            say(f"Removed {visible_line(str(run))}, {size(n_bytes)}.")
    if as_json:
        say_json({"removed": removed})


def _ask(run: Path, n_bytes: int, started: list[RunSummary]) -> None:
    """Ask a person.

    Raises:
        UsageError: nobody is there.
        click.Abort: the answer is no.
    """
    from pentad.system.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError(
            "engine runs remove asks before it removes; found no terminal to ask in.", "Use --yes.", code="confirmation-missing"
        )
    copies = f" {plural(len(started), 'run')} started from it and keeps its own copy of the weights." if started else ""
    click.confirm(f"Remove {visible_line(str(run))}, {size(n_bytes)}?{copies}", abort=True, err=True)


def _folder_argument() -> click.Argument:
    return click.Argument(["folder"], type=Folder(), default=Path("runs"), required=False, metavar="[FOLDER]")


def _group(ctx: click.Context, as_json: bool) -> None:
    if ctx.invoked_subcommand is None:
        _list(Path("runs"), as_json)


runs = EngineSubgroup(
    "runs",
    callback=click.pass_context(_group),
    invoke_without_command=True,
    short_help="List, show and remove runs.",
    help="""List, show and remove runs.

    \b
      engine runs                        those below runs/
      engine runs list FOLDER            those below another folder
      engine runs show runs/NAME         its stages, scores, size and origins
      engine runs remove runs/NAME       remove it, after asking""",
    params=[json_option(), debug_option()],
)
runs.add_command(
    EngineCommand(
        "list",
        callback=_list,
        short_help="List the runs below a folder.",
        help="""List the runs below FOLDER (runs/ unless given), the newest first.

        Behind the steps of a run that is not done stands an ellipsis.""",
        params=[_folder_argument(), json_option()],
    )
)
runs.add_command(
    EngineCommand(
        "show",
        callback=_show,
        short_help="Show what a run is and where it comes from.",
        help="Show the stages, scores and size of a run, which runs it goes back to, and which of its neighbours use it.",
        params=[run_argument(), json_option()],
    )
)
runs.add_command(
    EngineCommand(
        "remove",
        callback=_remove,
        short_help="Remove runs.",
        help="""Remove runs, each after asking.

        A run that started from another holds a copy of its weights, and goes on without it. Refused are a run that is being
        trained, one that an unfinished neighbour names in an option (the reward of grpo), and a folder that holds other
        files too.""",
        params=[
            click.Argument(["runs"], type=Folder(), nargs=-1, required=True, metavar="RUN..."),
            click.Option(["--yes"], is_flag=True, help="Do not ask."),
            click.Option(["--force"], is_flag=True, help="Remove also what another run needs, and other files in the folder."),
            json_option(),
        ],
    )
)

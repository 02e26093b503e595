"""`engine trace`: where a text stands in the text that a run learned from."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import click

from pentad import UsageError
from pentad_cli.tools import EngineCommand, Folder, installed, json_option, plugin_option, plural, say_json, visible_line


def _trace(run: Path, text: str | None, least: int, as_json: bool, plugin: tuple[Path, ...]) -> None:
    from pentad import Catalogue
    from pentad.tools import prepare_process
    from pentad_studio.trace.index import open_index
    from pentad_studio.trace.search import trace as look_for

    if text is None and sys.stdin.isatty():
        raise UsageError(
            "engine trace expects a text, found none.", 'Put it in quotes ("like this"), or pipe it in.', code="text-missing"
        )
    wanted = sys.stdin.buffer.read().decode("utf-8", errors="replace") if text in (None, "-") else str(text)
    least = min(least, max(1, len(wanted.encode())))  # of a shorter text all of it may be a passage
    prepare_process()
    catalogue = Catalogue(plugin_files=plugin) if plugin else installed()
    index = open_index(run, catalogue, lambda what: click.echo(f"{what} …", err=True))
    found = look_for(index, wanted, least)
    if as_json:
        say_json({**dataclasses.asdict(found), "share": found.share})
        return
    click.echo(
        f"{found.share:.0%} of {plural(found.n_bytes, 'byte')} stand in the training text word for word, in passages of "
        f"{plural(least, 'byte')} or more; the longest match has {found.longest}."
    )
    for passage in found.passages:
        click.echo(
            f"\n{click.style(visible_line(passage.text), bold=True)}\n  {_words(passage.end - passage.start, passage.count)}"
        )
        for place in passage.places:
            around = (
                f"…{visible_line(place.before)}{click.style(visible_line(passage.text), bold=True)}{visible_line(place.after)}…"
            )
            click.echo(f"  document {place.document:,}, byte {place.offset:,}: {around}")
    if found.more:
        click.echo(f"\n… and {plural(found.more, 'more passage')}: --json shows as many.")


def _words(length: int, times: int) -> str:
    return f"{plural(length, 'byte')}, {'once' if times == 1 else plural(times, 'time')}"


trace = EngineCommand(
    "trace",
    callback=_trace,
    short_help="Find where a text stands in a run's training text.",
    help="""Find where a text stands in the text that a run learned from, word for word: what of it was copied, and from where.

    The first time, the training text is indexed, which takes about ten seconds for 100 MB and four times its size in the
    cache.

    \b
      engine trace runs/NAME "to be or not to be"
      engine generate runs/NAME | engine trace runs/NAME -""",
    params=[
        click.Argument(["run"], type=Folder(), metavar="RUN"),
        click.Argument(["text"], required=False, metavar="[TEXT|-]"),
        click.Option(
            ["--least"],
            type=click.IntRange(1, 100_000),
            default=24,
            show_default=True,
            metavar="BYTES",
            help="Minimum bytes of a passage; a shorter text is searched for as a whole.",
        ),
        json_option(),
        plugin_option(),
    ],
)

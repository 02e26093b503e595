"""`engine doctor`: look for what could stop or slow a run on this machine."""

from __future__ import annotations

import click

from pentad_cli.arguments.command import EngineCommand, json_option
from pentad_cli.terminal.output import paint, say, say_json, terminal_width, wrap
from pentad_cli.terminal.started import runnable
from pentad_cli.terminal.text import visible_line


def _doctor(ctx: click.Context, as_json: bool) -> None:
    from pentad_cli.health import Finding, findings

    found: list[Finding] = []
    for finding in findings():
        found.append(finding)
        if not as_json:
            _say(finding)
    failed = any(finding.state == "fail" for finding in found)
    if as_json:
        say_json({"healthy": not failed, "findings": found})
    ctx.exit(1 if failed else 0)


def _say(finding: object) -> None:
    from pentad_cli.health import Finding

    assert isinstance(finding, Finding)
    style = {"ok": "green", "warn": "bold yellow", "fail": "bold red"}[finding.state]
    first, *more = wrap(visible_line(finding.what), terminal_width() - 22)
    say(f"  {paint(f'{finding.state:<4}', style)}  {finding.topic:<12}  {first}")
    for line in more:
        say(" " * 22 + line)
    for line in wrap(visible_line(runnable(finding.hint)), terminal_width() - 24) if finding.hint else ():
        say(" " * 22 + paint(line, "cyan"))


doctor = EngineCommand(
    "doctor",
    callback=click.pass_context(_doctor),
    short_help="Look for what could stop or slow a run.",
    help="""Look for what could stop or slow a run on this machine. Exit code 1 when something would stop it.""",
    params=[json_option()],
)

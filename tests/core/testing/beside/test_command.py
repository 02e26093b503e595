"""Each wrong command is caught by the check meant for it, and by no other."""

from __future__ import annotations

import sys
import types

import click
import pytest

from pentad import Command
from pentad.testing import CommandConformance


@click.command()
@click.option("--loud", is_flag=True)
def right(loud):
    """Say hello."""
    click.echo("HELLO" if loud else "hello")


@click.command()
def silent():
    click.echo("hello")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1)
def takes_anything(words):
    """Say anything."""


def plain():
    """Say hello, without click."""


def failures(command):
    kit = type("Kit", (CommandConformance,), {"implementation": Command(name="hello", summary="", factory=command)})()
    return {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}


def record_of(command, monkeypatch):
    """Name the command as distributions do."""
    module = types.ModuleType("a_module_of_commands")
    module.command = command
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Command(name="hello", summary="", factory=f"{module.__name__}:command")


def test_a_right_command_passes(monkeypatch):
    assert failures(right) == {}
    kit = type("Kit", (CommandConformance,), {"implementation": record_of(right, monkeypatch)})()
    assert {kit.run(check).outcome for check in kit.checks()} == {"passed"}


@pytest.mark.parametrize(("command", "check"), [(silent, "help_is_written"), (takes_anything, "unknown_options_are_refused")])
def test_a_wrong_command_is_caught_by_the_check_meant_for_it(command, check):
    found = failures(command)
    assert list(found) == [check], found


def test_what_is_no_command_is_told_so():
    assert "must be a click.Command" in failures(plain)["is_a_click_command"]

"""Listings cost nothing: no torch, no numpy, no rich; and a plugin's command is shown without being imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pentad_cli import group

_PROBE = """
import sys
from pentad_cli.main import call
code = call(sys.argv[1:])
heavy = [name for name in ("torch", "numpy", "rich", "tiktoken", "pentad.train.trainer") if name in sys.modules]
print("HEAVY", heavy, file=sys.stderr)
sys.exit(code)
"""


def probe(*arguments: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _PROBE, *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["plugins"], ["plugins", "--json"], ["plugins", "show", "gpt"], ["run", "--model", "gpt", "--help"], ["rnu"]],
)
def test_a_listing_imports_nothing_heavy(arguments: list[str], tmp_path: Path, plain_environment: dict[str, str]) -> None:
    done = probe(*arguments, cwd=tmp_path, env=plain_environment)
    assert "HEAVY []" in done.stderr


_CHEAP = """
import sys
at_start = set(sys.modules)  # what finds an editable install is no matter of ours
import dataclasses
from pentad_cli.main import call
before = set(sys.modules)
code = call(sys.argv[1:])
ours = [name for name in sys.modules if name.partition(".")[0] == "pentad" or name.startswith("pentad_")]
beside = [name for name in ours if name not in before and "." in name and not name.endswith(".plugin")]
classes = [value for name in ours for value in vars(sys.modules[name]).values() if dataclasses.is_dataclass(value)]
written = {value.__name__ for value in classes if "__init__" in vars(value)}
slow = {"pathlib", "shutil", "traceback", "json"} & (set(sys.modules) - at_start)
print("BESIDE", sorted(beside), "WRITTEN", sorted(written), "SLOW", sorted(slow), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"]])
def test_a_listing_asks_the_light_modules_alone(
    arguments: list[str], tmp_path: Path, plain_environment: dict[str, str]
) -> None:
    """No module of options, no dataclass whose methods Python writes for a millisecond, none of the library's slow modules."""
    done = subprocess.run(
        [sys.executable, "-c", _CHEAP, *arguments],
        cwd=tmp_path,
        env=plain_environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    commands = ["arguments", "arguments.command", "commands", "commands.plugins"] if arguments == ["plugins"] else []
    own = [f"pentad_cli.{name}" for name in commands]
    assert done.stderr == f"BESIDE {own} WRITTEN [] SLOW []\n"


@pytest.fixture
def plain_environment(cache: Path) -> dict[str, str]:
    from os import environ

    return {**environ, "PENTAD_CACHE": str(cache), "COLUMNS": "100"}


@pytest.fixture
def plugin_folder(tmp_path: Path, plain_environment: dict[str, str]) -> Path:
    """Install a distribution with a command that cannot be imported, one that can, and one whose name is taken."""
    site = tmp_path / "site"
    info = site / "acme_tools-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tools\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[pentad]\nacme = acme_plugin\n")
    (site / "acme_plugin.py").write_text(
        "from pentad import Command, hookimpl\n"
        "@hookimpl\n"
        "def engine_commands():\n"
        "    return [Command(name='broken', summary='Cannot be imported.', factory='acme_broken:command'),\n"
        "            Command(name='greet', summary='Say hello.', factory='acme_greet:greet'),\n"
        "            Command(name='wrong', summary='Is no command.', factory='acme_greet:wrong'),\n"
        "            Command(name='run', summary='Has a name that is taken.', factory='acme_greet:greet')]\n"
    )
    (site / "acme_broken.py").write_text("raise RuntimeError('no such luck')\n")
    (site / "acme_greet.py").write_text(
        "import click\n\nwrong = 5\n\n@click.command()\n@click.argument('name')\n"
        "def greet(name):\n    click.echo(f'hello {name}')\n"
    )
    plain_environment["PYTHONPATH"] = str(site)
    return site


def test_a_plugins_command_stands_in_the_help(plugin_folder: Path, plain_environment: dict[str, str]) -> None:
    done = probe("--help", cwd=plugin_folder, env=plain_environment)
    assert done.returncode == 0
    assert "broken" in done.stdout
    assert "Cannot be imported. (acme-tools)" in done.stdout
    assert "HEAVY []" in done.stderr


@pytest.mark.parametrize("name", ["greet", "acme-tools:run"])
def test_a_plugins_command_can_be_called(name: str, plugin_folder: Path, plain_environment: dict[str, str]) -> None:
    done = probe(name, "Ada", cwd=plugin_folder, env=plain_environment)
    assert (done.returncode, done.stdout) == (0, "hello Ada\n")


def test_wrong_use_of_a_plugins_command_is_told_as_everywhere(plugin_folder: Path, plain_environment: dict[str, str]) -> None:
    done = probe("greet", cwd=plugin_folder, env=plain_environment)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: engine greet expects NAME, found nothing.\nHint: ")


def test_a_broken_command_says_who_made_it(plugin_folder: Path, plain_environment: dict[str, str]) -> None:
    done = probe("broken", cwd=plugin_folder, env=plain_environment)
    assert done.returncode == 1
    assert "acme-tools 2.0" in done.stderr and "RuntimeError: no such luck" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in probe("--debug", "broken", cwd=plugin_folder, env=plain_environment).stderr


def test_a_command_that_is_none_is_refused(plugin_folder: Path, plain_environment: dict[str, str]) -> None:
    done = probe("--debug", "wrong", cwd=plugin_folder, env=plain_environment)
    assert done.returncode == 1
    assert "Code: plugin-contract" in done.stderr and "acme-tools" in done.stderr


@pytest.mark.parametrize("name", group.BUILT_IN)
def test_every_built_in_command_exists(name: str) -> None:
    import click

    command = group.engine.get_command(click.Context(group.engine), name)
    assert command is not None
    assert command.name == name

"""What the public modules list exists, and plugins take nothing else."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import pentad
import pentad.testing
import pentad.tools
import pentad_cli.charts
import pentad_cli.tools

ROOT = Path(__file__).parents[2]

DOORS = ("pentad", "pentad.tools", "pentad.testing", "pentad_cli.tools", "pentad_cli.charts")
"""The modules that plugins import from."""


def test_every_public_name_exists_and_is_sorted() -> None:
    assert len(set(pentad.__all__)) == len(pentad.__all__)
    for name in pentad.__all__:
        assert getattr(pentad, name) is not None
    assert set(pentad._LAZY) <= set(pentad.__all__)


@pytest.mark.parametrize("door", [pentad.tools, pentad_cli.tools, pentad_cli.charts], ids=lambda door: door.__name__)
def test_every_tool_exists(door: ModuleType) -> None:
    for name in door.__all__:
        assert getattr(door, name) is not None
    assert sorted(door.__all__) == sorted(name for names in door.PLACES.values() for name in names)
    with pytest.raises(AttributeError, match="no attribute 'hammer'"):
        door.hammer  # noqa: B018


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Modle'"):
        pentad.Modle  # noqa: B018


@pytest.mark.parametrize("door", [door for door in DOORS if door != "pentad.testing"])
def test_importing_a_public_module_imports_nothing_heavy(door: str) -> None:
    heavy = ("torch", "numpy", "safetensors", "rich")
    code = f"import sys, {door}; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def imported(path: Path) -> set[str]:
    """Return what a file takes from core and from the command line, as `module.name`; a module itself is no name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("pentad", "pentad_cli"):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.split(".")[0] in ("pentad", "pentad_cli")}
    return names


@pytest.mark.parametrize("folder", ["plugins", "examples"])
def test_plugins_take_only_what_a_third_party_may(folder: str) -> None:
    public = {*DOORS, *(f"{door}.{name}" for door in DOORS for name in importlib.import_module(door).__all__)}
    files = [path for path in (ROOT / folder).rglob("*.py") if "build" not in path.parts]
    assert files
    taken = {path.relative_to(ROOT).as_posix(): imported(path) - public for path in files}
    assert {path: names for path, names in taken.items() if names} == {}

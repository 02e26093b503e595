"""`pentad.__all__` is the public API, and each of its names exists."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pentad
import pentad.testing
import pentad.tools

ROOT = Path(__file__).parents[2]


def test_every_public_name_exists_and_is_sorted() -> None:
    assert len(set(pentad.__all__)) == len(pentad.__all__)
    for name in pentad.__all__:
        assert getattr(pentad, name) is not None
    assert set(pentad._LAZY) <= set(pentad.__all__)


def test_every_tool_exists() -> None:
    for name in pentad.tools.__all__:
        assert getattr(pentad.tools, name) is not None
    assert sorted(pentad.tools.__all__) == sorted(name for names in pentad.tools.PLACES.values() for name in names)
    with pytest.raises(AttributeError, match="no attribute 'hammer'"):
        pentad.tools.hammer  # noqa: B018


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Modle'"):
        pentad.Modle  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, pentad; print([name for name in ('torch', 'numpy', 'safetensors') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def imported(path: Path) -> set[str]:
    """Return what a file takes from `pentad` itself, and from modules below it as `module.name`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "pentad":
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("folder", ["plugins", "examples"])
def test_plugins_take_only_what_a_third_party_may(folder: str) -> None:
    public = {f"pentad.{name}" for name in pentad.__all__}
    public |= {f"pentad.testing.{name}" for name in pentad.testing.__all__}
    public |= {f"pentad.tools.{name}" for name in pentad.tools.__all__}
    files = [path for path in (ROOT / folder).rglob("*.py") if "build" not in path.parts]
    assert files
    taken = {path.relative_to(ROOT).as_posix(): imported(path) - public for path in files}
    assert {path: names for path, names in taken.items() if names} == {}

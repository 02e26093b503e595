"""`lm_engine.__all__` is the public API, and each of its names exists."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lm_engine
import lm_engine.testing
import lm_engine.tools

ROOT = Path(__file__).parents[2]


def test_every_public_name_exists_and_is_sorted() -> None:
    assert len(set(lm_engine.__all__)) == len(lm_engine.__all__)
    for name in lm_engine.__all__:
        assert getattr(lm_engine, name) is not None
    assert set(lm_engine._LAZY) <= set(lm_engine.__all__)


def test_every_tool_exists() -> None:
    for name in lm_engine.tools.__all__:
        assert getattr(lm_engine.tools, name) is not None
    assert sorted(lm_engine.tools.__all__) == sorted(name for names in lm_engine.tools.PLACES.values() for name in names)
    with pytest.raises(AttributeError, match="no attribute 'hammer'"):
        lm_engine.tools.hammer  # noqa: B018


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Modle'"):
        lm_engine.Modle  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, lm_engine; print([name for name in ('torch', 'numpy', 'safetensors') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def imported(path: Path) -> set[str]:
    """Return what a file takes from `lm_engine` itself, and from modules below it as `module.name`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lm_engine":
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("folder", ["plugins", "examples"])
def test_plugins_take_only_what_a_third_party_may(folder: str) -> None:
    public = {f"lm_engine.{name}" for name in lm_engine.__all__}
    public |= {f"lm_engine.testing.{name}" for name in lm_engine.testing.__all__}
    public |= {f"lm_engine.tools.{name}" for name in lm_engine.tools.__all__}
    files = [path for path in (ROOT / folder).rglob("*.py") if "build" not in path.parts]
    assert files
    taken = {path.relative_to(ROOT).as_posix(): imported(path) - public for path in files}
    assert {path: names for path, names in taken.items() if names} == {}

"""Fifty plugins more cost a listing nothing but their light modules: no torch, no numpy, and no implementation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pentad.config.stages import STAGES

HOOKS = ("engine_tokenizers", "engine_example_builders", "engine_models", "engine_optimizers", "engine_samplers")
MANY = 50

_PLUGIN = """from dataclasses import dataclass
from pentad import Implementation, hookimpl, option

@dataclass(frozen=True, kw_only=True)
class Options:
    size: int = option({number}, "How much of it.", ge=0)

@hookimpl
def {hook}():
    return [Implementation(name="fake-{number}", summary="Fake.", factory="fake_{number}_heavy:Made", options=Options)]
"""

# Odd ones name their options, even ones bring them.
_NAMING = """from pentad import Implementation, hookimpl

@hookimpl
def {hook}():
    options = "fake_{number}_options:Options"
    return [Implementation(name="fake-{number}", summary="Fake.", factory="fake_{number}_heavy:Made", options=options)]
"""

_PROBE = """
import sys
from pentad_cli.main import call
code = call(sys.argv[1:])
heavy = [name for name in sys.modules if name in ("torch", "numpy", "rich", "safetensors") or name.endswith("_heavy")]
print("HEAVY", heavy, file=sys.stderr)
print("OPTIONS", [name for name in sys.modules if name.startswith("fake_") and name.endswith("_options")], file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for number in range(MANY):
        info = folder / f"fake_{number}-1.{number}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fake-{number}\nVersion: 1.{number}\n")
        (info / "entry_points.txt").write_text(f"[pentad]\nfake-{number} = fake_{number}_plugin\n")
        source = _PLUGIN.format(number=number, hook=HOOKS[number % len(HOOKS)])
        if number % 2:
            (folder / f"fake_{number}_options.py").write_text(source)
            source = _NAMING.format(number=number, hook=HOOKS[number % len(HOOKS)])
        (folder / f"fake_{number}_plugin.py").write_text(source)
        (folder / f"fake_{number}_heavy.py").write_text("import torch\nraise RuntimeError('imported without being chosen')\n")
    return folder


def probe(site: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "100", **more}
    return subprocess.run(
        [sys.executable, "-c", _PROBE, *arguments], cwd=site, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["plugins"],
        ["plugins", "show", "fake-7"],
        ["run", "--sampler", "fake-4", "--help"],
        ["run", "--model", "fake-2", "--model.size", "3", "--print-config"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(arguments: list[str], site: Path) -> None:
    done = probe(site, *arguments)
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stderr


def test_named_options_are_imported_where_they_are_shown(site: Path) -> None:
    assert "OPTIONS []" in probe(site, "plugins").stderr
    shown = probe(site, "plugins", "show", "fake-7")
    assert "OPTIONS ['fake_7_options']" in shown.stderr
    assert "How much of it. [int; >= 0]" in " ".join(shown.stdout.split())
    assert "--model.size" in probe(site, "run", "--model", "fake-7", "--help").stdout


def test_completion_imports_nothing_heavy(site: Path) -> None:
    done = probe(site, _ENGINE_COMPLETE="bash_complete", COMP_WORDS="engine run --model fake-", COMP_CWORD="3")
    assert "fake-12" in done.stdout
    assert "HEAVY []" in done.stderr or not done.stderr


def test_all_fifty_are_listed(site: Path) -> None:
    listed = json.loads(probe(site, "plugins", "--json").stdout)
    found = {offer["name"]: offer for offer in listed["offers"] if offer["distribution"].startswith("fake-")}
    assert len(found) == MANY
    assert {offer["kind"] for offer in found.values()} == set(STAGES)
    assert found["fake-9"]["version"] == "1.9"

"""For all tests: one thread, an `engine` that has imported torch already, an environment with wheels, as users install them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# Deterministic, and no slower at these sizes; tests that need more say so.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).parents[1]

_BUILD = """
import importlib, os, sys, tomllib
target, *projects = sys.argv[1:]
for project in projects:
    os.chdir(project)
    with open("pyproject.toml", "rb") as file:
        backend = tomllib.load(file)["build-system"]["build-backend"]
    importlib.import_module(backend).build_wheel(target)
"""


_WARM = Path(__file__).with_name("warm_engine.py")


@pytest.fixture(scope="session")
def warm_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Return the words that run `engine` in a process that need not import torch, for tests of what a command does."""
    if not sys.platform.startswith("linux"):
        yield [sys.executable, "-m", "pentad_cli"]
        return
    path = tmp_path_factory.mktemp("warm") / "socket"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, str(_WARM), "--serve", str(path)], env=environment) as server:
        while not path.exists():
            assert server.poll() is None, "the server ended"
            time.sleep(0.05)
        yield [sys.executable, "-I", "-S", str(_WARM), str(path)]
        server.terminate()


@pytest.fixture(scope="session")
def build_wheels() -> Callable[[Path, Iterable[Path]], None]:
    """Return a function that builds a wheel of each project into a folder, each by the backend that it names."""

    def build(folder: Path, projects: Iterable[Path]) -> None:
        command = [sys.executable, "-c", _BUILD, str(folder), *map(str, projects)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr

    return build


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory, build_wheels: Callable[[Path, Iterable[Path]], None]) -> Path:
    """Build a wheel of every distribution, the bundle and the example's included."""
    folder = tmp_path_factory.mktemp("wheels")
    places = ("core", "cli", "plugins/*", "examples/*")
    projects = [path.parent for place in places for path in ROOT.glob(f"{place}/pyproject.toml")]
    # setuptools leaves its traces where it builds, so the bundle is built from a copy.
    bundle = tmp_path_factory.mktemp("bundle")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, bundle)
    build_wheels(folder, [*projects, bundle])
    return folder


@dataclass
class Installation:
    """A virtual environment of its own.

    Args:
        folder: where it lies.
        wheels: what pip installs from, and nothing else.
    """

    folder: Path
    wheels: Path

    @property
    def site(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder), "platbase": str(self.folder)}))

    @property
    def scripts(self) -> Path:
        return Path(sysconfig.get_path("scripts", "venv", {"base": str(self.folder), "platbase": str(self.folder)}))

    def run(self, program: str, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        environment |= {"PENTAD_CACHE": str(self.folder / "cache"), "COLUMNS": "100"}
        command = [str(self.scripts / program), *map(str, arguments)]
        return subprocess.run(command, cwd=cwd or self.folder, env=environment, capture_output=True, text=True, timeout=300)

    def python(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.run("python", *arguments, cwd=cwd)

    def engine(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.run("engine", *arguments, cwd=cwd)

    def pip(self, *arguments: str) -> None:
        offline = ("--quiet", "--no-index", "--find-links", self.wheels) if arguments[0] == "install" else ("--quiet", "--yes")
        done = self.python("-m", "pip", arguments[0], "--disable-pip-version-check", *offline, *arguments[1:])
        assert done.returncode == 0, done.stderr


@pytest.fixture
def installation(tmp_path: Path, wheels: Path) -> Installation:
    """Make a virtual environment that has torch and everything else that is large, and nothing of pentad."""
    made = Installation(tmp_path / "environment", wheels)
    venv.create(made.folder, with_pip=False, symlinks=True)
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        ours = path.name.lower().replace("-", "_").lstrip("_").startswith(("pentad", "editable__"))
        if not ours and path.suffix != ".pth" and path.name != "__pycache__":
            (made.site / path.name).symlink_to(path)
    return made

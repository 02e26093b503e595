"""Two ways to call `engine`: in this process, for the many small cases, and as users do, in a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pentad_cli import group, main
from pentad_cli.errors import as_engine_error, show
from pentad_cli.terminal import started

TINY = (
    *("--tokenizer", "byte", "--batch-size", "4", "--context-length", "16", "--max-tokens", "8", "--threads", "1"),
    *("--compile", "off", "--precision", "fp32"),
    *("--model", "gpt", "--model.n-layer", "1", "--model.n-embd", "16", "--model.n-head", "2"),
)
TEXT = "".join(f"The number {n} comes after {n - 1}. A café is number {n % 7}.\n" for n in range(300))


@dataclass
class Result:
    code: int
    out: str
    err: str
    error: str = ""
    """The code of the error that was shown; only of calls in this process."""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> Callable[..., Result]:
    """Call `engine` in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENTAD_CACHE", str(cache))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PATH", activated())
    started.engine_word.cache_clear()
    group.installed.cache_clear()
    monkeypatch.setattr("pentad.registry.failures._ORIGINS", {})  # as in a process of its own
    codes: list[str] = []

    def noting(error: BaseException, **how: bool) -> int:
        codes.append(as_engine_error(error).code)
        return show(error, **how)

    monkeypatch.setattr(main, "show", noting)

    def run(*arguments: str | Path, stdin: str | bytes = "") -> Result:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        codes.clear()
        code = main.call([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err, "".join(codes))

    return run


@pytest.fixture(scope="session")
def engine(cache: Path, warm_engine: list[str]) -> Callable[..., Result]:
    """Call `engine` in a process of its own."""

    def run(*arguments: str | Path, cwd: Path, stdin: str = "", env: dict[str, str] | None = None) -> Result:
        how = {"input": stdin, "env": environment(cache, env), "capture_output": True, "text": True, "timeout": 120}
        done = subprocess.run([*warm_engine, *map(str, arguments)], cwd=cwd, **how)
        return Result(done.returncode, done.stdout, done.stderr)

    return run


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "pentad_cli", *map(str, arguments)]


def activated() -> str:
    """Return the PATH of an activated environment, in which `engine` is the command's name."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def environment(cache: Path, more: dict[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR", "COLUMNS")}
    return {**kept, "PATH": activated(), "PENTAD_CACHE": str(cache), "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1", **(more or {})}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, engine: Callable[..., Result]) -> Path:
    """A run of six steps on a small text, made by the command line."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    done = engine("run", "--data", folder / "text.txt", "--steps", "6", "--out", "run", *TINY, cwd=folder)
    assert done.code == 0, done.err
    return folder / "run"

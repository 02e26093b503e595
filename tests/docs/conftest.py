"""Runs what a page tells its readers to type.

A page's ```console blocks hold commands (`$ …`) and their output; a ```python block whose first line is `# NAME.py` is a file
of that name. They are taken in order, in one empty directory, as a reader would.

To keep the tests quick, `engine run` and `engine resume` train for a few steps only where the page asks for more than
`FEW_STEPS`, a tenth of it on a corpus, and score once (see `shortened`). Output is compared to the letter where it depends on
nothing but the command: see `is_compared`; a line `…` stands for lines left out.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FEW_STEPS = 100

_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Typed:
    """A command, and the output that the page shows for it."""

    command: str
    shown: str


def read_page(path: Path) -> list[Typed | tuple[str, str]]:
    """Return commands and files (name, content) in the order of the page."""
    found: list[Typed | tuple[str, str]] = []
    for language, text in _BLOCK.findall(path.read_text(encoding="utf-8")):
        if language == "python":
            name = re.match(r"# (\w+\.py)\n", text)
            found += [(name[1], text)] if name else []
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append(Typed(command, shown))
    return found


def shortened(command: str) -> str:
    """Return the command with three small steps in place of a long training; resume goes three steps further."""
    words = command.split()
    if words[:2] == ["engine", "compare"] and "--no-train" not in words:
        command = re.sub(r" --(steps|budget|tune-budget|seeds) \S+", "", command) + " --evaluate-every 0"
        return f"{command} --seeds 1 --steps 3 --batch-size 2 --context-length 64 --prompts 1 --text-bytes 16"
    steps = int(words[words.index("--steps") + 1]) if "--steps" in words else sys.maxsize
    few = FEW_STEPS if ".txt" in command else FEW_STEPS // 10  # a page's own text is small, a corpus is not
    if words[:2] not in (["engine", "run"], ["engine", "resume"]) or steps <= few or "--print-config" in words:
        return command
    command = re.sub(r" --(steps|budget) \S+", "", command)
    if words[1] == "resume":
        return f"{command} --steps 6"
    if "--evaluate-every" not in words:
        command += " --evaluate-every 0"
    return f"{command} --steps 3 --batch-size 2 --context-length 64 --max-tokens 8"


def is_compared(command: str, was_shortened: bool) -> bool:
    """Say whether the output depends on nothing but the command: no time, and no draw from a model that was cut short."""
    start = tuple(command.split()[1:2])
    exact = start in (("tokenize",), ("examples",), ("plugins",))
    greedy = start == ("generate",) and not was_shortened and "--sampler" not in command
    return command.startswith("engine ") and (exact or greedy) and "--run" not in command


def matches(shown: str, output: str) -> bool:
    """Compare line by line, blanks at the end left out; `…` stands for any lines."""
    lines = [re.escape(line.rstrip()) + r"\n" for line in shown.strip().splitlines()]
    pattern = "".join(r"(?:.*\n)*?" if line.startswith("…") else line for line in lines)
    return re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in output.strip().splitlines())) is not None


class Reader:
    """Types a page."""

    def __init__(self, folder: Path, cache: Path, warm_engine: list[str]) -> None:
        self.folder = folder
        (folder / "here").mkdir()
        (folder / "bin").mkdir()
        bin_folder = str(Path(sys.executable).parent)
        # The command itself sees the PATH of a reader.
        stub = f'#!/bin/sh\nPATH="${{PATH#*:}}" exec {shlex.join(warm_engine)} "$@"\n'
        (folder / "bin" / "engine").write_text(stub)
        (folder / "bin" / "engine").chmod(0o755)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("PENTAD", "COLUMNS"))}
        self.environment |= {
            "PENTAD_CACHE": str(cache),
            "PATH": os.pathsep.join([str(folder / "bin"), bin_folder, os.environ["PATH"]]),
            "OMP_NUM_THREADS": "1",
        }

    def read(self, page: Path) -> int:
        """Do all that the page says, and return how many commands that was."""
        was_shortened = False
        count = 0
        for item in read_page(page):
            if isinstance(item, tuple):
                (self.folder / "here" / item[0]).write_text(item[1], encoding="utf-8")
                continue
            if item.command.startswith(("make ", "pip ", "git ")):
                continue  # set-up: CI does it
            if " --jobs " in item.command:
                continue  # for many cores: test_comparisons.py makes their arms
            command = shortened(item.command)
            was_shortened = was_shortened or command != item.command
            done = self.type(command)
            assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
            if is_compared(item.command, was_shortened):
                assert matches(item.shown, done.stdout), f"$ {command}\n{done.stdout}\nbut {page.name} shows\n{item.shown}"
            count += 1
        return count

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run one line in a shell, in the directory of the page."""
        return subprocess.run(
            command,
            shell=True,
            cwd=self.folder / "here",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )


@pytest.fixture(scope="session")
def readers_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all pages, whichever worker of xdist reads them: they tokenize the same corpora."""
    place = tmp_path_factory.getbasetemp()
    return (place.parent if "PYTEST_XDIST_WORKER" in os.environ else place) / "readers-cache"


@pytest.fixture
def reader(tmp_path: Path, readers_cache: Path, warm_engine: list[str]) -> Reader:
    """Return a reader in an empty directory."""
    return Reader(tmp_path, readers_cache, warm_engine)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the repository."""
    return ROOT

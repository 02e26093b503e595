"""docs/plugin-tutorial.md, done: its files are written, its commands run, in order, in a clean environment."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "plugin-tutorial.md"


def steps() -> Iterator[tuple[str, str, str]]:
    """Yield kind, file and text of each fenced block; a file's name stands at the end of the sentence before."""
    for found in re.finditer(r"([^\n]*(?:\n[^\n]+)*)\n\n```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        named = re.findall(r"`([\w/]+\.py)`", found[1])
        yield found[2], named[-1] if named else "", found[3]


def test_the_tutorial_works(installation: Any) -> None:
    installation.pip("install", "pentad")
    folder = installation.folder / "work"
    folder.mkdir()
    path = f"{installation.scripts}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PENTAD_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    done = 0
    for kind, name, text in steps():
        if kind == "python":
            (folder / "mini-gru" / name).write_text(text, encoding="utf-8")
        elif kind == "diff":
            file = folder / "mini-gru" / name
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            (at,) = [number for number, line in enumerate(lines) if "kept, added = " in line]
            file.write_text("".join([*lines[: at + 1], text, *lines[at + 1 :]]), encoding="utf-8")
        else:
            for line in text.splitlines():
                command, _, note = line.partition("  # ")
                for verb in ("install", "wheel"):
                    command = command.replace(f"pip {verb}", f"python -m pip {verb} --quiet --no-index --no-build-isolation")
                ran = subprocess.run(
                    command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
                )
                assert (ran.returncode != 0) == (note == "fails"), f"{line}\n{ran.stdout}{ran.stderr}"
                if note == "fails":
                    assert ran.stdout.count("failed ") == 1, ran.stdout
                    assert "segments" in ran.stdout
                done += 1
    assert done >= 10
    assert [path.name for path in (folder / "dist").iterdir()] == ["mini_gru-0.1.0-py3-none-any.whl"]

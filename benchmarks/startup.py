"""How long `engine --help`, `engine plugins` and a completion take, with 0, 10 and 50 more plugins, beside Python itself.

The plugins make a dataclass of options when they are listed, as most do; one that names its options costs half of that.
Byte code is kept, as on a user's machine: the first round, which does not count, compiles.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.rows import Row, Settings
from benchmarks.timing import Times, alternate

EXTRA_PLUGINS = (0, 10, 50)

COMPLETION = {"_ENGINE_COMPLETE": "bash_complete", "COMP_WORDS": "engine run --model ", "COMP_CWORD": "3"}

PLUGIN = """from dataclasses import dataclass

from pentad import Implementation, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class Options:
    '''Options of it.'''

    size: int = option(4, "How much of it.", ge=1)
    share: float = option(0.5, "Which part of it.", ge=0, le=1)
    kind: str = option("plain", "Which kind of it.", choices=("plain", "other"))


@hookimpl
def engine_samplers():
    return [Implementation(name="dummy-{0}", summary="Stands for a plugin.", factory="dummy_{0}:Sampler", options=Options)]
"""


def rows(settings: Settings) -> Iterator[Row]:
    """Time the commands, each in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        runs: dict[str, Callable[[], object]] = {"python -c pass": _start(Path(folder), ["-c", "pass"])}
        for extra in EXTRA_PLUGINS[:2] if settings.quick else EXTRA_PLUGINS:
            site = _site(Path(folder, str(extra)), extra)
            for word in ("--help", "plugins"):
                runs[f"engine {word}, {extra} more plugins"] = _start(site, ["-m", "pentad_cli", word])
            runs[f"completion, {extra} more plugins"] = _start(site, ["-m", "pentad_cli"], COMPLETION)
        times = alternate(runs, settings.rounds(10))
    for name, found in times.items():
        yield _row(name, found)


def _row(name: str, times: Times) -> Row:
    return Row(
        bench="startup",
        name=name,
        value=1000 * times.wall,
        unit="ms",
        wall=times.wall,
        cpu=times.cpu,
        note="" if name.startswith("python") else "the mark is 300 ms",
    )


def _start(site: Path, arguments: list[str], more: Mapping[str, str] | None = None) -> Callable[[], object]:
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, **(more or {}), "PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, *arguments]
    return lambda: subprocess.run(command, env=environment, cwd=site, check=True, capture_output=True)


def _site(folder: Path, plugins: int) -> Path:
    """Make a folder in which so many plugin distributions are installed."""
    folder.mkdir()
    for number in range(plugins):
        (folder / f"dummy_{number}.py").write_text(PLUGIN.replace("{0}", str(number)))
        facts = folder / f"dummy_{number}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dummy-{number}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[pentad]\ndummy = dummy_{number}\n")
    return folder

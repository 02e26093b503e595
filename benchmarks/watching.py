"""Whether a training is slowed by who watches it: the same steps with nobody there, and with the studio open in a browser.

Each training is a process of its own on the first core; the studio's server and the browser have the others. Both are there all
the time, and the browser rests on an empty page where nobody watches. Every step is logged, which is more than a run does by
itself. What is compared are the CPU seconds of the training process from step 20 on.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, Settings
from benchmarks.timing import Times, ratios

STEPS, FIRST = 420, 20
"""Of a training, and the first that is counted."""

_TRAINS = """
import json, sys, time
import pentad
from pentad import Choice, Recipe, RunObserver

class Clock(RunObserver):
    def on_step(self, event):
        if event.step in (int(sys.argv[2]), int(sys.argv[3])):
            seen.append((time.process_time(), time.perf_counter()))

seen = []
recipe = Recipe(
    tokenizer="byte",
    model=Choice("gpt", n_layer=2, n_head=2, n_embd=64),
    optimizer="adamw",
    data=sys.argv[1] + "/text.txt",
    training={"steps": int(sys.argv[3]), "batch_size": 8, "context_length": 64},
    machine={"device": "cpu", "precision": "fp32", "threads": 1, "compile": "off"},
    evaluation={"evaluate_every": 0.25},
    generation={"sample_every": 0.25, "max_tokens": 20, "samples": 1},
    reporting={"log_every": 1},
)
pentad.run(recipe, out=sys.argv[1] + "/runs/" + sys.argv[4], observers=[Clock()])
(cpu, wall), (last_cpu, last_wall) = seen
print(json.dumps([last_wall - wall, last_cpu - cpu]))
"""


def rows(settings: Settings) -> Iterator[Row]:
    """Train in turns, watched and not."""
    driver = _driver()
    if settings.quick or driver is None:
        why = "a quick run starts no browser" if settings.quick else "no Chromium with its driver is installed"
        yield Row(bench="watching", name="watched by the studio", value=None, unit="CPU s", note=why)
        return
    own = _cores()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "text.txt").write_text("".join(f"{number} bottles of beer on the wall.\n" for number in range(9000)))
        Path(folder, "runs").mkdir()
        try:
            _keep_to(0, own[1:] or own)  # what is started from here on, unless it is a training
            with _served(Path(folder)) as address, driver.started() as browser:
                alone, watched = _in_turns(Path(folder), settings.rounds(6), address, browser, own[:1])
        finally:
            _keep_to(0, own)
    yield _row("nobody watches", alone)
    yield _row("watched by the studio", watched, alone)


def _in_turns(folder: Path, rounds: int, address: str, browser: Any, core: list[int]) -> tuple[Times, Times]:
    """Return the times of trainings that nobody watched, and of those that were."""
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for number in range(rounds):
        for is_watched in (False, True) if number % 2 else (True, False):
            name = f"{number}-{'watched' if is_watched else 'alone'}"
            page = f"{address}training?runs={name}" if is_watched else "about:blank"
            found[is_watched].append(_trained(folder, name, core, functools.partial(browser.open, page)))
            if is_watched and not browser.run("return document.querySelector('#chart svg') !== null"):
                raise AssertionError("the page shows no chart of the run that it watches")
            browser.open("about:blank")
    alone, watched = (Times(walls=[wall for wall, _ in each], cpus=[cpu for _, cpu in each]) for each in found.values())
    return alone, watched


def _trained(folder: Path, name: str, core: list[int], look: Callable[[], None]) -> tuple[float, float]:
    """Train once, look at it as soon as it is there, and return its seconds: by the clock, and of CPU."""
    command = [sys.executable, "-c", _TRAINS, str(folder), str(FIRST), str(STEPS), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        _keep_to(process.pid, core)
        while process.poll() is None and not (folder / "runs" / name / "engine.json").is_file():
            time.sleep(0.02)
        look()
        said, _ = process.communicate()
    wall, cpu = json.loads(said.splitlines()[-1])
    return wall, cpu


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve the studio, and give its address."""
    command = [sys.executable, "-m", "pentad_cli", "studio", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = re.search(r"http\S+/", server.stdout.readline())
            assert address, "engine studio printed no address"
            yield address[0]
        finally:
            server.terminate()


def _driver() -> Any:
    """Return what drives the browser of the tests and of the documentation's pictures; None where there is none."""
    docs = str(Path(__file__).parents[1] / "docs")
    if docs not in sys.path:
        sys.path.append(docs)
    driver = importlib.import_module("_browser")
    return driver if driver.is_there() else None


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def _keep_to(process: int, cores: list[int]) -> None:
    """Keep a process, and what it starts later, to some cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process, cores)


def _row(name: str, times: Times, against: Times | None = None) -> Row:
    ratio, cpu_ratio = ratios(times, against) if against else (None, None)
    steps = (STEPS - FIRST) / times.wall
    return Row(
        bench="watching",
        name=name,
        value=times.cpu,
        unit="CPU s",
        wall=times.wall,
        cpu=times.cpu,
        against="nobody watches" if against else "",
        ratio=ratio,
        cpu_ratio=cpu_ratio,
        note=f"{STEPS - FIRST} steps, {steps:.1f} a second",
    )
